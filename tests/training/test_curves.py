"""Curves: the table and TensorBoard's files hold each logged step once, and what is written grows as they do."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from raysl import results
from raysl.results import CellFolder
from raysl.results.place import Place
from raysl.training.checkpoint import Checkpoint
from raysl.training.curves import curve_row
from raysl.training.events import FILE_BYTES
from raysl.training.recorder import JOINED, Recorder
from raysl.training.step_values import StepValues
from tests.training.material import curves_of, logged_steps


def _row(step: int) -> dict[str, float]:
    values = StepValues(2.0 / step, {"contrastive": 1.0 / step}, {"embedding_std": 0.5}, 0.1, 3.0)
    return curve_row(
        step, 1, values, data_seconds=0.25, compute_seconds=0.75, clips=8, unreadable=1, weight_penalty=0.02
    )


@pytest.fixture
def folder(tmp_path: Path) -> CellFolder:
    found = results.open(tmp_path).folder("a", "b")
    found.write_config({})
    return found


def checkpoint(recorder: Recorder, step: int) -> Checkpoint:
    return Checkpoint("a", step, "float32", {}, **recorder.kept())


def test_a_row_names_everything_by_its_tag() -> None:
    assert _row(2) == {
        "step": 2,
        "epoch": 1,
        "loss/total": 1.0,
        "loss/contrastive": 0.5,
        "optimizer/learning_rate": 0.1,
        "optimizer/gradient_norm": 3.0,
        "optimizer/weight_penalty": 0.02,
        "metric/embedding_std": 0.5,
        "time/data_seconds": 0.25,
        "time/data_wait_share": 0.25,
        "time/compute_seconds": 0.75,
        "time/clips_per_second": 8.0,
        "data/unreadable": 1,
    }


def test_curves_and_events_are_whole_after_every_save_and_after_a_restart(folder: CellFolder) -> None:
    recorder = Recorder(folder, None)
    for step in (1, 2):
        recorder.add(_row(step))
        recorder.save(found := checkpoint(recorder, step))
    first = Path(folder.place.root, "attempts", found.attempt)
    assert logged_steps(first) == [(1, 2.0), (2, 1.0)]
    recorder.add(_row(3))
    recorder._save_curves(whole=False)  # and killed before the checkpoint
    assert curves_of(folder)["step"].tolist() == [1, 2, 3]
    resumed = Recorder(folder, found)
    resumed.add(_row(4))
    resumed.save(found := checkpoint(resumed, 4), last=True)
    folder.mark_done(resumed._attempt, {})
    assert curves_of(folder)["step"].tolist() == [1, 2, 4]
    assert curves_of(folder).equals(pd.DataFrame([_row(step) for step in (1, 2, 4)]))
    assert resumed.curves.last() == _row(4)
    second = Path(folder.place.root, "attempts", found.attempt)
    assert logged_steps(second) == [(1, 2.0), (2, 1.0), (4, 0.5)]
    assert logged_steps(second, "time/clips_per_second")[0] == (1, 8.0)


def test_curves_that_are_lost_leave_the_last_row_and_are_named(
    folder: CellFolder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(folder, None)
    for step in (1, 2):
        recorder.add(_row(step))
    recorder.save(found := checkpoint(recorder, 2))
    (part,) = folder.place.sizes(f"attempts/{found.attempt}/curves")
    folder.place.write(part, b"")
    assert Recorder(folder, found).curves.last() == _row(2)
    assert part in caplog.text
    assert "2 of 2 rows of the curves up to step 2 are lost" in caplog.text
    folder.place.delete(part)
    assert len(Recorder(folder, found).curves) == 1


def test_what_is_written_grows_with_the_length_of_a_training(
    folder: CellFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every save of whole curves would be 64 times the half of them; of whole event files likewise."""
    sizes: dict[str, list[int]] = {"csv": [], "events": []}
    monkeypatch.setattr("raysl.training.events.FILE_BYTES", 1)
    write = Place.write

    def counted(place: Place, path: str, data: bytes) -> None:
        if path.startswith(("curves", "tensorboard")):
            sizes["csv" if path.endswith(".csv") else "events"].append(len(data))
        write(place, path, data)

    monkeypatch.setattr(Place, "write", counted)
    recorder = Recorder(folder, None)
    saves = JOINED**3
    for step in range(1, saves + 1):
        recorder.add(_row(step))
        recorder.save(checkpoint(recorder, step))
        assert len(folder.place.sizes(f"attempts/{recorder.kept()['attempt']}/curves")) <= 3 * (JOINED - 1)
    assert curves_of(folder)["step"].tolist() == list(range(1, saves + 1))
    whole = sizes["csv"][-1]
    assert sum(sizes["csv"]) < 7 * whole, "each row alone, and once for each level; a head in each"
    assert max(sizes["events"]) < 2 * min(sizes["events"])
    assert [step for step, _ in logged_steps(Path(folder.place.root, "attempts", recorder.kept()["attempt"]))] == list(
        range(1, saves + 1)
    )
    recorder.save(checkpoint(recorder, saves), last=True)
    assert not folder.place.sizes(f"attempts/{recorder.kept()['attempt']}/curves")


def test_an_event_file_ends_when_it_is_large(folder: CellFolder) -> None:
    recorder = Recorder(folder, None)
    for step in range(1, 1001):
        recorder.add(_row(step))
        if step % 100 == 0:
            recorder.save(checkpoint(recorder, step))
    files = list(Path(folder.place.root).glob("attempts/*/tensorboard/*"))
    assert len(files) == 2
    assert FILE_BYTES <= max(file.stat().st_size for file in files) < 1.5 * FILE_BYTES
    assert len(logged_steps(files[0].parents[1])) == 1000
