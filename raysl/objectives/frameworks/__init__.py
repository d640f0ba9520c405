"""Contrastive frameworks; ``COMPONENTS`` lists the modules that a study can name."""

COMPONENTS = (
    "byol",
    "instdisc",
    "moco",
    "simclr",
    "simsiam",
    "tclr_released",
)
