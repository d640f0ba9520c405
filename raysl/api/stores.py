"""A results store, its cells and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from raysl.api.studies import Study
from raysl.commands.cell_results import CellResults, cell_results
from raysl.results import Store as ResultsStore
from raysl.results import Title
from raysl.results import open as open_results


@dataclass(frozen=True)
class Store:
    """A results store, as `open_store` gives it.

    Attributes:
        results: what the layers below know of it.
    """

    results: ResultsStore

    def cells(self) -> list[CellResults]:
        """Every cell, whatever its state, sorted by name.

        Raises:
            StorageError: the store cannot be read.
        """
        return [
            CellResults(folder, self._titles.get(folder.name.partition("-")[0], ())) for folder in self.results.cells()
        ]

    def cell(self, name: str, *, seed: int | None = None, study: Study | str | None = None) -> CellResults:
        """One cell, by its id or a beginning of its folder's name, by its title, or by row, seed and study.

        Args:
            name: ``3f2a``, ``3f2a91c07d5e-1a2b3c4d``, ``quickstart/SimCLR/seed0``; with ``seed`` the name of a row.
            seed: of the row.
            study: a loaded study, or the name of one that was run on this store; None: any of them.

        Raises:
            ConfigError: there is no such cell, or there are several; the message names them.
            StorageError: the store cannot be read.
        """
        text = name if seed is None else f"{name}/seed{seed}"
        planned = [study.planned] if isinstance(study, Study) else []
        if isinstance(study, str):
            text = f"{study}/{text}"
        return cell_results(self.results, text, planned)

    def frame(self, study: Study | str | None = None) -> pd.DataFrame:
        """Cells x evaluations, a line for each row of a study that a cell belongs to.

        Args:
            study: these rows alone; None: all, and the cells of which no run has kept a title.

        Returns:
            First the columns ``study``, ``row``, ``seed``, ``scale``, ``cell``, ``evaluation.label`` and the metrics
            (``metric.top1``, percent), then those of `raysl.results.Store.frame`: status, every field of the
            configuration, summary, the record of the evaluation.
        """
        frame = self.results.frame()
        lines = [self._titles.get(str(name).partition("-")[0], ()) for name in frame["cell"]]
        if isinstance(study, str):
            lines = [tuple(one for one in titles if one.study == study) for titles in lines]
        elif study is not None:
            wanted = {cell.id: Title(cell.study, cell.row, cell.seed, study.scale, cell.title) for cell in study.cells}
            ids = [str(name).partition("-")[0] for name in frame["cell"]]
            lines = [(wanted[id],) if id in wanted else () for id in ids]
        exploded = [
            (position, title)
            for position, titles in enumerate(lines)
            for title in (titles or ((None,) if study is None else ()))
        ]
        rows = frame.iloc[[position for position, _ in exploded]].reset_index(drop=True)
        for place, name in enumerate(("study", "row", "seed", "scale")):
            rows.insert(place, name, [None if title is None else getattr(title, name) for _, title in exploded])
        first = ["study", "row", "seed", "scale", "cell", "evaluation.label"]
        first += [name for name in rows.columns if str(name).startswith("metric.")]
        first = [name for name in first if name in rows.columns]
        return rows[[*first, *(name for name in rows.columns if name not in first)]]

    @cached_property
    def _titles(self) -> Mapping[str, tuple[Title, ...]]:
        return self.results.titles()

    def __str__(self) -> str:
        return f"results store {self.results.place.shown}"


def open_store(storage: str | Path = "results") -> Store:
    """Opens a results store. What was computed by any run, on this machine or another, is read from there.

    Args:
        storage: a folder, ``s3://bucket/path`` or ``gs://bucket/path``.

    Raises:
        StorageError: the address is not understood.

    Example:
        >>> store = raysl.open_store("results")
        >>> store.frame(study)[["row", "seed", "evaluation.label"]].shape
        (6, 3)
        >>> cell = store.cell("SimCLR", seed=0, study=study)
        >>> cell.title, cell.status, list(cell.metrics)
        ('quickstart/SimCLR/seed0', 'done', ['linear/smoke-synthetic'])
        >>> store.cell(cell.id).name == cell.name
        True
    """
    return Store(open_results(storage))
