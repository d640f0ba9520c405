"""Run, status, report, export and ``python -m raysl.training`` over stores in every state: one answer."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
import yaml

from raysl import results
from raysl.commands.export import export_slim
from raysl.commands.inputs import Planned, load_studies
from raysl.commands.report import write_reports
from raysl.commands.status import print_status
from raysl.commands.terminal import PlainConsole
from raysl.config.component import Chosen
from raysl.config.identity import resolved
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot
from raysl.data.source import open_source
from raysl.results import Store, StoredCell
from raysl.training.__main__ import main as train
from raysl.work.events import CellProgress, OnEvent
from raysl.work.order import Order
from raysl.work.run_cells import run_cells
from raysl.work.site import Site
from tests.planning.studies import write_study
from tests.results.stocked import STATES, THERE, Stocked

STUDY = """
title: "One answer"
base: recipe
training: {steps: 1}
rows: {plain: {}}
seeds: [0]
evaluations: [linear/synthetic, retrieval/synthetic]
"""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places({}, tmp_path_factory.mktemp("one-answer"), cache_gigabytes=0.1)


class Reads:
    """A backend that reads the data and computes nothing."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.reports: dict[str, CellProgress] = {}
        self.tasks: list[StoredCell] = []

    def read(self, data: Chosen, resize: int, on_event: OnEvent) -> Snapshot:
        return open_source(data, self.places, resize=resize).snapshot

    def waiting(self, tasks: Sequence[StoredCell]) -> str:
        return ""

    def at_once(self, tasks: Sequence[StoredCell]) -> int:
        return 1

    def compute(self, tasks: Sequence[StoredCell], site: Site, changed: Callable[[], None], order: Order) -> None:
        self.tasks = list(tasks)


@pytest.fixture(params=STATES, ids=lambda fill: fill.__name__)
def fill(request: pytest.FixtureRequest) -> Callable[[Stocked], None]:
    chosen: Callable[[Stocked], None] = request.param
    return chosen


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    (one,) = load_studies([write_study(tmp_path, STUDY)], None, [])
    return one


@pytest.fixture
def stocked(fill: Callable[[Stocked], None], planned: Planned, places: Places, tmp_path: Path) -> Stocked:
    (cell,) = planned.cells
    here = open_source(cell.config.data, places, resize=cell.config.clip.resize).snapshot
    store = results.open(tmp_path / "store")
    store.save_snapshot(here)
    stocked = Stocked(store, cell, here.hashes, THERE)
    fill(stocked)
    return stocked


def test_all_find_what_the_shelf_finds(
    fill: Callable[[Stocked], None], stocked: Stocked, planned: Planned, places: Places, tmp_path: Path
) -> None:
    verdict, status, reason = STATES[fill]
    shelf = stocked.shelf(stocked.here)

    text = PlainConsole(file=io.StringIO(), width=400)
    print_status([planned], shelf, text)
    shown = text.file.getvalue()  # type: ignore[attr-defined]
    assert f"1 {status}\n" in shown
    assert reason.removeprefix("evaluation ").split(":")[0] in shown

    quiet = PlainConsole(file=io.StringIO())
    write_reports([planned], shelf, str(tmp_path / "store"), tmp_path / "reports", quiet, ("md", "csv"))
    table = pd.read_csv(tmp_path / "reports/study/table.csv", dtype=str, keep_default_na=False)
    complete = set(table["n"]) == {"1"}
    assert complete == (verdict == "done")
    holes = " ".join(table["holes"])
    if status != "done":
        assert f"seed 0: {status}" in holes
    assert reason.split(": ")[-1] in holes

    export_slim([planned], shelf, tmp_path / "slim", PlainConsole(file=io.StringIO()))
    copied = [folder.name for folder in results.open(tmp_path / "slim").cells()]
    assert copied == ([] if status in ("missing", "broken") else [shelf.folder(stocked.cell).name])

    backend = Reads(places)
    outcome = run_cells(planned.cells, stocked.store, places, backend)
    title = stocked.cell.title
    assert [task.cell.title for task in backend.tasks] == ([title] if verdict == "missing" else [])
    assert (title in outcome.done, title in outcome.failed, title in outcome.missing) == (
        verdict == "done",
        verdict == "failed",
        verdict == "missing",
    )
    if verdict == "failed":
        assert outcome.failed[title].startswith(reason)


@pytest.mark.slow
def test_training_by_itself_looks_at_the_same_folder(
    fill: Callable[[Stocked], None],
    stocked: Stocked,
    places: Places,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "cell.yaml"
    file.write_text(yaml.safe_dump(resolved(stocked.cell.config)))
    before = _attempts(stocked.store)
    assert train([str(file), "--storage", str(tmp_path / "store"), "--cache", str(places.cache)]) == 0
    folder = stocked.shelf(stocked.here).folder(stocked.cell)
    was_done = STATES[fill][1] == "done"
    assert re.search(rf"cell {folder.name}( is)?:? done", capsys.readouterr().out)
    assert folder.state().status == "done"
    after = _attempts(stocked.store)
    assert {name for name in after if after[name] != before.get(name)} == (set() if was_done else {folder.name})


def _attempts(store: Store) -> dict[str, int]:
    return {folder.name: len(folder.attempts()) for folder in store.cells()}
