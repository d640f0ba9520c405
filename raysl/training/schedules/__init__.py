"""Learning-rate schedules; ``COMPONENTS`` lists the modules that a study can name."""

COMPONENTS = (
    "constant",
    "cosine",
    "multistep",
    "plateau",
)
