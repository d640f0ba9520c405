"""Pretext tasks.

``COMPONENTS`` lists the modules that a study can name; the others are what several tasks share.
"""

from raysl.objectives.tasks.checks import check_tasks

CHECK = check_tasks

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
