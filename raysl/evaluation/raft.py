"""What a study needs to know of torchvision's RAFT, which estimates optical flow: `raysl.evaluation.optical_flow`."""

from __future__ import annotations

STATE_DICT = "the state dict of torchvision's RAFT"


SMALLEST = 128
"""The least height and width, in pixels, for its pyramid of correlations."""
