"""``python -m raysl.training``: plain, and under torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from raysl.config.cell import CellConfig
from raysl.config.identity import resolved
from raysl.data.source import VideoSource
from raysl.training.__main__ import main
from tests.training.material import FAILING, done_attempt, folder_of, logged_steps, tiny_cell


def _arguments(cell: CellConfig, videos: Path, tmp_path: Path) -> list[str]:
    """What is written after ``python -m raysl.training``."""
    path = tmp_path / "cell.yaml"
    path.write_text(yaml.safe_dump(resolved(cell)))
    root, cache = f"synthetic={videos / 'videos'}", str(videos / "cache")
    return [str(path), "--storage", str(tmp_path / "store"), "--root", root, "--cache", cache]


def test_a_cell_trains_from_its_file(
    video_folder: Path, source: VideoSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = tiny_cell(**{"training.steps": 3, "training.workers": 2})
    arguments = _arguments(cell, video_folder, tmp_path)
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "training.workers is 2; 1 process(es) were started" in said
    assert "epoch 1/1, step 3/3, loss" in said
    assert "done in" in said
    assert folder_of(tmp_path / "store", cell, source).state().status == "done"
    assert main(arguments) == 0
    assert "done already" in capsys.readouterr().out


def test_random_weights_need_no_videos(tmp_path: Path) -> None:
    cell = tiny_cell(pretraining="none")
    assert main(_arguments(cell, tmp_path, tmp_path)) == 0
    assert folder_of(tmp_path / "store", cell, None).state().status == "done"
    assert not (tmp_path / "videos").exists()


def test_bad_input_is_one_line_and_an_exit_status(
    video_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = _arguments(tiny_cell(**{"training.accumulate": 2}), video_folder, tmp_path)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: training.accumulate 2")
    assert main([*arguments, "--root", "no-path"]) == 2
    arguments = _arguments(tiny_cell(**{"training.batch_size": 18}), video_folder, tmp_path)
    assert main(arguments) == 1
    assert "larger than the set" in capsys.readouterr().err
    Path(arguments[0]).write_text("pretrainin: none\n")
    assert main(arguments) == 2
    assert "cell.yaml" in capsys.readouterr().err


def _torchrun(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([".", *sys.path])}
    return subprocess.run(
        [*command, "-m", "raysl.training", *arguments],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_two_ranks_train_under_torchrun(video_folder: Path, source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"training.steps": 3, "training.workers": 2})
    done = _torchrun(_arguments(cell, video_folder, tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("step 3/3") == 1
    folder = folder_of(tmp_path / "store", cell, source)
    assert folder.state().status == "done"
    assert [step for step, _ in logged_steps(done_attempt(tmp_path))] == [1, 2, 3]
    provenance = folder.provenance()
    assert provenance is not None
    assert provenance["attempts"][0]["workers"] == 2


@pytest.mark.slow
def test_both_ranks_end_under_torchrun_when_one_fails(video_folder: Path, source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**{"objective.contrastive": {"framework": FAILING, "step": 2, "on_rank": 1}})
    done = _torchrun(_arguments(cell, video_folder, tmp_path))
    assert done.returncode != 0
    assert "error: the loss is nan at step 2" in done.stderr
    state = folder_of(tmp_path / "store", cell, source).state()
    assert (state.status, state.reason) == ("failed", "the loss is nan at step 2")


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "²"])
@pytest.mark.parametrize("variable", ["WORLD_SIZE", "LOCAL_WORLD_SIZE"])
def test_a_launcher_that_gives_no_number_of_processes_is_one_line(
    variable: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert main(_arguments(tiny_cell(pretraining="none"), tmp_path, tmp_path)) in (1, 2)
    assert f"{variable} is {value!r} in the environment" in capsys.readouterr().err
