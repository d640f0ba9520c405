"""The options that all protocols which train the network share."""

from __future__ import annotations

from raysl.config.options import Options, option


class TrainedOptions(Options):
    """How a video is tested. An evaluation with such options trains, on as many workers as the cell does.

    ``version`` here enters the id of every such evaluation: raise it when their training or test computes something
    else.
    """

    clips: int = option(
        10,
        doc="clips of a test video whose scores are averaged, spread evenly over its length",
        unit="clips",
        source="[P] TaCo, TCLR, CSTP, CVRL 10; SSTL 5",
        ge=1,
        le=100,
    )
