"""The computing of one trial of a search, in this process or on every rank of a process group."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.data.source import VideoSource
from raysl.distributed import on_every_rank, rank
from raysl.evaluation.online_knn import online_knn
from raysl.evaluation.online_knn_options import OnlineKnnOptions
from raysl.models.backbone import Backbone
from raysl.training.load_backbone import load_backbone
from raysl.training.precision import choose_device, resolve_precision
from raysl.training.probe import Probe
from raysl.work.claims import claimed
from raysl.work.compute import PRETRAINING, noted_faults, pretrain_cell
from raysl.work.site import Site

OnScore = Callable[[int, float], None]
"""Takes the number of a report, from 1, and its score in percent; called on every rank."""


@dataclass(frozen=True)
class Scoring:
    """How a trial is scored while it trains.

    Attributes:
        data: labelled set.
        knn: the score.
        reports: scores over a trial's length.
    """

    data: Chosen
    knn: OnlineKnnOptions
    reports: int


def run_trial(cell: Cell, site: Site, scoring: Scoring, on_score: OnScore) -> str | None:
    """Trains the trial's cell from its newest checkpoint to its end, and passes on each score. Collective.

    Args:
        site: its store is the search's own.

    Returns:
        Why it failed, on every rank, where the configuration itself determines that; else None.

    Raises:
        ClaimedError: another run trains it.
        NodeFault, StorageError: as `pretrain_cell`.
    """
    with ExitStack() as stack:
        claim = claimed(site.store, site.folder(cell).name, site.run)
        on_every_rank(lambda: stack.enter_context(claim) if rank() == 0 else None)
        return _run_trial(cell, site, scoring, on_score)


def _run_trial(cell: Cell, site: Site, scoring: Scoring, on_score: OnScore) -> str | None:
    scored: list[int] = []
    with noted_faults(site.folder(cell), PRETRAINING, site):
        source = on_every_rank(lambda: site.open(scoring.data, cell.config.clip.resize))

    def look(backbone: Backbone, number: int) -> None:
        scored.append(number)
        on_score(number, _score(cell, scoring, source, backbone))

    failure = pretrain_cell(cell, site, probe=Probe(scoring.reports, look))
    if failure is None and scoring.reports not in scored:
        # Its last report was lost with a process that had finished training.
        backbone = on_every_rank(lambda: load_backbone(cell.config, site.folder(cell)))
        look(backbone.to(choose_device()), scoring.reports)
    return failure


def _score(cell: Cell, scoring: Scoring, source: VideoSource, backbone: Backbone) -> float:
    device = choose_device()
    precision = resolve_precision(cell.config.training.precision, device)
    return online_knn(backbone, source, cell.config.clip, scoring.knn, device=device, precision=precision)
