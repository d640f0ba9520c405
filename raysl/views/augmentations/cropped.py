"""Base of the cropping augmentations: a random resized crop and a flip, drawn once per clip or once per frame."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, Literal, Protocol, Self, TypeVar

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from raysl.config.options import option
from raysl.views.augmentation import AugmentationOptions, Box, Cropped, TwoStepAugmentation
from raysl.views.pixel_operations import crop_and_flip


class CropOptions(AugmentationOptions):
    """Sizes of the crop, the flip, and whether all frames share a draw."""

    crop: Literal["resized", "whole"] = option(
        "resized",
        doc="resized: of drawn area and aspect, resized to clip.size; whole: the largest square, of the short side, "
        "which reads neither",
        source="printed: CVRL Algorithm 1; SSTL 4.2: whole",
    )
    min_area: float = option(
        0.3, doc="smallest area of a crop", unit="share of the frame", source="printed: CVRL Algorithm 1", gt=0, le=1
    )
    max_area: float = option(
        1.0, doc="largest area of a crop", unit="share of the frame", source="printed: CVRL Algorithm 1", gt=0, le=1
    )
    min_aspect: float = option(
        0.5,
        doc="narrowest crop, width by height; between the two uniform",
        unit="width / height",
        source="printed: CVRL Algorithm 1",
        gt=0,
        le=10,
    )
    max_aspect: float = option(
        2.0, doc="widest crop, width by height", unit="width / height", source="printed: CVRL Algorithm 1", gt=0, le=10
    )
    flip: float = option(
        0.5, doc="probability of a horizontal flip", unit="probability", source="printed: CVRL Algorithm 1", ge=0, le=1
    )
    temporally_consistent: bool = option(
        True,
        doc="one draw for all frames of a clip; false: a separate draw for every frame",
        source="printed: CVRL 7.3, Table 9",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_area > self.max_area:
            raise ValueError(f"min_area {self.min_area} is larger than max_area {self.max_area}")
        if self.min_aspect > self.max_aspect:
            raise ValueError(f"min_aspect {self.min_aspect} is larger than max_aspect {self.max_aspect}")
        return self


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
