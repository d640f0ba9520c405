"""Options of the test of a classifier that the cell's training has."""

from __future__ import annotations

from typing import Literal

from raysl.config.options import option
from raysl.evaluation.clip_options import ReadOptions
from raysl.evaluation.network_protocol import NetworkOptions


class ClassifierOptions(NetworkOptions, ReadOptions):
    """Options of testing a trained classifier."""

    clips: int = option(
        10,
        doc="clips of a test video whose scores are averaged, spread evenly over its length",
        unit="clips",
        source="printed: TaCo, TCLR, CSTP, CVRL 10; SSTL 5",
        ge=1,
        le=100,
    )

    average: Literal["softmax", "logits"] = option(
        "softmax",
        doc="what is averaged over the clips of a test video",
        source="printed: TaCo, TCLR, SSTL; code: CSTP logits",
    )
