"""What the trials of a search share, as plain data that travels to any process.

Imports little: Train's controllers read it and compute nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.engine.cell_job import CellJob
from raysl.results import Store


@dataclass(frozen=True)
class Scoring:
    """How a trial is judged while it trains.

    Attributes:
        data: labelled set. knn: `OnlineKnnOptions` as plain values. reports: scores over a trial's length.
    """

    data: Chosen
    knn: dict[str, Any]
    reports: int


@dataclass(frozen=True)
class SearchWork:
    """What all trials of a search share; can be pickled.

    Attributes:
        title: of the study. store: that trials are trained in. data_hash: of the data they train on.
        manifests: key of each data set to the hash of its manifest in the store.
        workers: DDP workers of a trial.
    """

    title: str
    store: Store
    places: Places
    scoring: Scoring
    data_hash: str
    manifests: dict[str, str]
    workers: int

    def job(self, cell: str, config: dict[str, Any], number: int) -> CellJob:
        return CellJob(
            id=cell,
            title=f"{self.title}/trial{number}",
            cell=config,
            data_hash=self.data_hash,
            store=self.store,
            places=self.places,
            evaluations=(),
            manifests=self.manifests,
            pretrained=False,
        )
