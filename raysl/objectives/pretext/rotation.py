"""Rotation: by how many quarters was the clip turned? (3DRotNet; TaCo with jitter between frames; CSTP)

Frames are turned after the crop, so the corners that turning by a jittered angle leaves black are the same for all four
classes. CSTP's code turns the frame before the crop, which makes its overlap labels wrong; this is not copied.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from raysl.config.component import Component
from raysl.config.options import option
from raysl.objectives.tasks.one_clip import OneClipOptions, OneClipViews, one_clip_task
from raysl.views.task_views import VideoPlan

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = 4
"""0, 90, 180 and 270 degrees, counter-clockwise."""


class RotationOptions(OneClipOptions):
    """Options of rotation."""

    jitter: float = option(
        3.0,
        doc="each frame is turned by a further angle, uniform from minus to plus this",
        unit="degrees",
        source="printed: TaCo; CSTP: 0",
        ge=0,
        le=45,
    )


class RotationViews(OneClipViews):
    """Turns the task's own view, or each clip of the pair separately, by a multiple of 90 degrees."""

    name = "rotation"
    sets = frozenset({"angle"})
    options: RotationOptions

    def answer(self, plan: VideoPlan, view: str, generator: np.random.Generator) -> int:
        turns = int(generator.integers(CLASSES))
        angles = generator.uniform(-self.options.jitter, self.options.jitter, size=plan.clip.raw_frames)
        plan.change_pixels(view, partial(turn, turns=turns, angles=angles.tolist()))
        return turns


def turn(clip: Tensor, turns: int, angles: list[float]) -> Tensor:
    """Turns ``[3, T, size, size]`` by quarters, then each frame by its own angle (degrees, bilinear, black corners)."""
    import torch

    turned = torch.rot90(clip, turns, dims=(2, 3))
    if not any(angles):
        return turned.contiguous()
    from torchvision.transforms.v2 import InterpolationMode, functional  # takes 1.5 s, and is rarely needed

    frames = [
        functional.rotate(turned[:, frame], angle, InterpolationMode.BILINEAR) for frame, angle in enumerate(angles)
    ]
    return torch.stack(frames, dim=1)


BUILD = one_clip_task(RotationViews.name, CLASSES)

COMPONENT = Component(kind="pretext task", options=RotationOptions, build=BUILD, views=RotationViews)
