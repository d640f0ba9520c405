"""Augmentations.

``COMPONENTS`` lists the modules that a study can name; the others are what several augmentations share.
"""

COMPONENTS = (
    "cstp",
    "cvrl",
    "none",
    "rand_augment",
    "standard",
    "tclr",
)
