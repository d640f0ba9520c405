"""The summary of a finished cell's pretraining."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Summary:
    """Totals over all attempts of a cell.

    Attributes:
        steps: optimisation steps; 0 for random weights.
        minutes: wall time of the attempts that reached the store.
        clips_per_second: over all ranks, warm-up steps excluded; 0.0 if nothing was measured.
        clips_per_second_per_core: the same, by the CPU cores that the ranks used.
        final_loss: of the last step; None for random weights.
        precision: as resolved.
        unreadable: videos of the training split that could not be read, with ``unreadable_paths``.
        missing: videos that the data set lists but that have no file, of all splits.
        too_short: videos shorter than the configured views; their clips wrap around or are reflected.
        left_out: readable videos that are not trained on: no window fits them, or they have no label that is needed.
        attempts: number of attempts.
        peak_memory_gib: most memory of tensors on rank 0's GPU, GiB; None on the CPU.
        data_wait_share: of the time of the last attempt, in which it waited for clips; None: it took no second step.
        collapsed: what had collapsed at the last measurement, in words; empty if nothing had, or nothing was measured.
    """

    steps: int
    minutes: float
    clips_per_second: float
    clips_per_second_per_core: float
    final_loss: float | None
    precision: str
    unreadable: int
    unreadable_paths: tuple[str, ...]
    missing: int
    too_short: int
    left_out: int
    attempts: int
    data_wait_share: float | None = None
    collapsed: str = ""
    peak_memory_gib: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        values = {**asdict(self), "unreadable_paths": list(self.unreadable_paths)}
        if self.peak_memory_gib is None:
            del values["peak_memory_gib"]
        return values
