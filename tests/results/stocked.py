"""Stores that hold one cell in every state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from raysl.config.cells import Cell
from raysl.config.identity import evaluation_id
from raysl.data.snapshot import DataHashes, data_key
from raysl.results import CellFolder, Shelf, Store
from tests.cells import tiny_cell, tiny_evaluation
from tests.data.test_snapshot import snapshot_of, with_row

PREDICTIONS = pd.DataFrame({"video": [0], "path": ["a"], "label": [0], "correct": [True]})
CELL = Cell(tiny_cell(), (tiny_evaluation("linear"), tiny_evaluation("retrieval")), "study", "row")
HERE, THERE = snapshot_of().hashes, with_row(0, fingerprint="other")(snapshot_of()).hashes


@dataclass(frozen=True)
class Stocked:
    """A store, and the cell that is put into it.

    Attributes:
        here, there: hashes of its data set as it is now, and as it was for results on other data.
    """

    store: Store
    cell: Cell = CELL
    here: DataHashes = HERE
    there: DataHashes = THERE

    def shelf(self, hashes: DataHashes | None) -> Shelf:
        return Shelf(self.store, {} if hashes is None else {data_key(self.cell.config.data): hashes})

    def on_other_data(self) -> Stocked:
        return replace(self, here=self.there)

    def of(self, cell: Cell) -> Stocked:
        return replace(self, cell=cell)

    def begun(self) -> CellFolder:
        folder = self.shelf(self.here).folder(self.cell)
        folder.write_config({"training": {"seed": 0}})
        videos = {"train": 2, "test": 2}
        folder.write_provenance({"data": {"name": "synthetic", "snapshot": self.here.snapshot, "videos": videos}})
        return folder

    def finished(self) -> CellFolder:
        folder = self.begun()
        folder.mark_done(folder.start_attempt(), {})
        return folder

    def name(self, position: int) -> str:
        """Of one of the cell's evaluations in the store."""
        return f"{evaluation_id(self.cell.evaluations[position])}-{self.here.evaluated}"

    def evaluated(self, first: int = 2) -> CellFolder:
        """Finished, with the first of its evaluations."""
        folder = self.finished()
        for position, evaluation in enumerate(self.cell.evaluations[:first]):
            record = {"label": evaluation.label, "headline": "top1", "metrics": {"top1": 50.0, "R@1": 50.0}}
            folder.save_evaluation(self.name(position), record, PREDICTIONS)
        return folder


def missing(stocked: Stocked) -> None:
    pass


def running(stocked: Stocked) -> None:
    stocked.begun().start_attempt()


def interrupted(stocked: Stocked) -> None:
    stocked.begun().start_attempt().end()


def broken(stocked: Stocked) -> None:
    stocked.evaluated().place.write("done.json", b"{")


def failed(stocked: Stocked) -> None:
    stocked.begun().mark_failed("the loss is nan", {})


def done(stocked: Stocked) -> None:
    stocked.evaluated()


def lacks_an_evaluation(stocked: Stocked) -> None:
    stocked.evaluated(1)


def failed_evaluation(stocked: Stocked) -> None:
    stocked.evaluated().fail_evaluation(stocked.name(1), "one class", {})


def elsewhere(stocked: Stocked) -> None:
    stocked.on_other_data().evaluated()


def two_data_sets(stocked: Stocked) -> None:
    done(stocked)
    elsewhere(stocked)


def fault(stocked: Stocked) -> None:
    stocked.begun().note_fault("pretraining", 0, {"reason": "no root was given", "traceback": ""})


STATES: dict[Callable[[Stocked], None], tuple[str, str, str]] = {
    missing: ("missing", "missing", ""),
    running: ("missing", "running", ""),
    interrupted: ("missing", "interrupted", ""),
    broken: ("missing", "broken", "cells/"),
    failed: ("failed", "failed", "the loss is nan"),
    done: ("done", "done", ""),
    lacks_an_evaluation: ("missing", "done", ""),
    failed_evaluation: ("failed", "done", "evaluation retrieval/synthetic: one class"),
    elsewhere: ("missing", "missing", "on other data: done as"),
    two_data_sets: ("done", "done", ""),
    fault: ("missing", "missing", "no root was given"),
}
"""What fills a store, with verdict, state of the backbone, and how the reason begins."""
