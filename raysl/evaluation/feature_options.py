"""The options that all protocols on frozen features share."""

from __future__ import annotations

from raysl.config.options import Options, option


class FeatureOptions(Options):
    """How the features of a video are made; evaluations that agree in these share one extraction.

    ``version`` here enters the id of every evaluation on features: raise it when extraction computes something else.
    """

    clips: int = option(
        5,
        doc="clips of a video whose features are averaged, spread evenly over its length",
        unit="clips",
        source="[P] SSTL 5; TaCo, TCLR, CSTP 10",
        ge=1,
        le=100,
    )
