"""Pair samplers; ``COMPONENTS`` lists the modules that a study can name."""

COMPONENTS = (
    "interval",
    "overlap",
    "random",
    "same",
    "skips",
)
