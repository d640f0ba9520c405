"""The command line: plans, and errors of one line without a traceback."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from raysl import __version__
from raysl.cli import main
from raysl.config.identity import cell_id
from raysl.config.load import load_cell
from raysl.planning.plan_study import plan_study
from raysl.planning.study import load_study
from tests.planning.studies import SMALL_RECIPE, STUDY, write_study


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def raysl(*arguments: str | Path) -> Done:
    """Runs the command in this process, as the console script does."""
    stdout, stderr = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["raysl", *(str(argument) for argument in arguments)]
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            main()
    except SystemExit as stop:
        return Done(int(stop.code or 0), stdout.getvalue(), stderr.getvalue())
    finally:
        sys.argv = before
    return Done(0, stdout.getvalue(), stderr.getvalue())


@pytest.mark.slow
def test_the_module_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "raysl", "plan", str(write_study(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 cells asked for" in done.stdout


def test_the_version_is_the_packages() -> None:
    done = raysl("--version")
    assert (done.returncode, done.stdout) == (0, f"raysl {__version__}\n")


def test_plan_lists_every_cell_with_its_id(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    done = raysl("plan", path)
    assert done.returncode == 0, done.stderr
    for cell in plan_study(load_study(path)):
        assert cell.id in done.stdout
    assert "6 cells asked for, 6 unique; 4 pretrainings asked for, 4 unique; 12 evaluations" in done.stdout
    assert "published ablations" not in done.stdout, "it reproduces nothing"
    assert "what each row changes against 'plain':" in done.stdout
    assert "  warm: objective.contrastive.temperature 0.1 → 0.5\n" in done.stdout


def test_plan_says_which_data_sets_have_no_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path))
    path = write_study(tmp_path, f"{STUDY}datasets: {{mine: {{name: folder}}}}\ndata: mine\n")
    done = raysl("plan", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("not on this machine: no root was given for the data set 'mine'") == 1
    (tmp_path / "videos").mkdir()
    assert "not on this machine" not in raysl("plan", path, "--root", f"mine={tmp_path / 'videos'}").stdout


def test_plan_counts_what_studies_share_and_what_of_the_papers_they_compute(tmp_path: Path) -> None:
    rows = "published: {rows: {plain: {hidden_layers: 3}, warm: {hidden_layers: 0}}}\n"
    one = write_study(tmp_path, STUDY + "reproduces: cvrl_t6\n" + rows, name="one")
    other = write_study(tmp_path, STUDY.replace("warm:", "cold:").replace("0.5", "0.01"), name="other")
    done = raysl("plan", one, other)
    assert done.returncode == 0, done.stderr
    assert "2 studies, 12 cells asked for, 8 unique; 8 pretrainings asked for, 6 unique; 24 evaluations" in done.stdout
    assert "24 evaluations asked for, 16 unique" in done.stdout
    assert "tables and figures covered whole and 1 in part, 2 of " in done.stdout


def test_show_cell_prints_what_the_training_module_reads(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    done = raysl("plan", path, "--show-cell", "warm")
    (tmp_path / "cell.yaml").write_text(done.stdout)
    expected = next(cell for cell in plan_study(load_study(path)) if cell.row == "warm")
    assert cell_id(load_cell(tmp_path / "cell.yaml")) == expected.id
    assert yaml.safe_load(done.stdout)["objective"]["contrastive"]["temperature"] == 0.5
    wrong = raysl("plan", path, "--show-cell", "warn")
    assert (wrong.returncode, wrong.stderr.strip()) == (
        2,
        "error: --show-cell warn: there is no such row (did you mean 'warm'?)",
    )


@pytest.mark.slow
def test_try_step_takes_one_step_of_every_distinct_cell_and_names_what_fails(tmp_path: Path) -> None:
    text = STUDY.replace("rows:", "rows:\n  huge: {training.batch_size: 512}")
    done = raysl("plan", write_study(tmp_path, text, SMALL_RECIPE), "--try-step", "--cache", tmp_path / "cache")
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if "/seed0" in line]
    assert len(lines) == 4
    assert sum(line.startswith("ok") for line in lines) == 3
    failed = next(line for line in lines if line.startswith("failed"))
    assert "study/huge/seed0" in failed
    assert "512" in failed
    assert "16" in failed
    assert all(line.endswith("linear/synthetic, retrieval/synthetic") for line in lines if line.startswith("ok"))


@pytest.mark.slow
def test_try_step_tries_evaluations_too(tmp_path: Path) -> None:
    schedule = "{name: multistep, milestones: [30, 60]}"
    text = STUDY.replace("retrieval/synthetic", "finetune/synthetic") + (
        f"evaluation: {{finetune: {{epochs: 90, batch_size: 16, schedule: {schedule}, clips: 2}}}}\n"
    )
    path = write_study(tmp_path, text, SMALL_RECIPE)
    done = raysl("plan", path, "--try-step", "--cache", tmp_path / "cache", "--set", "rows.warm.clip.frames=8")
    assert done.returncode == 0, done.stdout
    wrong = raysl(
        "plan", path, "--try-step", "--cache", tmp_path / "cache", "--set", "evaluation.finetune.batch_size=17"
    )
    assert wrong.returncode == 1
    failed = [line for line in wrong.stdout.splitlines() if line.startswith("failed")]
    assert len(failed) == 3
    assert "seed0/finetune/synthetic: training.batch_size 17 is larger than the set" in failed[0]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["plan", "absent.yaml"], 2, "absent.yaml: there is no such file or folder"),
        (["status", "STUDY", "--storage", "nosuch://x"], 1, "nosuch"),
        (["plan", "STUDY", "--root", "ucf101"], 2, "write --root NAME=PATH"),
        (
            ["plan", "STUDY", "--root", "syntetic=x"],
            2,
            "--root syntetic: nothing in these studies has this name (",
        ),
        (["run", "UCF101", "--root", "ufc101=x"], 2, "--root ufc101: nothing in these studies has this name (did you"),
        (["status", "STUDY", "--storage", "s3:/bucket/x"], 1, "write s3://bucket/x, or ./s3:/bucket/x for a folder"),
        (["run", "UCF101", "--storage", "STORE"], 1, "--root ucf101="),
        (["status", "STUDY", "--cache", ""], 2, "--cache is empty: give a folder, or leave it out"),
        (["carry", "STORE"], 1, "/store: give the folder or bucket of a results store"),
        (["run", "STUDY", "--storage", "STUDY"], 1, "is a file: give a folder with --storage"),
        (["data", "check", "ufc101"], 2, "did you mean 'ucf101'"),
        (["data", "check", "ucf101"], 1, "--root ucf101="),
        (["data", "check", "ucf101", "--set", "splt=2"], 2, "splt: unknown key (did you mean 'split'?)"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    names = {
        "STUDY": str(write_study(tmp_path)),
        "UCF101": str(Path(__file__).resolve().parents[1] / "search_spaces" / "ucf101_5class.yaml"),
        "STORE": str(tmp_path / "store"),
    }
    done = raysl(*(names.get(argument, argument) for argument in arguments))
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run", "report"])
def test_two_studies_of_one_name_are_refused_before_anything_is_computed(command: str, tmp_path: Path) -> None:
    one, other = write_study(tmp_path / "a"), write_study(tmp_path / "b")
    done = raysl(command, one, other, "--storage", tmp_path / "store", "--reports", tmp_path / "reports")
    assert done.returncode == 2
    assert f"{one} and {other}: both would be reported to study/" in done.stderr
    assert not (tmp_path / "reports").exists()
    assert raysl("plan", one, other).returncode == 0


def test_status_before_any_run_says_missing(tmp_path: Path) -> None:
    done = raysl("status", write_study(tmp_path), "--storage", tmp_path / "store")
    assert done.returncode == 0, done.stderr
    assert "6 missing" in done.stdout


def test_data_check_reads_every_video(tmp_path: Path) -> None:
    options = [f"--set={key}" for key in ("classes=2", "train_per_class=2", "test_per_class=1", "frames=8")]
    places = ("--cache", tmp_path, "--missing", tmp_path / "missing.txt")
    done = raysl("data", "check", "synthetic", *options, *places, "--resize", "32", "--processes", "1")
    assert done.returncode == 0, done.stderr
    assert "6 videos (train 4, test 2)" in done.stdout
    assert "readable               6" in done.stdout
    assert (tmp_path / "missing.txt").read_text() == ""
