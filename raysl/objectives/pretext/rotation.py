"""Rotation: by how many quarters was the clip turned? (3DRotNet; TaCo with jitter between frames; CSTP)

Frames are turned after the crop, so the corners that turning by a jittered angle leaves black are the same for all four
classes. CSTP's code turns the frame before the crop, which makes its overlap labels wrong (recipe 6.2); not copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode, functional

from raysl.config.cell import CellConfig
from raysl.config.component import Component
from raysl.config.options import option
from raysl.objectives.pretext_task import ClassificationTask, OwnViewOptions, targets_of, views_of
from raysl.objectives.task_heads import HeadOptions, TaskHead
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch
from raysl.views.task_views import TaskViews, VideoPlan

CLASSES = 4
"""0, 90, 180 and 270 degrees, counter-clockwise."""


class RotationOptions(OwnViewOptions):
    """Options of rotation."""

    jitter: float = option(
        3.0,
        doc="every frame is turned further by an angle of its own, uniform from minus to plus this",
        unit="degrees",
        source="[P] TaCo; CSTP: 0",
        ge=0,
        le=45,
    )
    head: HeadOptions = option(HeadOptions(), doc="from a clip's feature to the answer", source="see its fields")


class RotationViews(TaskViews):
    """Turns a view of its own, or each clip of the pair by a multiple of its own."""

    def __init__(self, options: RotationOptions) -> None:
        self.options, self.views = options, views_of("rotation", options.view)

    @property
    def own_views(self) -> tuple[str, ...]:
        return self.views if self.options.view == "own" else ()

    @property
    def changes(self) -> Mapping[str, frozenset[str]]:
        return dict.fromkeys(self.views, frozenset({"angle"}))

    def apply(self, plan: VideoPlan, generator: np.random.Generator) -> None:
        for view in self.views:
            if self.options.view == "own":
                plan.placements[view] = plan.place(generator)
            turns = int(generator.integers(CLASSES))
            angles = generator.uniform(-self.options.jitter, self.options.jitter, size=plan.clip.raw_frames)
            plan.change_pixels(view, partial(turn, turns=turns, angles=angles.tolist()))
            plan.targets[f"rotation/{view}"] = turns


def turn(clip: Tensor, turns: int, angles: list[float]) -> Tensor:
    """Turns ``[3, T, size, size]`` by quarters, then each frame by its own angle (degrees, bilinear, black corners)."""
    turned = torch.rot90(clip, turns, dims=(2, 3))
    if not any(angles):
        return turned.contiguous()
    frames = [
        functional.rotate(turned[:, frame], angle, InterpolationMode.BILINEAR) for frame, angle in enumerate(angles)
    ]
    return torch.stack(frames, dim=1)


class Rotation(ClassificationTask):
    """Four classes, about each turned clip."""

    name = "rotation"

    def __init__(self, options: RotationOptions, context: TermContext) -> None:
        super().__init__()
        self._views = views_of(self.name, options.view)
        self.head = TaskHead(context.feature_dim, CLASSES, options.head)

    @property
    def view_names(self) -> tuple[str, ...]:
        return self._views

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        logits = self.head(torch.cat([features[view] for view in self._views])).chunk(len(self._views))
        return list(zip(logits, targets_of(self.name, self._views, batch), strict=True))


def _views(options: RotationOptions, cell: CellConfig) -> RotationViews:
    return RotationViews(options)


COMPONENT = Component(kind="pretext task", options=RotationOptions, build=Rotation, views=_views)
