"""A batch as a typed value: named views and where in the video each came from.

Shapes: B videos, C channels, T frames, H, W.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor


def on_device(values: Tensor, device: torch.device) -> Tensor:
    """Values of the host on ``device``, without waiting for it."""
    return (values.pin_memory() if device.type == "cuda" else values).to(device, non_blocking=True)


@dataclass(frozen=True)
class Unfinished:
    """What is left of one clip, after the crop, before it is the network's input.

    Attributes:
        drawn: of `raysl.views.augmentation.Cropped`.
        changes: of the augmented clip, by tasks, in order (`raysl.views.task_views.PixelChange`).
    """

    drawn: tuple[Any, ...]
    changes: tuple[Callable[[Tensor], Tensor], ...] = ()


@dataclass(frozen=True)
class View:
    """One clip of each video of the batch.

    Attributes:
        clips: ``[B, C, T, H, W]`` float32, normalised; subtracted frames where ``clip.input`` is ``difference``. Or,
            ``unfinished``: ``[B, T, 3, H, W]`` uint8, cropped, with one frame more where frames are to be subtracted.
        video: ``[B]`` int64, stable catalog index; on the host, where draws are keyed by it and banks look it up.
        center: ``[B]`` float32, the clip's middle as a share of the video's length, 0 to 1.
        box: ``[B, 4]`` float32, crop (top, left, height, width) as shares of the frame.
        rate: ``[B]`` float32, frames of video per frame of clip, as drawn.
        distortion: ``[B]`` float32, the playback rate that augmentation in time drew (a factor of ``rate``); 1: none.
        unfinished: what is left of each clip; empty: nothing.
    """

    clips: Tensor
    video: Tensor
    center: Tensor
    box: Tensor
    rate: Tensor
    distortion: Tensor
    unfinished: tuple[Unfinished, ...] = ()


@dataclass(frozen=True)
class Boxes:
    """The people in a batch's clips, P of them, after crop and flip.

    Attributes:
        row: ``[P]`` int64, the clip of each, ascending.
        box: ``[P, 4]`` float32, (left, top, right, bottom) as shares of the clip.
        actions: ``[P, classes]`` float32, 1 for the person's actions, else 0.
        key: ``[P]`` int64, number of each person in the whole set: keys its draws.
        dropped: ``[]`` float32, how many people the crop left out.
    """

    row: Tensor
    box: Tensor
    actions: Tensor
    key: Tensor
    dropped: Tensor

    def each(self, change: Callable[[Tensor], Tensor]) -> Boxes:
        """A copy with every tensor changed by ``change``."""
        return Boxes(*map(change, (self.row, self.box, self.actions, self.key, self.dropped)))


@dataclass(frozen=True)
class Batch:
    """The input of one optimisation step on one rank.

    Attributes:
        views: by name (``query``, ``key``, later ``global``, ``local/2``, ``shuffle/0``).
        targets: by name; ``label``: ``[B]`` int64, the video's class, -1 without one (absent if the data set has no
            labels); the others are labels that pretext tasks made.
        unreadable: paths that failed while loading and were replaced; training counts them.
        boxes: of the people in the view ``query``, if boxes are trained on.
    """

    views: dict[str, View]
    targets: dict[str, Tensor] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    boxes: Boxes | None = None

    @property
    def size(self) -> int:
        return next(iter(self.views.values())).clips.shape[0]

    def pin_memory(self) -> Batch:
        """A copy in page-locked memory; DataLoader calls this method by name."""
        return self._each(Tensor.pin_memory, Tensor.pin_memory)

    def to(self, device: torch.device, memory_format: torch.memory_format = torch.channels_last_3d) -> Batch:
        """On ``device``, all but `View.video`; clips in ``memory_format``, those that are unfinished as they are."""
        return self._each(
            lambda clips: clips.to(
                device,
                memory_format=memory_format if clips.is_floating_point() else torch.preserve_format,
                non_blocking=True,
            ),
            lambda values: values.to(device, non_blocking=True),
        )

    def _each(self, clips: Callable[[Tensor], Tensor], others: Callable[[Tensor], Tensor]) -> Batch:
        views = {
            name: replace(
                v,
                clips=clips(v.clips),
                center=others(v.center),
                box=others(v.box),
                rate=others(v.rate),
                distortion=others(v.distortion),
            )
            for name, v in self.views.items()
        }
        boxes = None if self.boxes is None else self.boxes.each(others)
        targets = {name: others(target) for name, target in self.targets.items()}
        return replace(self, views=views, targets=targets, boxes=boxes)
