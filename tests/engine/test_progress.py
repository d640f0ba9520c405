"""What a person is told while a run goes on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from raysl.data.places import Places
from raysl.engine import display
from raysl.engine.cell_job import CellJob
from raysl.engine.display import Display
from raysl.engine.progress import Note, Phase, Reading, shown_seconds, snapshot
from raysl.results import open as open_store
from raysl.training.progress import Progress


def a_job(cell: str, pretraining: str = "self_supervised", workers: int = 1) -> CellJob:
    config = {"pretraining": pretraining, "training": {"workers": workers}, "clip": {"resize": 32}}
    places = Places({}, Path("cache"))
    return CellJob(cell, f"study/{cell}/seed0", config, "0", open_store("store"), places, (), {}, pretrained=False)


def at(epoch: int, left: float | None) -> Progress:
    return Progress(epoch=epoch, epochs=4, step=epoch, steps=4, clips_per_second=30.0, loss=1.0, seconds_left=left)


def test_time_left_is_unknown_until_a_cell_of_each_kind_has_a_speed() -> None:
    jobs = [a_job("a"), a_job("b"), a_job("c", "none")]
    entries = {"a": {"stage": "pretraining", "started": 0.0, "changed": 10.0, "progress": at(1, 30.0)}}
    assert snapshot(entries, jobs, 0, 0, at_once=1, now=10.0, began=0.0).seconds_left is None
    entries["c"] = {"stage": "ended", "started": 0.0, "changed": 6.0}
    # a has 30 s left, b takes the 40 s that a takes in all.
    assert snapshot(entries, jobs, 0, 0, at_once=1, now=10.0, began=0.0).seconds_left == pytest.approx(70.0)
    assert snapshot(entries, jobs, 0, 0, at_once=2, now=10.0, began=0.0).seconds_left == pytest.approx(35.0)


def test_counts_hold_what_the_store_held_before() -> None:
    jobs = [a_job(name) for name in "abcd"]
    entries = {
        "a": {"stage": "ended", "started": 0.0, "changed": 5.0},
        "b": {"stage": "ended", "started": 0.0, "changed": 5.0, "failed": "NaN"},
        "c": {"stage": "ended", "started": 0.0, "changed": 5.0, "error": "the disk is full"},
        "d": {"stage": "pretraining", "started": 5.0, "changed": 9.0, "progress": at(2, 8.0)},
    }
    seen = snapshot(entries, jobs, done_before=3, failed_before=1, at_once=1, now=9.0, began=0.0)
    assert (seen.done, seen.failed, seen.stopped, seen.total) == (4, 2, 1, 8)
    assert seen.line() == "4/8 cells done, 1 running, 2 failed, 1 stopped, about 8 s left"
    assert [running.line() for running in seen.running] == ["study/d/seed0: epoch 2/4, 30 clips/s, 8 s left"]


@pytest.mark.parametrize(("seconds", "text"), [(4.6, "5 s"), (150, "2 min"), (7200, "2.0 h")])
def test_durations(seconds: float, text: str) -> None:
    assert shown_seconds(seconds) == text


def test_plain_output_keeps_notes_and_phases_and_thins_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "PLAIN_SECONDS", 1000.0)
    text = io.StringIO()
    with Display(Console(file=text, width=80)) as show:
        show(Phase("data"))
        show(Reading("ucf101", "reading", 1, 9))
        show(Reading("ucf101", "reading", 2, 9))
        show(Note("data set ucf101: 9 videos"))
        show(Phase("data", 1.25))
        jobs = [a_job("a")]
        show(snapshot({"a": {"stage": "starting", "started": 0.0, "changed": 0.0}}, jobs, 0, 0, 1, 1.0, 0.0))
        show(snapshot({"a": {"stage": "ended", "started": 0.0, "changed": 2.0}}, jobs, 0, 0, 1, 2.0, 0.0))
    lines = [line.split("] ", 1)[1] for line in text.getvalue().splitlines()]
    assert lines == [
        "reading data set ucf101: 1/9 videos",
        "data set ucf101: 9 videos",
        "data: 1.2 s",
        "1/1 cells done, 0 running, 0 failed, about 0 s left",
    ]


def test_a_terminal_gets_a_live_block_with_one_line_a_cell() -> None:
    text = io.StringIO()
    jobs = [a_job("a"), a_job("b")]
    entries = {"a": {"stage": "pretraining", "started": 0.0, "changed": 9.0, "progress": at(3, None)}}
    with Display(Console(file=text, width=100, force_terminal=True)) as show:
        show(snapshot(entries, jobs, 0, 0, 2, 10.0, 0.0))
    assert "0/2 cells done, 1 running, 0 failed, estimating time left" in text.getvalue()
    assert "study/a/seed0: epoch 3/4, 30 clips/s, estimating" in text.getvalue()
