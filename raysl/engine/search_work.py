"""The computing of one trial of a search, in this process or on every rank of a process group; knows nothing of Ray."""

from __future__ import annotations

from collections.abc import Callable

from raysl.data.source import VideoSource
from raysl.engine.cell_job import CellJob
from raysl.engine.cell_work import open_data, pretrain_cell
from raysl.engine.search_job import Scoring
from raysl.errors import DataError
from raysl.evaluation.agreement import on_every_rank
from raysl.evaluation.online_knn import OnlineKnnOptions, online_knn
from raysl.models.backbone import Backbone
from raysl.training.backbone import load_backbone
from raysl.training.precision import choose_device, resolve_precision
from raysl.training.probe import Probe

Tell = Callable[[int, float], None]
"""Takes the number of a report, from 1, and its score in percent; called on every rank."""


def run_trial(job: CellJob, scoring: Scoring, tell: Tell) -> str | None:
    """Trains the trial's cell from its newest checkpoint to its end, and tells each score. Collective.

    Returns:
        Why it failed, on every rank, where that is deterministic; else None.

    Raises:
        StorageError: the store cannot be read or written.
    """
    told: list[int] = []
    try:
        source = on_every_rank(lambda: open_data(job, scoring.data))
    except DataError as error:
        return str(error)

    def look(backbone: Backbone, number: int) -> None:
        told.append(number)
        tell(number, _score(job, scoring, source, backbone))

    failure = pretrain_cell(job, probe=Probe(scoring.reports, look))
    if failure is None and scoring.reports not in told:
        # Its last report was lost with a process that had trained to the end.
        look(on_every_rank(lambda: load_backbone(job.config, job.folder)).to(choose_device()), scoring.reports)
    return failure


def _score(job: CellJob, scoring: Scoring, source: VideoSource, backbone: Backbone) -> float:
    device = choose_device()
    precision = resolve_precision(job.config.training.precision, device)
    options = OnlineKnnOptions(**scoring.knn)
    return online_knn(backbone, source, job.config.clip, options, device=device, precision=precision)
