"""Killed at any step and resumed gives the run that was never killed."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import StorageError
from raysl.results import CellFolder
from raysl.results.place import Place
from raysl.testing.ranks import run_ranks
from raysl.training.checkpoint import Checkpoint
from raysl.training.loop import KilledError
from raysl.training.pretrain import pretrain
from tests.training.material import (
    assert_equal_states,
    curves_of,
    done_attempt,
    final,
    folder_of,
    logged_steps,
    needs_bfloat16,
    tiny_cell,
    tiny_source,
)

STEPS = 10


def _cell(**changes: object) -> CellConfig:
    return tiny_cell(**{"training.steps": STEPS, "training.checkpoint_steps": 3, **changes})


def _killed_and_resumed(cell: CellConfig, source: VideoSource, storage: Path, kills: list[int]) -> Checkpoint:
    folder = folder_of(storage, cell, source)
    for kill in kills:
        with pytest.raises(KilledError):
            pretrain(cell, folder, source, stop_after=kill)
        assert folder.state().status == "interrupted"
    summary = pretrain(cell, folder, source)
    assert summary.attempts == len(kills) + 1
    return final(folder, cell)


def without_times(folder: CellFolder) -> dict[str, list[float]]:
    curves = curves_of(folder)
    return {str(name): curves[name].tolist() for name in curves if not str(name).startswith("time/")}


def _assert_same_run(cell: CellConfig, source: VideoSource, tmp_path: Path, kills: list[int]) -> None:
    whole = folder_of(tmp_path / "whole", cell, source)
    pretrain(cell, whole, source)
    expected = final(whole, cell)
    found = _killed_and_resumed(cell, source, tmp_path / "killed", kills)
    assert_equal_states(expected.model, found.model)
    for key, state in expected.optimizer["state"].items():
        assert_equal_states(state, found.optimizer["state"][key])
    assert without_times(folder_of(tmp_path / "killed", cell, source)) == without_times(whole)


@pytest.mark.parametrize("loader_workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_at_a_random_step_changes_nothing(source: VideoSource, tmp_path: Path, loader_workers: int) -> None:
    kill = random.randint(1, STEPS - 1)
    print(f"killed after step {kill}")
    _assert_same_run(_cell(**{"training.loader_workers": loader_workers}), source, tmp_path, [kill])


@pytest.mark.parametrize("kill", [4, 7])
def test_a_plateau_is_found_as_without_a_kill(source: VideoSource, tmp_path: Path, kill: int) -> None:
    schedule = {"name": "plateau", "patience": 0, "threshold": 0.5}
    cell = _cell(schedule=schedule, **{"training.batch_size": 8, "optimizer.learning_rate.value": 1e-6})
    _assert_same_run(cell, source, tmp_path, [kill])
    rates = curves_of(folder_of(tmp_path / "killed", cell, source))["optimizer/learning_rate"]
    # Two steps an epoch; no epoch's loss is half of the first one's.
    expected = [2e-6 * 0.1 ** max(0, step // 2 - 1) for step in range(STEPS)]
    assert list(rates) == pytest.approx(expected)


def test_several_kills_change_nothing(source: VideoSource, tmp_path: Path) -> None:
    _assert_same_run(_cell(), source, tmp_path, [2, 4, 9])


def test_a_kill_before_the_marker_changes_nothing(source: VideoSource, tmp_path: Path) -> None:
    cell = _cell()
    _assert_same_run(cell, source, tmp_path, [STEPS])
    assert list(curves_of(folder_of(tmp_path / "killed", cell, source))["step"]) == list(range(1, STEPS + 1))


@pytest.mark.parametrize(("kind", "number"), [("curves", 2), ("tensorboard", 2), (".checkpoint", 2), (".json", 2)])
def test_a_kill_between_two_files_changes_nothing(
    kind: str, number: int, source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the curves of the second save, its events, its checkpoint, or the marker that this is complete."""
    cell, written = _cell(), list[str]()
    whole = folder_of(tmp_path / "whole", cell, source)
    pretrain(cell, whole, source)
    folder, write = folder_of(tmp_path / "killed", cell, source), Place.write

    def kill(place: Place, path: str, data: bytes) -> None:
        if kind in path and "heartbeat" not in path and "attempts" in place.root:
            written.append(path)
            if len(written) == number:
                raise KilledError(path)
        write(place, path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Place, "write", kill)
        with pytest.raises(KilledError):
            pretrain(cell, folder, source)
    latest = folder.latest_checkpoint()
    assert latest is not None
    assert latest[0] == 3
    pretrain(cell, folder, source)
    assert_equal_states(final(whole, cell).model, final(folder, cell).model)
    assert without_times(folder) == without_times(whole)
    assert (Path(folder.place.root) / "attempts" / done_attempt(tmp_path / "killed").name / "curves.csv").is_file()


def test_a_checkpoint_of_the_first_format_is_resumed(source: VideoSource, tmp_path: Path) -> None:
    """Which has all curves in it, beside a file of them and no parts."""
    cell = _cell()
    whole, folder = (folder_of(tmp_path / name, cell, source) for name in ("whole", "old"))
    pretrain(cell, whole, source)
    with pytest.raises(KilledError):
        pretrain(cell, folder, source, stop_after=4)
    (attempt,) = folder.attempts()
    curves, (step, data) = curves_of(folder), folder.latest_checkpoint() or (0, b"")
    content = torch.load(io.BytesIO(data), weights_only=True)
    for name in ("attempt", "logged", "last", "monitored"):
        del content[name]
    content |= {"format": 1, "curves": {str(name): [float(one) for one in curves[name]] for name in curves}}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    for path in attempt.place.sizes("curves"):
        attempt.place.delete(path)
    attempt.save_checkpoint(step, buffer.getvalue())
    pretrain(cell, folder, source)
    assert_equal_states(final(whole, cell).model, final(folder, cell).model)
    assert without_times(folder) == without_times(whole)


def test_no_step_is_logged_twice(source: VideoSource, tmp_path: Path) -> None:
    cell = _cell()
    folder = folder_of(tmp_path, cell, source)
    _killed_and_resumed(cell, source, tmp_path, [5, 8])
    steps = list(range(1, STEPS + 1))
    frame = curves_of(folder)
    assert list(frame["step"]) == steps
    assert len(list(tmp_path.rglob("tensorboard"))) == 3
    events = logged_steps(done_attempt(tmp_path))
    assert [step for step, _ in events] == steps
    assert [value for _, value in events] == pytest.approx(list(frame["loss/total"]))


def test_totals_survive_restarts(source: VideoSource, tmp_path: Path) -> None:
    cell = _cell()
    checkpoint = _killed_and_resumed(cell, source, tmp_path, [4, 7])
    assert [attempt["from_step"] for attempt in checkpoint.attempts] == [0, 3, 6]
    # Ten steps of eight clips, less each attempt's first step and what was lost with the kills.
    assert checkpoint.measured_clips == (2 + 2 + 3) * 8
    provenance = folder_of(tmp_path, cell, source).provenance()
    assert provenance is not None
    assert len(provenance["attempts"]) == 3


def test_a_checkpoint_of_another_cell_is_refused(source: VideoSource, tmp_path: Path) -> None:
    cell, other = _cell(), _cell(**{"training.seed": 1})
    folder = folder_of(tmp_path, cell, source)
    with pytest.raises(KilledError):
        pretrain(other, folder, source, stop_after=3)
    with pytest.raises(StorageError, match="another cell, never a resume"):
        pretrain(cell, folder, source)


@needs_bfloat16
def test_precision_is_kept_on_resume(source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = _cell(**{"training.precision": "auto", "training.steps": 4})
    folder = folder_of(tmp_path, cell, source)
    monkeypatch.setattr("raysl.training.precision.multiplies_bfloat16", lambda device: True)
    with pytest.raises(KilledError):
        pretrain(cell, folder, source, stop_after=3)
    monkeypatch.setattr("raysl.training.precision.multiplies_bfloat16", lambda device: False)
    assert pretrain(cell, folder, source).precision == "bfloat16"


def _kill_on_rank(rank: int, videos: str, storage: str) -> None:
    """Whatever ends a rank's training ends its process group."""
    cell = _cell(**{"training.workers": 2})
    source = tiny_source(Path(videos))
    with pytest.raises(KilledError):
        pretrain(cell, folder_of(Path(storage) / "killed", cell, source), source, stop_after=7)


def _resume_on_rank(rank: int, videos: str, storage: str) -> tuple[int, float | None]:
    cell = _cell(**{"training.workers": 2})
    source = tiny_source(Path(videos))
    resumed = pretrain(cell, folder_of(Path(storage) / "killed", cell, source), source)
    whole = pretrain(cell, folder_of(Path(storage) / "whole", cell, source), source)
    assert resumed.final_loss == whole.final_loss
    return resumed.attempts, resumed.final_loss


@pytest.mark.slow
def test_two_ranks_resume_together(video_folder: Path, source: VideoSource, tmp_path: Path) -> None:
    run_ranks(_kill_on_rank, 2, str(video_folder), str(tmp_path), finish_together=False)
    results = run_ranks(_resume_on_rank, 2, str(video_folder), str(tmp_path))
    assert results[0] == results[1]
    assert results[0][0] == 2
    cell = _cell()
    expected = final(folder_of(tmp_path / "whole", cell, source), cell)
    found = final(folder_of(tmp_path / "killed", cell, source), cell)
    assert_equal_states(expected.model, found.model)
    assert len(found.random) == 2
