"""The key ``search`` of a study."""

from __future__ import annotations

from raysl.config.options import NO_UNIT, Options, option
from raysl.evaluation.online_knn_options import OnlineKnnOptions


class SearchOptions(Options):
    """The key ``search`` of a study with ``design: search``."""

    trials: int = option(24, doc="configurations tried", unit="trials", source="ours", ge=1, le=10**6, identity=False)
    length: float = option(
        0.25,
        doc="length of a trial, as a share of the full one; warm-up and milestones follow",
        unit="share",
        source="ours",
        gt=0,
        le=1,
    )
    reports: int = option(
        8, doc="scores of a trial over its length, evenly spaced", unit="reports", source="ours", ge=1, le=1000
    )
    grace_reports: int = option(
        1, doc="reports before a trial may be stopped", unit="reports", source="ours: as Ray Tune's ASHA", ge=1, le=1000
    )
    reduction_factor: int = option(
        3,
        doc="at each rung of ASHA one of this many trials continues",
        unit=NO_UNIT,
        source="ours; printed: Li et al. 2020: 4",
        ge=2,
        le=100,
    )
    random_trials: int = option(
        8,
        doc="random trials before the tree-structured Parzen estimator suggests",
        unit="trials",
        source="ours; Optuna 10",
        ge=1,
        le=10**6,
    )
    seed: int = option(
        1000,
        doc="seed of the trials and of the suggestions; none of `seeds`, so that the best are trained on fresh ones",
        unit=NO_UNIT,
        source="ours",
        ge=0,
        le=2**31 - 1,
    )
    best: int = option(
        3,
        doc="configurations trained again at full length",
        unit="configurations",
        source="ours",
        ge=1,
        le=1000,
        identity=False,
    )
    data: str | None = option(
        None, doc="labelled data set for scores (its training split); null: the study's own", source="ours"
    )
    knn: OnlineKnnOptions = option(
        OnlineKnnOptions(), doc="the vote of neighbours that gives a trial its score", source="see its fields"
    )
