"""Random resized crop, flip, colour jitter and grey, by default one draw for all frames of a clip (CVRL 7.3)."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions
from raysl.views.augmentation import Augmentation, Augmented
from raysl.views.pixel_operations import Jitter, Parameters, apply
from raysl.views.random_crop import draw_crop


class StandardOptions(Options):
    """Strengths; zero switches an operation off. Its draw is still made, so the others do not move."""

    min_area: float = option(
        0.3, doc="smallest crop", unit="share of the frame", source="[P] CVRL Algorithm 1", gt=0, le=1
    )
    max_area: float = option(
        1.0, doc="largest crop", unit="share of the frame", source="[P] CVRL Algorithm 1", gt=0, le=1
    )
    min_aspect: float = option(
        0.5,
        doc="narrowest crop, width by height; between the two log-uniform",
        source="[P] CVRL Algorithm 1; log-uniform: [C] torchvision",
        gt=0,
        le=10,
    )
    max_aspect: float = option(2.0, doc="widest crop, width by height", source="[P] CVRL Algorithm 1", gt=0, le=10)
    flip: float = option(0.5, doc="probability of a horizontal flip", source="[P] CVRL Algorithm 1", ge=0, le=1)
    jitter: float = option(0.8, doc="probability of colour jitter", source="[P] CVRL Algorithm 1", ge=0, le=1)
    brightness: float = option(0.8, doc="factor drawn from 1 - x to 1 + x, at least 0", source="[C] CVRL", ge=0, le=10)
    contrast: float = option(
        0.8,
        doc="factor drawn from 1 - x to 1 + x, at least 0; about each frame's mean grey",
        source="[C] CVRL",
        ge=0,
        le=10,
    )
    saturation: float = option(0.8, doc="factor drawn from 1 - x to 1 + x, at least 0", source="[C] CVRL", ge=0, le=10)
    hue: float = option(
        0.2, doc="hue shift drawn from -x to x", unit="turns of the circle", source="[C] CVRL", ge=0, le=0.5
    )
    grey: float = option(0.2, doc="probability of a grey clip", source="[P] CVRL Algorithm 1", ge=0, le=1)
    temporally_consistent: bool = option(
        True,
        doc="one draw for all frames of a clip; false: every frame draws its own parameters",
        source="[P] CVRL 7.3, Table 9",
    )

    @model_validator(mode="after")
    def _ordered(self) -> StandardOptions:
        if self.min_area > self.max_area:
            raise ValueError(f"min_area {self.min_area} is larger than max_area {self.max_area}")
        if self.min_aspect > self.max_aspect:
            raise ValueError(f"min_aspect {self.min_aspect} is larger than max_aspect {self.max_aspect}")
        return self


class StandardAugmentation(Augmentation):
    """Crop and resize on uint8 (bilinear, antialiased), flip, then jitter in random order and grey on float."""

    def __init__(self, options: StandardOptions, clip: ClipOptions) -> None:
        self.options = options
        self.size = clip.size

    def __call__(self, frames: Tensor, generator: np.random.Generator) -> Augmented:
        """As the base class says. Without temporal consistency the box is the mean of the frames' boxes."""
        height, width = frames.shape[-2:]
        if self.options.temporally_consistent:
            drawn = [self.draw(height, width, generator)]
            pixels = apply(frames, drawn[0], self.size)
        else:
            drawn = [self.draw(height, width, generator) for _ in range(frames.shape[0])]
            parts = [apply(frame[None], own, self.size) for frame, own in zip(frames, drawn, strict=True)]
            pixels = torch.cat(parts)
        top, left, box_height, box_width = np.mean([own.crop for own in drawn], axis=0)
        box = (float(top / height), float(left / width), float(box_height / height), float(box_width / width))
        return Augmented(pixels.transpose(0, 1), box)

    def draw(self, height: int, width: int, generator: np.random.Generator) -> Parameters:
        """One set of parameters for a frame of this size; always the same number of draws, whatever is switched on."""
        o = self.options
        crop = draw_crop(height, width, (o.min_area, o.max_area), (o.min_aspect, o.max_aspect), generator)
        flip, jittered, grey = (generator.random(3) < (o.flip, o.jitter, o.grey)).tolist()
        order = generator.permutation(4)
        at = generator.random(4)
        jitter: list[Jitter] = []
        for i in order if jittered else ():
            name, strength = (
                ("brightness", o.brightness),
                ("contrast", o.contrast),
                ("saturation", o.saturation),
                ("hue", o.hue),
            )[i]
            if strength > 0:
                low, high = (-strength, strength) if name == "hue" else (max(0.0, 1.0 - strength), 1.0 + strength)
                jitter.append(Jitter(name, float(low + (high - low) * at[i])))
        return Parameters(crop, flip, tuple(jitter), grey)


def build(options: StandardOptions, clip: ClipOptions) -> StandardAugmentation:
    return StandardAugmentation(options, clip)


COMPONENT = Component(kind="augmentation", options=StandardOptions, build=build)
