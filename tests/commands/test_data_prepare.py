"""``raysl data prepare``: what is printed, and killed and run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raysl.commands.data import chosen_set
from raysl.commands.data_prepare import print_prepare, short_side_of
from raysl.commands.terminal import PlainConsole
from raysl.data.places import Places
from raysl.data.prepare_video import CopyOptions
from raysl.errors import ConfigError
from tests.data.rendered import moving_square, write_video
from tests.planning.studies import STUDY, write_study


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    for name in ("run", "walk"):
        for number in range(3):
            write_video(folder / name / f"{number}.mp4", moving_square(8, seed=number))
    (folder / "run" / "2.mp4").write_bytes(b"")
    return folder


def printed(root: Path, to: Path, name: str = "folder") -> str:
    console = PlainConsole(width=160, record=True, quiet=False, file=(root.parent / "out").open("w"))
    data, places = chosen_set("folder", [], None, None), Places({name: root}, root.parent / "cache", given=(name,))
    print_prepare(data, places, to, CopyOptions(32), 1, console)
    return console.export_text()


def test_everything_is_counted(root: Path, tmp_path: Path) -> None:
    lines = [" ".join(line.split()) for line in printed(root, tmp_path / "to").splitlines()]
    assert "folder: copies with short side 32, a keyframe every 12 frames, quality 20" in lines
    assert "videos 6" in lines
    assert "written 6" in lines
    assert "kept 0 (finished before)" in lines
    assert "unreadable 1 (these are copied as they are)" in lines
    assert "run/2.mp4: cannot be opened as a video: Invalid data found when processing input" in lines
    assert f"as a root of the same data set: --root folder={tmp_path / 'to'}" in lines
    assert any(" more videos of " in line and " free" in line for line in lines)
    assert "kept                   6 (finished before)" in printed(root, tmp_path / "to")


def test_a_root_of_another_name_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--root foldr"):
        printed(root, tmp_path / "to", "foldr")


def test_the_short_side_is_what_the_study_resizes_to(tmp_path: Path) -> None:
    study = write_study(tmp_path, STUDY + "\nscales: {laptop: {set: {clip.resize: 65, clip.size: 64}}}\n")
    assert short_side_of(None, None, None) == 128
    assert short_side_of(study, "laptop", None) == 66
    assert short_side_of(study, "laptop", 48) == 48
    with pytest.raises(ConfigError, match=r"--short-side 47: H\.264 needs an even number"):
        short_side_of(None, None, 47)


@pytest.mark.slow
def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """Two processes copy, and all are killed in the midst of it."""
    root, to = tmp_path / "root", tmp_path / "to"
    write_video(root / "a" / "0.mp4", moving_square(160, 96, 128))
    for number in range(1, 8):
        for name in "ab":
            (root / name).mkdir(exist_ok=True)
            (root / name / f"{number}.mp4").write_bytes((root / "a" / "0.mp4").read_bytes())
    command = [sys.executable, "-m", "raysl", "data", "prepare", "folder", "--set", "labels=none"]
    command += ["--root", f"folder={root}", "--to", str(to), "--cache", str(tmp_path / "cache"), "--processes", "2"]
    running = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(to.rglob("*.mp4"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    done = {path: path.stat().st_mtime_ns for path in to.rglob("[0-9]*.mp4")}
    assert 3 <= len(done) < 15
    ended = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = int(next(line.split()[1] for line in ended.splitlines() if line.startswith("kept")))
    assert len(done) - 2 <= kept <= len(done)  # of a killed process, a copy may lack its line
    assert sum(path.stat().st_mtime_ns == when for path, when in done.items()) == kept
    assert len(list(to.rglob("[0-9]*.mp4"))) == 15
    assert not list(to.rglob("*.part"))
