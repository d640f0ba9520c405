"""Protocols that read a frozen backbone clip by clip; others read means over clips."""

from __future__ import annotations

from raysl.config.options import Options, option
from raysl.evaluation.protocol import Protocol


class PerClipOptions(Options):
    """Base of the options of these protocols.

    ``version`` here enters the id of every such evaluation: raise it when their clips or features are computed
    differently.
    """

    clips: int = option(
        5,
        doc="clips of a video, spread evenly over its length",
        unit="clips",
        source="ours; printed: SSTL Figure 2: 40",
        ge=2,
        le=100,
    )


class PerClipProtocol(Protocol):
    """Base of these protocols; their options extend ``PerClipOptions``."""

    reads = "clips"
