"""Lengths, speed, threads, heartbeats, provenance: what surrounds the loop."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.cgroup import Limits
from raysl.config.sections import TrainingOptions
from raysl.distributed import cpus_of_rank
from raysl.errors import CellFailure, StorageError
from raysl.training.heartbeat import Heartbeat
from raysl.training.length import Length, training_length
from raysl.training.progress import Pace, Progress
from raysl.training.provenance import COMMIT, code_changes, git_state, hardware, package_versions
from raysl.training.threads import cpu_threads
from tests.training.material import tiny_cell


def test_length_is_counted_in_steps() -> None:
    assert training_length(TrainingOptions(epochs=3, batch_size=4), 5) == Length(15, 5)
    assert training_length(TrainingOptions(epochs=3, batch_size=4, accumulate=2), 5) == Length(6, 2)
    partial = training_length(TrainingOptions(steps=7, batch_size=4), 5)
    assert partial.epochs == 2
    assert [partial.epoch(done) for done in (1, 5, 6, 7)] == [1, 1, 2, 2]
    assert [done for done in range(1, 8) if partial.ends_epoch(done)] == [5, 7]
    with pytest.raises(CellFailure, match=r"1 batches of 4 videos.*accumulate 2"):
        training_length(TrainingOptions(epochs=1, batch_size=4, accumulate=2), 1)


def test_speed_leaves_out_the_first_step_and_adds_up_over_attempts() -> None:
    pace = Pace(8, seconds_before=10.0, clips_before=80)
    assert (pace.clips_per_second, pace.seconds_left(5), pace.measured) == (0.0, None, (10.0, 80))
    pace.step(100.0, 99.0)
    assert (pace.clips_per_second, pace.seconds_left(5), pace.measured) == (0.0, None, (10.0, 80))
    pace.step(2.0, 0.5)
    pace.step(4.0, 1.0)
    assert pace.data_wait_share == 0.25
    assert pace.clips_per_second == pytest.approx(16 / 6)
    assert pace.seconds_left(5) == pytest.approx(15.0)
    assert pace.measured == (16.0, 96)


def test_a_progress_line_can_be_read() -> None:
    line = Progress(2, 4, 30, 60, 12.34, 1.5, 90.2).line()
    assert line == "epoch 2/4, step 30/60, loss 1.5000, 12.3 clips/s, 90 s left"
    assert "left" not in Progress(1, 1, 1, 2, 0.0, 1.5, None).line()
    waiting = Progress(2, 4, 30, 60, 12.34, 1.5, 90.2, data_wait_share=0.312).line()
    assert "12.3 clips/s, 31% of the time waiting for clips, 90 s left" in waiting


def test_threads_are_those_asked_for_and_put_back() -> None:
    before = torch.get_num_threads()
    with cpu_threads(tiny_cell(**{"training.threads": 3})) as threads:
        assert threads == torch.get_num_threads() == 3
    assert torch.get_num_threads() == before


def test_ranks_of_a_machine_share_its_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    for name in ("OMP_NUM_THREADS", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    assert cpus_of_rank() == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert cpus_of_rank() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cpus_of_rank() == 1
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job")
    assert cpus_of_rank() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    monkeypatch.setattr("raysl.distributed.cgroup_limits", lambda: Limits(cpus=3.5))
    assert cpus_of_rank() == 4, "a container's quota"


def test_a_heartbeat_goes_on_and_says_the_newest_state() -> None:
    beats: list[dict[str, object]] = []
    updated, enough = threading.Event(), threading.Event()

    def beat(state: dict[str, object]) -> None:
        beats.append(state)
        if state:
            enough.set()
        elif len(beats) == 1:
            raise StorageError("the store is away for a moment")
        updated.wait(10)

    with Heartbeat(beat, interval=0.001) as heartbeat:
        heartbeat.update({"step": 3})
        updated.set()
        assert enough.wait(10)
    assert beats[-1] == {"step": 3}
    count = len(beats)
    assert not any(thread.name == "raysl-heartbeat" for thread in threading.enumerate())
    assert len(beats) == count


def test_the_commit_and_whether_files_differ_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COMMIT, raising=False)
    assert git_state(tmp_path) == {"commit": "unknown", "dirty": None}
    monkeypatch.setenv(COMMIT, "given")
    assert git_state(tmp_path) == {"commit": "given", "dirty": None}

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    (tmp_path / "raysl").mkdir()
    code, notes = tmp_path / "raysl" / "code.py", tmp_path / "notes"
    git("init")
    code.write_text("one\n")
    notes.write_text("one\n")
    git("add", ".")
    git("commit", "-m", "first")
    assert git_state(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    assert code_changes(tmp_path) == b""
    notes.write_text("a password\n")
    assert git_state(tmp_path)["dirty"] is True
    assert code_changes(tmp_path) == b"", "what is beside the package is left alone"
    code.write_bytes(b"tw\xff\n")
    assert code_changes(tmp_path).endswith(b"\n-one\n+tw\xff\n")
    monkeypatch.setattr("raysl.training.provenance.MOST_CHANGES", 20)
    assert code_changes(tmp_path)[20:].startswith(b"\n# cut: the whole has ")


def test_hardware_and_versions_are_plain_and_name_no_machine() -> None:
    record: dict[str, Any] = {"hardware": hardware(torch.device("cpu")), "packages": package_versions()}
    text = json.dumps(record)
    assert record["hardware"]["cpus"] >= 1
    assert record["hardware"]["gpu"] is None
    assert record["packages"]["torch"].startswith("2.")
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text
