"""Pretext tasks.

``COMPONENTS`` lists the modules that a study can name; the others are what several tasks share.
"""

from raysl.config.cell import CellConfig


def _check(cell: CellConfig) -> None:
    from raysl.objectives.tasks.checks import check_tasks  # imports PyTorch, which a list of names can do without

    check_tasks(cell)


CHECK = _check

COMPONENTS = (
    "clip_order",
    "playback_rate",
    "playback_regression",
    "reverse",
    "rotation",
    "shuffle",
    "spatial_overlap",
    "speed",
    "temporal_overlap",
)
