"""What a run shows while it goes on."""

from __future__ import annotations

import io

import pytest

from raysl.commands import display
from raysl.commands.display import Display
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell
from raysl.results import CellState, StoredCell
from raysl.training.progress import Progress
from raysl.work.events import CellProgress, Note, Overview, Phase, Reading, Running, shown_seconds
from raysl.work.overview import overview
from tests.cells import tiny_cell


def a_task(row: str, pretraining: str = "self_supervised") -> StoredCell:
    """A cell, different for each row, of which nothing is there."""
    config = tiny_cell({"pretraining": pretraining, "clip.frames": 4 + ord(row[0]) % 8})
    return StoredCell(Cell(config, study="study", row=row), None, CellState("missing"))


def seen(said: dict[str, CellProgress], tasks: list[StoredCell], **more: float) -> Overview:
    """The overview of what tasks said, by their rows."""
    keys = {task.cell.row: task.cell.key for task in tasks}
    options = {"done_before": 0, "failed_before": 0, "at_once": 1, "now": 10.0, "began": 0.0, **more}
    return overview({keys[row]: one for row, one in said.items()}, tasks, **options)  # type: ignore[arg-type]


def at(epoch: int, left: float | None) -> Progress:
    return Progress(epoch=epoch, epochs=4, step=epoch, steps=4, clips_per_second=30.0, loss=1.0, seconds_left=left)


def test_time_left_is_unknown_until_a_cell_of_each_kind_has_a_speed() -> None:
    tasks = [a_task("a"), a_task("b"), a_task("c", "none")]
    said = {"a": CellProgress(0.0, 10.0, "pretraining", at(1, 30.0))}
    assert seen(said, tasks).seconds_left is None
    said["c"] = CellProgress(0.0, 6.0, "ended")
    # a has 30 s left, b takes the 40 s that a takes in all.
    assert seen(said, tasks).seconds_left == pytest.approx(70.0)
    assert seen(said, tasks, at_once=2).seconds_left == pytest.approx(35.0)


def test_a_stage_counts_from_its_own_beginning() -> None:
    """A cell that trained for an hour said "evaluating, 60 min" from the first second on."""
    said = {
        "a": CellProgress(0.0, 9.0, "evaluating", staged=3598.0),
        "b": CellProgress(3590.0, 9.0),
    }
    running = seen(said, [a_task("a"), a_task("b")], now=3600.0).running
    assert [one.line() for one in running] == ["study/a/seed0: evaluating, 2 s", "study/b/seed0: starting, 10 s"]


def test_counts_hold_what_the_store_held_before() -> None:
    tasks = [a_task(name) for name in "abcd"]
    said = {
        "a": CellProgress(0.0, 5.0, "ended"),
        "b": CellProgress(0.0, 5.0, "ended", failed="NaN"),
        "c": CellProgress(0.0, 5.0, "ended", error="the disk is full"),
        "d": CellProgress(5.0, 9.0, "pretraining", at(2, 8.0)),
    }
    found = seen(said, tasks, done_before=3, failed_before=1, now=9.0)
    assert (found.done, found.failed, found.stopped, found.total) == (4, 2, 1, 8)
    assert found.line() == "4/8 cells done, 1 running, 2 failed, 1 stopped, about 8 s left"
    assert [running.line() for running in found.running] == ["study/d/seed0: epoch 2/4, 30 clips/s, 8 s left"]


def test_a_line_says_that_a_cell_fine_tunes() -> None:
    progress = Progress(2, 50, 9, 200, 35.0, 1.5, 40.0)
    line = Running("SimCLR/seed1", "fine-tuning", 60.0, progress).line()
    assert line == "SimCLR/seed1: fine-tuning, epoch 2/50, 35 clips/s, 40 s left"
    waiting = Progress(2, 50, 40, 1000, 35.1, 1.0, 40.0, data_wait_share=0.42)
    line = Running("SimCLR/seed1", "pretraining", 3.0, waiting).line()
    assert line == "SimCLR/seed1: epoch 2/50, 35 clips/s, 42% of the time waiting for clips, 40 s left"


@pytest.mark.parametrize(("seconds", "text"), [(4.6, "5 s"), (150, "2 min"), (7200, "2.0 h")])
def test_durations(seconds: float, text: str) -> None:
    assert shown_seconds(seconds) == text


def test_plain_output_keeps_notes_and_phases_and_thins_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "PLAIN_SECONDS", 1000.0)
    text = io.StringIO()
    with Display(PlainConsole(file=text, width=80)) as show:
        show(Phase("data"))
        show(Reading("ucf101", "reading", 1, 9))
        show(Reading("ucf101", "reading", 2, 9))
        show(Note("data set ucf101: 9 videos"))
        show(Phase("data", 1.25))
        tasks = [a_task("a")]
        show(seen({"a": CellProgress(0.0, 0.0)}, tasks, now=1.0))
        show(seen({"a": CellProgress(0.0, 2.0, "ended")}, tasks, now=2.0))
    lines = [line.split("] ", 1)[1] for line in text.getvalue().splitlines()]
    assert lines == [
        "reading data set ucf101: 1/9 videos",
        "data set ucf101: 9 videos",
        "data: 1.2 s",
        "1/1 cells done, 0 running, 0 failed, about 0 s left",
    ]


def test_a_terminal_gets_a_live_block_with_one_line_a_cell() -> None:
    text = io.StringIO()
    tasks = [a_task("a"), a_task("b")]
    said = {"a": CellProgress(0.0, 9.0, "pretraining", at(3, None))}
    with Display(PlainConsole(file=text, width=100, force_terminal=True)) as show:
        show(seen(said, tasks, at_once=2))
    assert "0/2 cells done, 1 running, 0 failed, estimating time left" in text.getvalue()
    assert "study/a/seed0: epoch 3/4, 30 clips/s, estimating" in text.getvalue()
