"""The whole command: its lines, its JSON, its exit status, and that one broken part does not hide the others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from raysl.commands.doctor import CHECKS, DoctorOptions, examine
from raysl.commands.doctor.finding import without_home
from tests.test_cli import raysl

TOPICS = {"raysl", "Python", "platform", "cores", "memory", "shared memory", "open files", "processes", "output"}
TOPICS |= {"GPU", "Ray", "PyAV", "decord", "cache", "store"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAYSL_CONFIG_HOME", "RAYSL_CACHE", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_topic_has_a_line_and_nothing_stays(home: Path) -> None:
    done = raysl("doctor")
    lines = done.stdout.splitlines()
    said = {line[9:24].strip() for line in lines if line.startswith(("ok ", "warning ", "failed "))}
    assert said >= TOPICS, done.stdout
    assert done.returncode == 0, done.stdout
    assert lines[-1].startswith("0 failed, ")
    assert [path.name for path in home.iterdir()] == []


def test_what_failed_sets_the_exit_status_and_says_what_to_do(home: Path) -> None:
    done = raysl("doctor", "--root", f"ucf101={home / 'gone'}")
    (line,) = (line for line in done.stdout.splitlines() if "root ucf101" in line)
    assert line.startswith("failed")
    assert done.returncode == 1


def test_json_for_a_bug_report_names_no_home_folder(home: Path) -> None:
    (home / "videos").mkdir()
    done = raysl("doctor", "--json", "--root", f"folder={home / 'videos'}")
    found = json.loads(done.stdout)
    assert {one["topic"] for one in found["findings"]} >= TOPICS
    assert found["failed"] == 0
    assert "~/videos" in done.stdout
    assert str(home) not in done.stdout


def test_a_blank_ray_address_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", " ")
    done = raysl("doctor")
    assert done.returncode == 1
    assert "unset it" in done.stdout


def test_an_address_alone_is_refused() -> None:
    done = raysl("doctor", "--address", "auto")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--ray" in done.stderr


def test_a_check_that_breaks_is_said_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tuple((topic, "no_such_module" if topic == "GPU" else module, name) for topic, module, name in CHECKS)
    monkeypatch.setattr("raysl.commands.doctor.CHECKS", broken)
    found = {one.topic: one for one in examine(DoctorOptions())}
    assert found["GPU"].state == "failed"
    assert "no_such_module" in found["GPU"].text
    assert found["store"].state == "ok"


@pytest.mark.slow
@pytest.mark.parametrize(("package", "also"), [("torch", {"GPU"}), ("pyarrow", {"roots", "cache", "store"})])
def test_a_package_that_is_not_installed_is_named_and_the_rest_is_said(package: str, also: set[str]) -> None:
    block = f"import sys; sys.modules[{package!r}] = None; sys.argv = ['raysl', 'doctor', '--json']; "
    command = [sys.executable, "-c", block + "from raysl.cli import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    states = {one["topic"]: one["state"] for one in json.loads(done.stdout)["findings"]}
    failed = {topic for topic, state in states.items() if state == "failed"}
    assert {package, *also} <= failed
    assert not failed & {"packages", "platform", "cores", "memory", "processes", "Ray", "PyAV"}, failed


def test_only_a_whole_home_folder_is_left_out(home: Path) -> None:
    assert without_home(home / "a") == "~/a"
    assert without_home(f"{home}2/a") == f"{home}2/a"
