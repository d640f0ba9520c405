"""The engine, end to end: real Ray, real MP4s, two DDP workers, and what a second run has left to do."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import pandas as pd
import pytest
import torch

import raysl
from raysl import results
from raysl.commands.inputs import load_studies
from raysl.commands.roots import find_places
from raysl.commands.run import run_studies
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.engine.driver import run_on_cluster
from raysl.errors import RayslError, StorageError
from raysl.results import CellFolder, Store
from raysl.results.place import place
from raysl.training.checkpoint import read_checkpoint
from raysl.work.events import Event, Note, Overview, Phase
from raysl.work.here import Here
from raysl.work.run_cells import RunOptions, RunOutcome, run_cells
from tests.conftest import BUCKET
from tests.data.rendered import moving_square, write_set, write_video
from tests.planning.studies import SMALL_RECIPE, STUDY, write_study
from tests.work.plans import plan

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("local_ray")]

NAN = (
    "objective.contrastive: {framework: tests.training.failing_simclr, temperature: 0.1, step: 2, on_rank: 1}, "
    "training.steps: 4, training.workers: 2"
)
ROWS = {
    "random": "{pretraining: none}",
    "one": "{training.steps: 2, training.threads: 1}",
    "two": "{training.steps: 2, training.workers: 2, objective.contrastive.temperature: 0.2}",
    "nan": f"{{{NAN}}}",
    "no root": "{data: {name: folder}}",
}


IN_TURN = RunOptions(max_concurrent=1)
"""Cells in one process after the other, which imports once; the first run has them beside each other."""


@dataclass
class Told:
    """Keeps a run's events."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def notes(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Note))


@dataclass
class First:
    """The run that the other tests of this module go on from, in their order."""

    folder: Path
    store: Store
    work: list[Cell]
    outcome: RunOutcome
    told: Told

    def cell(self, row: str) -> CellFolder:
        (item,) = [item for item in self.work if f"/{row}/" in item.title]
        (found,) = [cell for cell in self.store.cells() if cell.name.startswith(item.id)]
        return found

    def attempts(self) -> dict[str, int]:
        return {row: len(self.cell(row).attempts()) for row in ("random", "one", "two", "nan")}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, places: Places, local_ray: None) -> First:
    folder = tmp_path_factory.mktemp("run")
    work = plan(folder, ROWS)
    store, told = results.open(folder / "store"), Told()
    return First(folder, store, work, run_on_cluster(work, store, places, on_event=told), told)


def test_rows_end_as_they_must_and_none_keeps_another_from_ending(first: First) -> None:
    outcome = first.outcome
    assert outcome.done == ("tiny/random/seed0", "tiny/one/seed0", "tiny/two/seed0")
    assert list(outcome.failed) == ["tiny/nan/seed0"]
    assert "nan at step 2" in outcome.failed["tiny/nan/seed0"]
    assert list(outcome.missing) == ["tiny/no root/seed0"]
    assert "--root folder=PATH" in outcome.missing["tiny/no root/seed0"]
    assert list(outcome.seconds) == ["data", "pretraining and evaluation"]


def test_two_ddp_workers_trained_and_every_test_video_was_evaluated(first: First) -> None:
    provenance = first.cell("two").provenance()
    assert provenance is not None
    assert [attempt["workers"] for attempt in provenance["attempts"]] == [2]
    for row in ("random", "one", "two"):
        (name,) = first.cell(row).evaluations()
        predictions = first.cell(row).predictions(name)
        assert predictions is not None
        assert len(predictions) == 8
    assert first.store.frame()["metric.R@1"].notna().sum() == 3


def test_a_deterministic_failure_on_one_rank_is_stored_and_not_retried(first: First) -> None:
    state = first.cell("nan").state()
    assert state.status == "failed"
    assert state.progress["step"] == 2
    assert first.attempts() == {"random": 1, "one": 1, "two": 1, "nan": 1}


def test_a_person_is_told_phases_failures_and_progress(first: First) -> None:
    assert "tiny/nan/seed0: failed: " in first.told.notes
    assert "data set synthetic: 24 videos" in first.told.notes
    ended = [event.name for event in first.told.events if isinstance(event, Phase) and event.seconds is not None]
    assert ended == ["data", "pretraining and evaluation"]
    last = [event for event in first.told.events if isinstance(event, Overview)][-1]
    assert (last.done, last.failed, last.stopped, last.total, last.running) == (3, 1, 0, 4, ())


def test_a_run_without_ray_gives_the_same_bits(first: First, places: Places, tmp_path: Path) -> None:
    store = results.open(tmp_path / "store")
    cells = [cell for cell in first.work if cell.row in ("random", "one")]
    assert run_cells(cells, store, places, Here(places)).done == ("tiny/random/seed0", "tiny/one/seed0")
    for row in ("random", "one"):
        theirs = first.cell(row)
        ours = store.named(theirs.name)
        weights = [
            read_checkpoint(folder.final_checkpoint() or b"", theirs.name[:12]).model for folder in (ours, theirs)
        ]
        assert weights[0].keys() == weights[1].keys()
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
        (name,) = theirs.evaluations()
        pd.testing.assert_frame_equal(ours.predictions(name), theirs.predictions(name))  # type: ignore[arg-type]


def test_running_again_computes_nothing(first: First, places: Places) -> None:
    outcome = run_on_cluster(first.work, first.store, places)
    assert outcome.computed == ()
    assert outcome.done == first.outcome.done
    assert outcome.failed == first.outcome.failed
    assert first.attempts() == {"random": 1, "one": 1, "two": 1, "nan": 1}


def test_adding_an_evaluation_trains_nothing(first: First, places: Places) -> None:
    work = plan(
        first.folder / "more", {row: ROWS[row] for row in ("random", "two")}, "retrieval/synthetic, linear/synthetic"
    )
    outcome = run_on_cluster(work, first.store, places, IN_TURN)
    assert outcome.done == outcome.computed == ("tiny/random/seed0", "tiny/two/seed0")
    assert len(first.cell("two").evaluations()) == 2
    assert first.attempts() == {"random": 1, "one": 1, "two": 1, "nan": 1}


def test_a_broken_folder_and_a_failed_cell_are_computed_anew_when_asked(first: First, places: Places) -> None:
    first.cell("one").place.write("done.json", b'{"attempt": ')
    # On one worker, which is the same cell, there is no rank whose loss is NaN.
    work = plan(first.folder / "alone", {"one": ROWS["one"], "nan": ROWS["nan"].replace("workers: 2", "workers: 1")})
    told = Told()
    outcome = run_on_cluster(work, first.store, places, replace(IN_TURN, retry_failed=True), on_event=told)
    assert outcome.computed == outcome.done == ("tiny/one/seed0", "tiny/nan/seed0")
    (said,) = (line for line in told.notes.splitlines() if line.startswith("tiny/one/seed0: its folder is broken: "))
    assert "done.json is not whole" in said
    assert first.attempts()["nan"] == 2


def test_a_cell_that_cannot_write_is_missing_and_the_others_go_on(first: First, places: Places) -> None:
    work = plan(first.folder / "seeds", {"random": ROWS["random"]}, seeds="[0, 1, 2]")
    blocked = Path(first.store.place.root) / "cells" / f"{work[1].id}-none"
    blocked.write_text("a file where a folder must be")
    told = Told()
    outcome = run_on_cluster(work, first.store, places, IN_TURN, on_event=told)
    assert outcome.computed == ("tiny/random/seed1", "tiny/random/seed2")
    assert outcome.done == ("tiny/random/seed0", "tiny/random/seed2")
    assert f"cannot write {blocked}" in outcome.missing["tiny/random/seed1"]
    assert f"tiny/random/seed1: ended without a result: cannot write {blocked}" in told.notes
    blocked.unlink()
    assert run_cells(work, first.store, places, Here(places)).computed == ("tiny/random/seed1",)


def test_from_python_too(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSL_FORMAT", "md")
    rows = STUDY[: STUDY.index("rows:")] + "rows: {random: {pretraining: none}}\nevaluations: [retrieval/synthetic]\n"
    study = raysl.load_study(write_study(tmp_path, rows, SMALL_RECIPE), overrides={"seeds": [0, 1]})
    where: dict[str, Any] = {"cache": places.cache, "reports": tmp_path / "reports", "quiet": True}
    done = raysl.run(study, tmp_path / "store", max_concurrent=1, **where)
    assert done.complete, done.log
    assert done.computed == ("study/random/seed0", "study/random/seed1")
    assert done.table["n"].tolist() == [2]
    again = raysl.run(study, tmp_path / "store", local=True, **where)
    assert (again.computed, again.table["mean"].tolist()) == ((), done.table["mean"].tolist())


def test_more_workers_than_cpus_are_refused_before_anything_is_written(tmp_path: Path, places: Places) -> None:
    work = plan(tmp_path, {"plain": "{}", "wide": "{training.workers: 8, objective.contrastive.temperature: 0.2}"})
    with pytest.raises(
        RayslError, match=r"tiny/wide/seed0: training.workers is 8, .*1 CPU, but only 2 fit on all nodes"
    ):
        run_on_cluster(work, results.open(tmp_path / "store"), places)
    assert results.open(tmp_path / "store").cells() == []


def test_a_store_that_cannot_be_written_is_said_at_once(tmp_path: Path, places: Places) -> None:
    (tmp_path / "file").write_text("no folder")
    told = Told()
    with pytest.raises(StorageError, match=r"file/store cannot be written.*--storage"):
        run_on_cluster(
            plan(tmp_path, {"plain": "{}"}), results.open(tmp_path / "file" / "store"), places, on_event=told
        )
    assert told.events == []


IN_A_BUCKET = """
title: "Videos in a bucket"
base: recipe
data: {name: folder}
rows: {random: {pretraining: none}, SimCLR: {}}
baseline: random
seeds: [0]
evaluations: [retrieval/folder]
"""


@dataclass
class Runs:
    """`raysl run` of one study, each into a folder of its own, on videos that lie at an address."""

    folder: Path
    study: Path
    address: str

    def __call__(self, name: str, root: str | Path, local: bool = False, store: str | None = None) -> tuple[int, str]:
        """How many cells are not complete, and what was said."""
        out, folder = io.StringIO(), self.folder / name
        places = find_places([f"folder={root}"], folder / "cache")
        console = PlainConsole(file=out, width=1000)
        planned = load_studies([self.study], None, [])
        ran = run_studies(
            planned, store or str(folder / "store"), places, folder / "reports", IN_TURN, console, local=local
        )
        return ran.incomplete, out.getvalue()

    def table(self, name: str) -> bytes:
        return (self.folder / name / "reports" / "bucket" / "table.csv").read_bytes()


def test_videos_in_a_bucket_give_the_table_of_a_folder(
    tmp_path: Path, s3_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, client = tmp_path / "videos", boto3.client("s3", endpoint_url=f"http://{s3_address}")
    for name in ("left", "right"):
        write_set(root / name, videos=8)

    def put(file: Path) -> None:
        client.upload_file(str(file), BUCKET, f"{tmp_path.name}/{file.relative_to(root).as_posix()}")

    files = sorted(root.rglob("*.mp4"))
    for file in files:
        put(file)
    query = f"scheme=http&region=us-east-1&endpoint_override={s3_address}"
    address = f"s3://test:secret@{BUCKET}/{tmp_path.name}?{query}"
    run = Runs(tmp_path, write_study(tmp_path, IN_A_BUCKET, SMALL_RECIPE, name="bucket"), address)
    for name, at, local in (("folder", root, True), ("here", address, True), ("ray", address, False)):
        left, said = run(name, at, local)
        assert left == 0, said
        assert "2 cells done (2 worked on now), 0 failed, 0 missing" in said
        assert "secret" not in said
    assert run.table("folder") == run.table("here") == run.table("ray")

    # Nothing changed: the store says what there is, and no node is asked.
    left, said = run("ray", address)
    assert "2 cells done (0 worked on now), 0 failed, 0 missing" in said
    assert "waiting for a node" not in said
    write_video(files[0], moving_square(33, seed=77))
    put(files[0])
    assert run("folder", root, True)[0] == 0
    for name, local in (("here", True), ("ray", False)):
        left, said = run(name, address, local)
        assert "2 cells done (2 worked on now), 0 failed, 0 missing" in said, "another object is other data"
        assert run.table(name) == run.table("folder")

    monkeypatch.setenv("RAYSL_FETCH_GIGABYTES", "0.00001")
    left, said = run("small", address)
    assert left == 2
    assert f"data set folder: s3://{BUCKET}/{tmp_path.name}: its 16 files have" in said
    assert "raise RAYSL_FETCH_GIGABYTES" in said
    assert not list((tmp_path / "small" / "cache").rglob("*.mp4")), "nothing is copied"


def test_videos_and_store_in_googles_storage_give_the_table_of_folders(tmp_path: Path, gcs_address: str) -> None:
    """Tune keeps its own files in the store too."""
    root, query = tmp_path / "videos", f"?scheme=http&endpoint_override={gcs_address}"
    bucket = place(f"gs://anonymous@{BUCKET}/{tmp_path.name}{query}")
    for name in ("left", "right"):
        write_set(root / name, videos=8)
    for file in root.rglob("*.mp4"):
        bucket.write(f"videos/{file.relative_to(root).as_posix()}", file.read_bytes())
    address, store = (f"gs://anonymous@{BUCKET}/{tmp_path.name}/{name}{query}" for name in ("videos", "store"))
    run = Runs(tmp_path, write_study(tmp_path, IN_A_BUCKET, SMALL_RECIPE, name="bucket"), address)
    assert run("folder", root, local=True)[0] == 0
    for computed in (2, 0):
        left, said = run("ray", address, store=store)
        assert "anonymous@" not in said, "where credentials would stand"
        assert (left, f"2 cells done ({computed} worked on now), 0 failed, 0 missing" in said) == (0, True), said
        assert run.table("folder") == run.table("ray")
    assert any(name.startswith("store/ray/") for name in bucket.sizes())
