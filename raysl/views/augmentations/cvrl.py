"""CVRL's augmentation (Algorithm 1): crop, flip, colour jitter, grey and Gaussian blur, one draw for all frames.

Where the code departs from the paper: its two views differ, the pair of BYOL (the first always blurred; the second
blurred with probability 0.1 and solarised with 0.2). The paper's is the default, ``asymmetric`` the code's. Its
contrast is about each channel's mean over the clip and its blur pads with zeros; here, as in torchvision, contrast is
about each frame's mean grey, and the blur mirrors the frame at its edges, which leaves no black margin.
"""

from __future__ import annotations

from pydantic import model_validator

from raysl.config.component import Component, later
from raysl.config.options import NO_UNIT, option
from raysl.views.augmentation_options import ColorOptions

QUERY, KEY = (1.0, 0.0), (0.1, 0.2)
"""Probabilities of blur and of solarising in the code's pair (BYOL, Grill et al. 2020, Table 6)."""


class CvrlOptions(ColorOptions):
    """Strengths and probabilities; zero switches an operation off. Its draw is still made, so the others do not move.

    The blur has ``size // 10`` taps, made odd, at least 3: 23 at 224 pixels.
    """

    blur: float = option(
        1.0, doc="probability of Gaussian blur", unit="probability", source="printed: CVRL Algorithm 1", ge=0, le=1
    )
    min_sigma: float = option(
        0.1, doc="smallest standard deviation of the blur", unit="pixels", source="code: CVRL", gt=0, le=20
    )
    max_sigma: float = option(
        2.0, doc="largest standard deviation of the blur", unit="pixels", source="code: CVRL", gt=0, le=20
    )
    solarise: float = option(
        0.0,
        doc="probability that values from `solarise_threshold` on are inverted",
        unit="probability",
        source="printed: CVRL Algorithm 1 has none",
        ge=0,
        le=1,
    )
    solarise_threshold: float = option(
        0.5, doc="values from this on are inverted by solarising", unit=NO_UNIT, source="code: CVRL", ge=0, le=1
    )
    asymmetric: bool = option(
        False,
        doc="blur and solarise as CVRL's code: query 1.0 and 0.0, key 0.1 and 0.2; any other view as the query",
        source="printed: CVRL Algorithm 1; code: true: CVRL",
    )

    @model_validator(mode="after")
    def _combined(self) -> CvrlOptions:
        if self.min_sigma > self.max_sigma:
            raise ValueError(f"min_sigma {self.min_sigma} is larger than max_sigma {self.max_sigma}")
        if self.asymmetric and (self.blur, self.solarise) != QUERY:
            raise ValueError(
                f"asymmetric: true sets both probabilities; remove blur {self.blur} and solarise {self.solarise}"
            )
        return self


COMPONENT = Component(
    kind="augmentation",
    options=CvrlOptions,
    build=later("raysl.views.augmentations.cvrl_augmentation", "build"),
    keeps_boxes=lambda options: options.temporally_consistent,
)
