"""Augmentation of one clip: parameters first (on CPU, from a stream), pixels second (anywhere)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from raysl.views.augmentation_options import Box
from raysl.views.color import VALUES_AT_ONCE


class Augmented(NamedTuple):
    """An augmented clip.

    Attributes:
        clip: ``[3, T, H, W]`` float32 in [0, 1].
        box: its crop, (top, left, height, width) as shares of the frame.
    """

    clip: Tensor
    box: tuple[float, float, float, float]


class Cropped(NamedTuple):
    """A clip of which only the values are still to be changed, with all that was drawn for that.

    Attributes:
        pixels: ``[T, 3, size, size]`` uint8, cropped, resized and flipped.
        drawn: what `TwoStepAugmentation.finish` takes: one for all frames, or one for each.
        box: as in `Augmented`.
    """

    pixels: Tensor
    drawn: tuple[Any, ...]
    box: tuple[float, float, float, float]


class Followed(NamedTuple):
    """A cropped clip with what boxes of people need to follow it.

    Attributes:
        cropped: of a `TwoStepAugmentation`.
        flipped: left and right were exchanged, after the crop.
    """

    cropped: Cropped
    flipped: bool


class Augmentation(ABC):
    """Base of every augmentation: ``COMPONENT.build(options, clip: ClipOptions) -> Augmentation``."""

    @abstractmethod
    def __call__(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Augmented:
        """Augments a clip, with one draw for all frames unless the options choose otherwise.

        Args:
            frames: ``[T, 3, H, W]`` uint8, decoded and resized.
            generator: of this video, epoch and view.
            view: the view's name; only an asymmetric augmentation treats ``key`` differently. It does not change the
                draws.
            box: (top, left, height, width) in pixels, used instead of a drawn crop; it does not change the draws.
        """


class TwoStepAugmentation(Augmentation):
    """Base of augmentations that crop on uint8 first and change values as float32 second.

    The second step needs nothing but what the first one drew. So it can be taken a few frames at a time, which stay in
    the processor's cache, or on a GPU, for all clips of a batch.
    """

    @property
    def keeps_boxes(self) -> bool:
        """Whether pixels are moved only by one crop and one flip of the whole clip, so that boxes can follow."""
        return False

    def followed(self, frames: Tensor, generator: np.random.Generator) -> Followed:
        """The first step, with the same draws, and whether it flipped. Only if it `keeps_boxes`."""
        raise NotImplementedError(f"boxes cannot follow {type(self).__name__}")

    @abstractmethod
    def crop(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Cropped:
        """The first step, with all draws; arguments as in a call."""

    @abstractmethod
    def finish(self, pixels: Tensor, drawn: Any, first: int = 0) -> Tensor:
        """The second step of consecutive frames that share a draw.

        Args:
            pixels: ``[N, 3, size, size]`` float32 in [0, 1]; may be changed.
            drawn: of `Cropped`.
            first: number in the clip of the first of these frames.

        Returns:
            The same shape and range, ``pixels`` itself or new.
        """

    def finish_all(self, pixels: Tensor, drawn: Sequence[Any]) -> Tensor:
        """`finish` of whole clips, or of single frames, with their own draws; within 1e-5 of it.

        Args:
            pixels: ``[B, N, 3, size, size]`` float32 in [0, 1]; may be changed.
            drawn: B of them.
        """
        return torch.stack([self.finish(one, own) for one, own in zip(pixels, drawn, strict=True)])

    def __call__(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Augmented:
        return self.augmented(self.crop(frames, generator, view, box))

    def augmented(self, cropped: Cropped) -> Augmented:
        """The second step of a whole clip, on CPU."""
        clip = torch.empty(cropped.pixels.shape)
        for part, pixels in self.finished(cropped):
            clip[part] = pixels
        return Augmented(clip.transpose(0, 1), cropped.box)

    def finished(self, cropped: Cropped) -> Iterator[tuple[slice, Tensor]]:
        """The second step on CPU, a few frames at a time: which frames, and ``[N, 3, size, size]`` float32 in [0, 1].

        The next ones overwrite them.
        """
        pixels, drawn = cropped.pixels, cropped.drawn
        at_once = 1 if len(drawn) > 1 else max(1, min(len(pixels), VALUES_AT_ONCE // pixels[0].numel()))
        values = torch.empty(at_once, *pixels.shape[1:])
        for first in range(0, len(pixels), at_once):
            part = slice(first, min(first + at_once, len(pixels)))
            some = values[: part.stop - first].copy_(pixels[part]).div_(255.0)
            yield part, self.finish(some, drawn[first], 0) if len(drawn) > 1 else self.finish(some, drawn[0], first)
