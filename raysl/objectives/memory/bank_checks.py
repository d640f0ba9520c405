"""What is checked of the temporal memory bank before there is one."""

from __future__ import annotations

from raysl.config.objective_sections import MemoryOptions
from raysl.errors import ConfigError


def check_negatives(negatives: int, videos: int, batch_size: int, options: MemoryOptions) -> None:
    """Refuses more negatives than the bank can supply.

    Raises:
        ConfigError: the bank has fewer entries of videos outside a batch of ``batch_size`` videos.
    """
    available = max(videos - batch_size, 0) * options.cells
    if negatives > available:
        raise ConfigError(
            f"{negatives} negatives are requested, and outside a batch of {batch_size} videos the temporal memory "
            f"bank has {available} entries ({videos} training videos, {options.cells} cells each); "
            f"lower objective.contrastive.bank_negatives to {available} or less"
        )
