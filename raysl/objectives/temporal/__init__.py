"""Losses over the clips of one video in time; ``COMPONENTS`` lists the modules that a study can name."""

COMPONENTS = (
    "clip_to_video",
    "global_local",
    "local_local",
)
