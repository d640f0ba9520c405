"""Optimizers; ``COMPONENTS`` lists the modules that a study can name."""

COMPONENTS = (
    "adam",
    "adamw",
    "lars",
    "sgd",
)
