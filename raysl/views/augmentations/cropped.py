"""Base of the cropping augmentations: a random resized crop and a flip, drawn once per clip or once per frame."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from raysl.views.augmentation import Cropped, TwoStepAugmentation
from raysl.views.augmentation_options import Box
from raysl.views.pixel_operations import crop_and_flip


class CropDraw(Protocol):
    """One draw of parameters, with at least ``crop``: (top, left, height, width) in pixels, and ``flip``."""

    @property
    def crop(self) -> Box: ...

    @property
    def flip(self) -> bool: ...

    def _replace(self, *, crop: Box) -> Self: ...


Drawn = TypeVar("Drawn", bound=CropDraw)


class CroppedAugmentation(TwoStepAugmentation, Generic[Drawn]):
    """Draws parameters once, or once per frame, and applies them.

    Args:
        temporally_consistent: one draw for all frames.
        size: height and width of the result, pixels.
    """

    def __init__(self, temporally_consistent: bool, size: int) -> None:
        self._temporally_consistent = temporally_consistent
        self.size = size

    def crop(
        self, frames: Tensor, generator: np.random.Generator, view: str = "query", box: Box | None = None
    ) -> Cropped:
        """As the base class. Without temporal consistency the box is the mean of the frames' boxes."""
        height, width = frames.shape[-2:]
        if self._temporally_consistent:
            return self.cropped(frames, self._boxed(self.draw(height, width, generator, view), box))
        drawn = tuple(self._boxed(self.draw(height, width, generator, view), box) for _ in range(frames.shape[0]))
        pixels = torch.cat([self.sized(frame[None], own) for frame, own in zip(frames, drawn, strict=True)])
        top, left, box_height, box_width = np.mean([own.crop for own in drawn], axis=0).tolist()
        return Cropped(pixels, drawn, (top / height, left / width, box_height / height, box_width / width))

    def cropped(self, frames: Tensor, drawn: Drawn) -> Cropped:
        """One draw on all frames."""
        height, width = frames.shape[-2:]
        top, left, box_height, box_width = map(float, drawn.crop)
        shares = (top / height, left / width, box_height / height, box_width / width)
        return Cropped(self.sized(frames, drawn), (drawn,), shares)

    def apply(self, frames: Tensor, drawn: Drawn) -> Tensor:
        """``[T, 3, H, W]`` uint8 to ``[T, 3, size, size]`` float32 in [0, 1]: both steps of one draw."""
        return self.finish(self.sized(frames, drawn).to(torch.float32).div_(255.0), drawn)

    def _boxed(self, drawn: Drawn, box: Box | None) -> Drawn:
        return drawn if box is None else drawn._replace(crop=box)

    @abstractmethod
    def draw(self, height: int, width: int, generator: np.random.Generator, view: str = "query") -> Drawn:
        """One set of parameters for a frame of this size; always the same number of draws, whatever is switched on."""

    def sized(self, frames: Tensor, drawn: Drawn) -> Tensor:
        """``[T, 3, H, W]`` uint8 to ``[T, 3, size, size]`` uint8: what of a draw is done on uint8."""
        return crop_and_flip(frames, drawn.crop, drawn.flip, self.size)
