"""Options of the nearest-neighbour score of a backbone while it trains."""

from __future__ import annotations

from raysl.config.options import NO_UNIT, Options, option


class OnlineKnnOptions(Options):
    """Weighted k-nearest-neighbour vote of InstDisc (Wu et al. 2018, section 3.4)."""

    neighbors: int = option(
        20,
        doc="k, videos that vote; all of them if there are fewer",
        unit="videos",
        source="ours; printed: InstDisc 200 on ImageNet",
        ge=1,
        le=10**8,
    )
    temperature: float = option(
        0.07,
        doc="a neighbour of cosine similarity s votes with weight exp(s / temperature)",
        unit=NO_UNIT,
        source="printed: InstDisc",
        gt=0,
        le=100,
    )
    max_videos: int = option(
        2000,
        doc="labelled training videos to use, spread evenly over the catalog",
        unit="videos",
        source="ours",
        ge=2,
        le=10**8,
    )
