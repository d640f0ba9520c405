"""Whole runs in this process, without Ray: rows of every kind, two roots in one study, folds, changed data."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raysl import results
from raysl.commands.inputs import Planned, load_studies, shelf_of
from raysl.commands.report import write_reports
from raysl.commands.run import run_studies
from raysl.commands.status import print_status
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell, unique_cells
from raysl.config.identity import resolved
from raysl.data.places import Places
from raysl.errors import ConfigError
from raysl.planning.trivial import TRIVIAL
from raysl.results import Shelf, Store
from raysl.views.batch import Batch
from raysl.work.events import Event, Note, Overview
from raysl.work.here import Here
from raysl.work.run_cells import RunOptions, RunOutcome, run_cells
from tests.data.rendered import moving_square, write_video
from tests.planning.studies import SMALL_RECIPE, write_study
from tests.work.plans import plan

pytestmark = pytest.mark.slow

SHORT = "training: {steps: 1, batch_size: 4}\n"
TWO = f"""
title: "Pretrain on one folder, evaluate on another"
base: recipe
{SHORT}
datasets: {{first: {{name: folder}}, second: {{name: folder}}}}
data: first
rows: {{first: {{}}, second: {{data: second}}, random: {{pretraining: none}}}}
seeds: [0]
evaluations: [retrieval/second]
"""
FOLDS = f"""
title: "Three folds"
base: recipe
{SHORT}
datasets: {{mine: {{name: folder, split: folds, folds: 3}}}}
data: mine
rows: {{plain: {{}}, random: {{pretraining: none}}}}
baseline: random
seeds: [0]
evaluations: [retrieval/mine]
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return results.open(tmp_path / "store")


def videos(root: Path, names: Iterable[str], seed: int = 0, count: int = 6) -> Path:
    """A class folder for each name, every video with other pixels."""
    for label, name in enumerate(names):
        for number in range(count):
            write_video(root / name / f"{number}.mp4", moving_square(16, 40, 48, seed=seed + 10 * label + number))
    return root


def compute(
    cells: Iterable[Cell], store: Store, places: Places, events: list[Event] | None = None, retry_failed: bool = False
) -> RunOutcome:
    events = [] if events is None else events
    cells = unique_cells(cells)
    return run_cells(cells, store, places, Here(places), retry_failed=retry_failed, on_event=events.append)


def curves(shelf: Shelf, cell: Cell) -> pd.DataFrame:
    folder = shelf.find(cell).folder
    assert folder is not None
    kept = folder.curves()
    assert kept is not None
    return kept[[name for name in kept if not str(name).startswith("time/")]]


def table(planned: Planned, store: Store, outcome: RunOutcome, reports: Path) -> pd.DataFrame:
    shelf = Shelf(store, outcome.data)
    write_reports([planned], shelf, store.place.root, reports, PlainConsole(file=io.StringIO()), ("md", "csv"))
    return pd.read_csv(reports / planned.study.name / "table.csv", keep_default_na=False)


def test_rows_end_as_they_must_and_none_keeps_another_from_ending(tmp_path: Path, store: Store, places: Places) -> None:
    nan = "{objective.contrastive: {framework: tests.training.failing_simclr, temperature: 0.1, step: 2}}"
    rows = {
        "random": "{pretraining: none}",
        "one": "{training.steps: 2}",
        "nan": nan,
        "no root": "{data: {name: folder}}",
    }
    cells, events = plan(tmp_path, rows), list[Event]()
    first = compute(cells, store, places, events)
    assert first.done == ("tiny/random/seed0", "tiny/one/seed0")
    assert "nan at step 2" in first.failed["tiny/nan/seed0"]
    assert "--root folder=PATH" in first.missing["tiny/no root/seed0"]
    notes = "\n".join(event.text for event in events if isinstance(event, Note))
    assert "tiny/nan/seed0: failed: " in notes
    last = [event for event in events if isinstance(event, Overview)][-1]
    assert (last.done, last.failed, last.stopped, last.total, last.running) == (2, 1, 0, 3, ())

    again = compute(cells, store, places)
    assert again.computed == ()
    assert (again.done, again.failed) == (first.done, first.failed)
    retried = compute(cells, store, places, retry_failed=True)
    assert retried.computed == ("tiny/nan/seed0",)


def test_what_nothing_was_learned_for_stands_below_a_table_on_files(
    tmp_path: Path, store: Store, places: Places
) -> None:
    """Squares that move on black: both say little of the classes, and the table has their numbers all the same."""
    text = f"""
title: "On files"
base: recipe
{SHORT}
data: {{name: folder, test_share: 0.25}}
rows: {{plain: {{}}}}
baseline: plain
seeds: [0]
evaluation: {{linear: {{c: 1.0}}, linear_trained: {{epochs: 1, batch_size: 4}}}}
evaluations: [linear/folder, retrieval/folder, linear_trained/folder]
"""
    at = replace(places, roots={"folder": videos(tmp_path / "videos", ("jump", "swim"), count=8)})
    (planned,) = load_studies([write_study(tmp_path, text, SMALL_RECIPE, trivial=True)], None, [])
    before = table(planned, store, RunOutcome((), {}, {}, ()), tmp_path / "reports")
    outcome = compute(planned.cells, store, at)
    assert outcome.failed == outcome.missing == {}
    after = table(planned, store, outcome, tmp_path / "reports")
    for name in TRIVIAL:
        assert set(before[(before["row"] == name)]["mean"]) == {""}
        found = after[after["row"] == name].set_index("evaluation")["mean"]
        cell = next(cell for cell in planned.cells if cell.row == name)
        for label in ("linear/folder", "retrieval/folder", "linear_trained/folder"):
            shelved = Shelf(store, outcome.data).find(cell)
            (one,) = [one for one in shelved.evaluations if one.config.label == label]
            assert one.record is not None
            assert float(found[label]) == pytest.approx(one.record["metrics"][one.record["headline"]], abs=0.05)
    written = (tmp_path / "reports" / "study" / "table.md").read_text()
    assert "*motion maps, nothing learned*" in written
    assert "motion maps, nothing learned: absolute frame differences" in written
    assert "no result yet" not in written


def test_a_failure_says_how_it_is_computed_again_and_the_option_that_decided_it_does(
    tmp_path: Path, store: Store, places: Places
) -> None:
    """Three of sixteen videos cannot be read, where one percent may be unreadable."""
    root = videos(tmp_path / "videos", ("jump", "swim"), count=8)
    for name in ("jump/1", "swim/3", "swim/5"):
        (root / f"{name}.mp4").write_bytes(b"no video")
    text = f"""
title: "Broken videos"
base: recipe
{SHORT}
data: {{name: folder, test_share: 0.25}}
rows: {{plain: {{}}}}
seeds: [0]
evaluations: [retrieval/folder]
"""
    path, at = write_study(tmp_path, text), replace(places, roots={"folder": root})
    shown = dict[str, str]()

    def run(*given: str) -> str:
        out = io.StringIO()
        planned = load_studies([path], None, list(given))
        ran = run_studies(
            planned, store.place.root, at, tmp_path / "reports", RunOptions(), PlainConsole(file=out), local=True
        )
        status = PlainConsole(file=io.StringIO(), width=400)
        print_status(planned, shelf_of(planned, store.place.root, at), status)
        assert isinstance(status.file, io.StringIO)
        shown.update(run=out.getvalue(), status=status.file.getvalue(), left=str(ran.incomplete))
        return shown["run"]

    assert "training.max_unreadable is 1.0%" in run()
    assert "1 failed" in shown["status"]
    notes = (tmp_path / "reports" / "study" / "table.md").read_text()
    assert all("raysl run --retry-failed computes it again" in text for text in (notes, shown["run"], shown["status"]))
    assert "0 worked on now" in run(), "nothing has changed"

    allowed = "training.max_unreadable=0.5"
    planned = load_studies([path], None, [allowed])
    (found,) = [shelf_of(planned, store.place.root, at).find(cell) for cell in planned[0].cells]
    assert (found.verdict, found.to_train) == ("missing", True)
    assert found.reason.startswith("it failed with training.max_unreadable 0.01, which is 0.5 now: ")
    said = run(allowed)
    assert "which is 0.5 now" in said
    assert "1 cells done (1 worked on now), 0 failed" in said
    assert shown["left"] == "0"
    assert "--retry-failed" not in shown["status"]
    assert "0 worked on now" in run(), "a result is one under any share"


def test_cells_beside_each_other_are_those_of_one_after_the_other(tmp_path: Path, places: Places) -> None:
    rows = {f"{rate}": f"{{training.threads: 1, optimizer.learning_rate.value: {rate}}}" for rate in (0.1, 0.2, 0.3)}
    cells, shelves, events = plan(tmp_path, rows), [], list[Event]()
    for name, processes in (("one", 1), ("two", 2)):
        store = results.open(tmp_path / name)
        outcome = run_cells(cells, store, places, Here(places, processes), on_event=events.append)
        assert outcome.computed == outcome.done == tuple(f"tiny/{row}/seed0" for row in rows)
        shelves.append(Shelf(store, outcome.data))
    assert max(len(event.running) for event in events if isinstance(event, Overview)) == 2
    for cell in cells:
        one, two = (curves(shelf, cell) for shelf in shelves)
        pd.testing.assert_frame_equal(one, two, check_exact=True)
        records = [shelf.find(cell).evaluations[0].record for shelf in shelves]
        assert records[0] is not None
        assert records[1] is not None
        assert records[0]["metrics"] == records[1]["metrics"]


def test_a_process_that_dies_leaves_its_cells_missing_and_the_others_go_on(
    tmp_path: Path, store: Store, places: Places
) -> None:
    kills = "{objective.contrastive: {framework: tests.training.failing_simclr, step: 1, kills: true}}"
    cells = plan(tmp_path, {"dies": kills, "one": "{training.steps: 2}", "two": "{training.steps: 3}"})
    outcome = run_cells(cells, store, places, Here(places, 2))
    assert "died: it may have run out of memory" in outcome.missing["tiny/dies/seed0"]
    assert "tiny/two/seed0" in outcome.done
    again = run_cells([cell for cell in cells if cell.row != "dies"], store, places, Here(places, 2))
    assert again.done == ("tiny/one/seed0", "tiny/two/seed0")


def test_pretrained_on_one_folder_and_evaluated_on_another(tmp_path: Path, store: Store) -> None:
    roots = {
        "first": videos(tmp_path / "a", ("run", "walk")),
        "second": videos(tmp_path / "b", ("jump", "sit"), seed=100),
    }
    places = Places.find(roots, tmp_path / "cache")
    (planned,) = load_studies([write_study(tmp_path, TWO)], None, [])
    assert planned.cells[0].id == planned.cells[1].id, "the name of a root enters no id"
    outcome = compute(planned.cells, store, places)
    assert len(outcome.done) == 3, (outcome.failed, outcome.missing)
    shelf = Shelf(store, outcome.data)
    first, second, _ = (shelf.find(cell) for cell in planned.cells)
    assert first.folder is not None
    assert second.folder is not None
    assert first.folder.name != second.folder.name
    predictions = first.folder.predictions(str(first.evaluations[0].name))
    assert predictions is not None
    assert {path.split("/")[0] for path in predictions["path"]} == {"jump", "sit"}
    provenance = first.folder.provenance()
    assert provenance is not None
    assert provenance["data"]["name"] == "first"


def test_two_names_of_one_folder_are_computed_once(tmp_path: Path, store: Store) -> None:
    here = videos(tmp_path / "a", ("run", "walk"))
    places = Places.find({"first": here, "second": here}, tmp_path / "cache")
    (planned,) = load_studies([write_study(tmp_path, TWO)], None, [])
    outcome = compute(planned.cells, store, places)
    assert len(outcome.done) == 3
    assert len(store.cells()) == 2
    assert [len(folder.attempts()) for folder in store.cells()] == [1, 1]


def test_each_fold_is_a_cell_and_the_table_has_their_mean(tmp_path: Path, store: Store) -> None:
    places = Places.find({"mine": videos(tmp_path / "mine", ("run", "walk"))}, tmp_path / "cache")
    (planned,) = load_studies([write_study(tmp_path, FOLDS)], None, [])
    assert [cell.title for cell in planned.cells][:3] == [f"study/plain/seed0/fold{fold}" for fold in (1, 2, 3)]
    outcome = compute(planned.cells, store, places)
    assert len(outcome.done) == 4, (outcome.failed, outcome.missing)
    shelf = Shelf(store, outcome.data)
    tested: list[str] = []
    values = []
    for cell in planned.cells[:3]:
        found = shelf.find(cell)
        (one,) = found.evaluations
        assert found.folder is not None
        assert one.record is not None
        predictions = found.folder.predictions(str(one.name))
        assert predictions is not None
        tested += predictions["path"].tolist()
        values.append(one.record["metrics"]["R@1"])
    assert len(tested) == len(set(tested)) == 12, "each video is tested once a seed"
    lines: Any = table(planned, store, outcome, tmp_path / "reports").set_index(["row", "metric"])
    assert lines.loc[("plain", "R@1"), "n"] == 1
    assert float(lines.loc[("plain", "R@1"), "values"]) == pytest.approx(np.mean(values), rel=1e-5)
    text = (tmp_path / "reports/study/table.md").read_text()
    assert "retrieval/mine 12" in text
    assert "0, fold 2" in text

    # A fold that is missing leaves a hole with its number.
    folder = shelf.folder(planned.cells[1])
    folder.place.delete("done.json")
    lines = table(planned, store, outcome, tmp_path / "reports").set_index(["row", "metric"])
    assert "fold 2" in lines.loc[("plain", "R@1"), "holes"]


def test_other_pixels_under_the_same_names_are_computed_anew_and_both_are_known(tmp_path: Path, store: Store) -> None:
    here, there = videos(tmp_path / "a", ("run", "walk")), videos(tmp_path / "b", ("run", "walk"), seed=50)
    (planned,) = load_studies([write_study(tmp_path, TWO.replace("second: {data: second}, ", ""))], None, [])
    outcomes = {}
    for name, folder in (("a", here), ("b", there)):
        places = Places.find({"folder": folder}, tmp_path / "cache")
        outcomes[name] = compute(planned.cells, store, places)
        assert outcomes[name].computed == outcomes[name].done == ("study/first/seed0", "study/random/seed0")
    before, after = (Shelf(store, outcomes[name].data).find(planned.cells[0]) for name in "ab")
    assert before.folder is not None
    assert after.folder is not None
    assert before.folder.name != after.folder.name
    assert compute(planned.cells, store, Places.find({"folder": here}, tmp_path / "cache")).computed == ()
    unknown = Shelf(store).find(planned.cells[0])
    assert unknown.folder is None
    assert "2 results of this cell, on different data" in unknown.reason


def test_a_corrected_list_is_other_data_for_evaluations_and_trains_anew_only_what_read_it(
    tmp_path: Path, store: Store
) -> None:
    root = tmp_path / "split"
    for split, seed in (("train", 0), ("test", 50)):
        videos(root / split, ("run", "walk"), seed=seed)
    text = TWO.replace("{name: folder}", "{name: folder, split: folders}").replace("second: {data: second}, ", "")
    (planned,) = load_studies([write_study(tmp_path, text)], None, [])
    places = Places.find({"folder": root}, tmp_path / "cache")
    compute(planned.cells, store, places)
    # A test video was listed under the other class: training reads no label, the evaluation does.
    (root / "test/run/5.mp4").rename(root / "test/walk/6.mp4")
    outcome = compute(planned.cells, store, places)
    assert outcome.computed == ("study/first/seed0", "study/random/seed0")
    for cell in planned.cells:
        folder = Shelf(store, outcome.data).folder(cell)
        assert len(folder.attempts()) == 1, "nothing was trained anew"
        assert len(folder.evaluations()) == 2
    # A training video less is another pretraining.
    (root / "train/run/5.mp4").unlink()
    outcome = compute(planned.cells, store, places)
    trained = Shelf(store, outcome.data).folder(planned.cells[0])
    assert len([folder for folder in store.cells() if folder.name.startswith(planned.cells[0].id)]) == 2
    assert trained.state().status == "done"


def test_what_the_data_cannot_fill_is_said_before_anything_is_trained(
    tmp_path: Path, store: Store, places: Places
) -> None:
    rows = {"one": "{}", "two": "{objective.contrastive.temperature: 0.2}", "large": "{training.batch_size: 64}"}
    cells = plan(
        tmp_path, rows, "retrieval/synthetic, finetune/synthetic", extra="evaluation: {finetune: {batch_size: 99}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        compute(cells, store, places)
    said = str(caught.value)
    assert "batch_size 99 is larger than the set" in said
    assert "(asked by tiny/one/seed0/finetune/synthetic and 2 more)" in said
    assert "training.batch_size 64 is larger than the set: 16" in said
    assert store.cells() == []


def test_a_failure_stays_where_a_retry_of_it_is_refused(tmp_path: Path, store: Store, places: Places) -> None:
    """Failed by another version, say, which did not see it coming."""
    cells = plan(tmp_path, {"one": "{}", "large": "{training.batch_size: 64}"})
    shelf = Shelf(store, compute(cells[:1], store, places).data)
    folder = shelf.folder(cells[1])
    folder.write_config(resolved(cells[1].config))
    folder.mark_failed("the batch is larger than the set", {})
    with pytest.raises(ConfigError, match=r"batch_size 64 is larger than the set"):
        compute(cells, store, places, retry_failed=True)
    assert shelf.find(cells[1]).verdict == "failed"


def test_a_fault_that_may_pass_is_tried_once_more(
    tmp_path: Path, store: Store, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    from raysl.training.learner import Learner

    take, failures = Learner.take, [MemoryError("no memory left")]

    def failing(self: Learner, batches: Sequence[Batch], done: int, *, metrics: bool = True) -> None:
        if failures:
            raise failures.pop()
        take(self, batches, done, metrics=metrics)

    monkeypatch.setattr(Learner, "take", failing)
    (cell,) = plan(tmp_path, {"plain": "{training.steps: 2}"})
    assert compute([cell], store, places).done == (cell.title,)
    (folder,) = store.cells()
    assert len(folder.attempts()) == 2
    assert folder.faults() == {}
    failures += [MemoryError("no memory left")] * 2
    (other,) = plan(tmp_path, {"other": "{training.steps: 3}"})
    outcome = compute([other], store, places)
    assert outcome.missing == {other.title: "MemoryError: no memory left"}
    assert Shelf(store, outcome.data).find(other).verdict == "missing"


def test_a_configuration_is_not_changed_by_who_computes_it(tmp_path: Path, store: Store, places: Places) -> None:
    """Several workers are one process here: the same cell, by the same global batch."""
    (one,) = plan(tmp_path / "one", {"plain": "{training.steps: 2}"})
    config = one.config.model_copy(update={"training": one.config.training.model_copy(update={"workers": 2})})
    assert replace(one, config=config).id == one.id
    assert compute([replace(one, config=config)], store, places).done == (one.title,)
    assert compute([one], store, places).computed == ()
