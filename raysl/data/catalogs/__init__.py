"""Data sets.

``COMPONENTS`` lists the modules that a study can name. The others are what readers of data sets share; a reader in
another package may import them, too.
"""

COMPONENTS = (
    "ava",
    "diving48",
    "folder",
    "hmdb51",
    "kinetics400",
    "kinetics600",
    "ssv2",
    "synthetic",
    "synthetic_boxes",
    "ucf101",
)
