"""Checks of what training cannot do, with the reason; planning runs them too, before money is spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raysl.config.cell import CellConfig, chosen_terms
from raysl.errors import CellFailure, ConfigError
from raysl.training.length import training_length
from raysl.views.order import EpochOrder
from raysl.views.training_videos import training_lengths, training_videos

if TYPE_CHECKING:
    from raysl.data.source import VideoSource
    from raysl.objectives.objective import Objective

_ANY_VIDEOS = range(2**16)
"""Number of videos assumed while it is unknown: enough for the negatives of every published memory bank."""


def check_cell(cell: CellConfig) -> None:
    """Refuses what cannot be trained as configured; needs no data.

    Raises:
        ConfigError: naming the key.
    """
    from raysl.objectives.build import build_objective

    if cell.pretraining != "none" and cell.training.accumulate > 1:
        check_accumulation(cell, build_objective(cell, _ANY_VIDEOS, total_steps=1, classes=2))


def check_on_videos(cell: CellConfig, source: VideoSource) -> None:
    """Refuses what the training videos cannot fill, as training would; builds no network and decodes nothing.

    Raises:
        ConfigError: naming the key.
    """
    videos = training_videos(cell, source)
    check_on_lengths(cell, training_lengths(cell, source, videos))
    for term in chosen_terms(cell.objective).values() if cell.pretraining == "self_supervised" else ():
        if term.component.check_videos is not None:
            term.component.check_videos(term.options, cell, len(videos))


def check_on_lengths(cell: CellConfig, lengths: Sequence[int]) -> None:
    """Refuses a batch, a clip, a warm-up or an accumulation that training videos of these lengths do not fill.

    Args:
        lengths: in frames.

    Raises:
        ConfigError: naming the key.
    """
    from raysl.views.loader import count_too_short

    batches = EpochOrder(range(len(lengths)), cell.training.batch_size, cell.training.seed).steps_per_epoch
    count_too_short(cell, lengths)
    try:
        length = training_length(cell.training, batches)
    except CellFailure as failure:
        raise ConfigError(failure.reason) from failure
    cell.schedule.build(length.steps, length.steps_per_epoch)


def check_accumulation(cell: CellConfig, objective: Objective) -> None:
    """Refuses accumulation if several small batches are not equivalent to one large one.

    Raises:
        ConfigError: naming the key.
    """
    if cell.training.accumulate > 1 and objective.compares_across_batch:
        raise ConfigError(
            f"training.accumulate {cell.training.accumulate}: the loss compares the videos of a batch with each other, "
            "so summing the gradients of smaller batches would train with fewer negatives than training.batch_size "
            "implies; set accumulate to 1, and lower batch_size or add workers instead"
        )


def check_world(cell: CellConfig, world_size: int) -> None:
    """Refuses a number of ranks that does not divide the batch, or a chunk that does not divide a rank's share.

    Raises:
        ConfigError: naming the key.
    """
    if cell.training.batch_size % world_size:
        raise ConfigError(
            f"training.batch_size {cell.training.batch_size} does not divide by the {world_size} workers that run"
        )
    share, chunk = cell.training.batch_size // world_size, cell.training.chunk_in_use
    if chunk is not None and chunk < share and share % chunk:
        raise ConfigError(
            f"training.chunk {chunk} does not divide the {share} videos of each of the {world_size} workers"
        )
