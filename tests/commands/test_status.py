"""``raysl status --watch``: from what the store holds alone, on a disk and on a bucket."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from raysl import results
from raysl.commands.inputs import load_studies
from raysl.commands.status import print_status, watch
from raysl.commands.terminal import PlainConsole
from raysl.config.identity import evaluation_id
from raysl.results import NO_DATA, CellFolder, Shelf
from raysl.results.encoding import to_json
from raysl.training.progress import Progress
from raysl.training.recorder import Recorder
from tests.planning.studies import STUDY, write_study
from tests.results.stocked import PREDICTIONS

ONE_SEED = STUDY.replace("seeds: [0, 1]", "seeds: [0]")


@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_running_cells_are_followed_until_all_have_ended(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    storage = str(tmp_path / "store")
    if where == "bucket":
        address = request.getfixturevalue("s3_address")
        storage = f"s3://raysl/watched?scheme=http&endpoint_override={address}"
    planned = load_studies([write_study(tmp_path, ONE_SEED)], None, [])
    store, looks = results.open(storage), list[Shelf]()
    random, plain, warm = (
        store.named(f"{cell.id}-{'data' if cell.pretrains else NO_DATA}") for cell in planned[0].cells
    )
    for folder in (plain, warm):
        folder.write_config({"training": {"seed": 0}})
    recorder = Recorder(plain, None)

    def finish(folder: CellFolder) -> None:
        folder.write_config({"training": {"seed": 0}})
        folder.mark_done(folder.start_attempt(), {})
        for one in planned[0].cells[0].evaluations:
            record = {"label": one.label, "headline": "top1", "metrics": {"top1": 50.0}}
            folder.save_evaluation(f"{evaluation_id(one)}-data", record, PREDICTIONS)

    def look() -> Shelf:
        looks.append(Shelf(store))
        assert len(looks) < 5, "all have ended"
        if len(looks) == 1:
            recorder.alive(Progress(2, 20, 9, 200, 35.0, 1.5, 40.0))
            recorder.__enter__()
            recorder.__exit__(None, None, None)
            recorder._attempt.heartbeat(recorder._state)
        elif len(looks) == 2:
            finish(random)
            finish(plain)
            store.place.write(f"claims/{warm.name}/run.json", to_json({"time": 0, "since": 0, "held": True}))
            warm.mark_failed("the loss is nan", {})
        return looks[-1]

    out = io.StringIO()
    watch(planned, look, PlainConsole(file=out), seconds=0.0)
    lines = out.getvalue().splitlines()
    assert len(looks) == 2
    running = "0/3 cells done, 1 running, 0 failed, estimating time left | study/plain/seed0: epoch 2/20, 35 clips/s"
    assert lines[0].endswith(f"{running}, 40 s left")
    assert lines[1].endswith("study/warm/seed0: failed: the loss is nan")
    assert "2/3 cells done, 0 running, 1 failed" in lines[2]
    assert lines[-2] == "2 done, 1 failed"


def test_a_note_has_few_digits_and_of_an_interrupted_cell_no_time_left(tmp_path: Path) -> None:
    planned = load_studies([write_study(tmp_path, ONE_SEED)], None, [])
    store = results.open(tmp_path / "store")
    _, plain, warm = (store.named(f"{cell.id}-data") for cell in planned[0].cells)
    for folder in (plain, warm):
        folder.write_config({"training": {"seed": 0}})
        attempt, progress = folder.start_attempt(), {"epoch": 3, "epochs": 20, "loss": 5.201478004455566}
        progress |= {"clips_per_second": 28.28311446675547, "seconds_left": 178.1981968755285}
        (attempt.end if folder is warm else attempt.heartbeat)(progress)
    out = io.StringIO()
    print_status(planned, Shelf(store), PlainConsole(file=out, width=200))
    said = [line for line in out.getvalue().splitlines() if "epoch" in line]
    assert "running" in said[0]
    assert "epoch 3 of 20, loss 5.2, 28 clips/s, 3 min left" in said[0]
    assert "interrupted" in said[1]
    assert said[1].rstrip(" │").endswith("epoch 3 of 20, loss 5.2")
