"""TCLR's augmentation (Dave et al. 2021, https://arxiv.org/abs/2101.07974), one draw for all frames of a clip.

The paper's Algorithm 1 is not in our source text, so all numbers are those of the released loader
(github.com/DAVEISHAN/TCLR, tclr_pretraining/dl_tclr.py). The order is the loader's: crop, contrast, hue,
saturation, brightness, contrast, grey with gamma or a dropped channel, flip, erasing. Where this departs from it:

- The loader keeps the crop's left edge within ``width * (1 - c)``: it never shows the right end of a wide frame, and
  the largest crops show only the left square. Here the crop is anywhere in the frame (inferred).
- The loader reads BGR, so its grey weighs red as blue; here RGB. It rounds to 8 bits after each step; here only the
  resize does.
- The network then reads normalised pixels (`network_input`); the paper subtracts no mean and divides by no deviation.
- The flip comes first: no step before it in the loader depends on left and right.
"""

from __future__ import annotations

from raysl.config.component import Component, later
from raysl.views.augmentations.tclr_options import TclrOptions

COMPONENT = Component(
    kind="augmentation",
    options=TclrOptions,
    build=later("raysl.views.augmentations.tclr_augmentation", "build"),
    keeps_boxes=lambda options: False,
)
