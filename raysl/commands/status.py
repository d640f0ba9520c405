"""`raysl status`: what is done, running, failed or missing, and why; once, or until all has ended."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from signal import Signals

from rich.table import Table

from raysl.commands.display import Display
from raysl.commands.inputs import Planned
from raysl.commands.searches import search_line, trials_of, with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import unique_cells
from raysl.results import KEPT, Shelf, StoredCell
from raysl.signals import received
from raysl.training.monitored import Monitored
from raysl.training.progress import Progress, shown_memory
from raysl.work.claims import others
from raysl.work.events import Note, Overview, Running, shown_seconds

WATCH_SECONDS = 5.0
"""Seconds between two reads of the store."""


def watch(
    planned: list[Planned], look: Callable[[], Shelf], console: PlainConsole, seconds: float = WATCH_SECONDS
) -> None:
    """Shows the progress of cells until all are done or failed, or until Ctrl-C; then how they ended.

    Args:
        look: opens the store again.
    """
    began, told = time.time(), set[str]()
    try:
        with Display(console) as display:
            while True:
                shelf = _kept(look())
                known = with_known_best(planned, shelf)
                found = shelf.find_all(unique_cells(cell for item in known for cell in item.cells))
                for one in found:
                    if one.own == "failed" and one.cell.key not in told:
                        told.add(one.cell.key)
                        display(Note(f"{one.cell.title}: failed: {one.reason}"))
                searching = _searching(known, shelf)
                display(_overview(found, shelf, searching, began))
                if not searching and all(one.own != "missing" for one in found):
                    break
                time.sleep(seconds)
    except KeyboardInterrupt:
        if received() not in (None, Signals.SIGINT):
            raise
        return
    print_status(planned, shelf, console)


def _kept(shelf: Shelf) -> Shelf:
    return replace(shelf, store=shelf.store.kept())


def _searching(planned: list[Planned], shelf: Shelf) -> str:
    """The remaining trials of the studies' searches."""
    searches = [(item, item.study.search) for item in planned if item.study.search is not None]
    lines = [search_line(item, shelf) for item, search in searches if search.missing(trials_of(search, shelf))]
    return "; ".join(line for line in lines if line is not None)


def _overview(found: Sequence[StoredCell], shelf: Shelf, searching: str, began: float) -> Overview:
    """The progress as a run itself shows it, from the store's heartbeats and claims."""
    now = time.time()
    running = tuple(one for one in (_running(item, shelf, now) for item in found) if one is not None)
    states = Counter(one.own for one in found)
    lefts = [None if one.progress is None else one.progress.seconds_left for one in running]
    known = [left for left in lefts if left is not None]
    waiting = states["missing"] - len(running)
    took = [60.0 * float(one.state.progress.get("minutes") or 0.0) for one in found if one.state.status == "done"]
    left = None
    if running and len(known) == len(running) and (took or not waiting):
        left = max(known) + (statistics.mean(took) * waiting / len(running) if waiting else 0.0)
    return Overview(now - began, states["done"], states["failed"], 0, len(found), running, left, searching)


def _running(found: StoredCell, shelf: Shelf, now: float) -> Running | None:
    """A running cell; None if no run works on it."""
    if found.own != "missing" or found.folder is None:
        return None
    claims, training = others(shelf.store, found.folder.name, ""), found.state.status == "running"
    if not claims and not training:
        return None
    progress = _as_progress(found.state.progress) if training else None
    stage = "pretraining" if training else "evaluating" if found.state.status == "done" else "starting"
    return Running(found.cell.title, stage, max(0.0, now - min([one.since for one in claims], default=now)), progress)


def _as_progress(beat: dict[str, object]) -> Progress | None:
    """The progress in a heartbeat; None before the first report."""
    numbers = {key: value for key, value in beat.items() if isinstance(value, int | float)}
    if not {"epoch", "epochs", "step", "steps", "clips_per_second", "loss"} <= numbers.keys():
        return None
    return Progress(
        epoch=int(numbers["epoch"]),
        epochs=int(numbers["epochs"]),
        step=int(numbers["step"]),
        steps=int(numbers["steps"]),
        clips_per_second=numbers["clips_per_second"],
        loss=numbers["loss"],
        seconds_left=numbers.get("seconds_left"),
        data_wait_share=numbers.get("data_wait_share", 0.0),
        monitored=Monitored.from_dict(beat),
        peak_memory_gib=numbers.get("peak_memory_gib"),
    )


def print_status(planned: list[Planned], shelf: Shelf, console: PlainConsole) -> None:
    """One line per cell, and the counts of each study."""
    shelf = _kept(shelf)
    for item in with_known_best(planned, shelf):
        title = f"{item.study.options.title.strip()}  [{item.study.name}, scale {item.study.scale}]"
        table = Table(title=title, title_justify="left")
        for heading in ("row", "seed", "cell", "state", "evaluations", "note"):
            table.add_column(heading, overflow="fold")
        counts: Counter[str] = Counter()
        failed = False
        for cell, found in zip(item.cells, shelf.find_all(item.cells), strict=True):
            counts[found.state.status] += 1
            failed = failed or found.failed
            done = sum(one.status == "done" for one in found.evaluations)
            evaluations = f"{done}/{len(found.evaluations)}"
            seed = f"{cell.seed}" if cell.fold is None else f"{cell.seed}, fold {cell.fold}"
            line = (cell.row, seed, cell.id, found.state.status, evaluations, _note(found))
            table.add_row(*line)
            for one in found.evaluations:
                if one.behind is not None:
                    state = one.behind.state.status
                    table.add_row(f"  {one.label}", seed, one.behind.cell.id, state, "", _note(one.behind))
        console.print(table)
        line_of_search = search_line(item, shelf)
        if line_of_search is not None:
            console.print(line_of_search)
        console.print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
        if failed:
            console.print(KEPT)


def _note(found: StoredCell) -> str:
    """Why it failed or could not be computed, where else it is done, and its progress."""
    state = found.state
    notes = [text for text in (state.reason, found.elsewhere) if text]
    if state.status == "done":
        for one in found.evaluations:
            if one.reason:
                what = "failed" if one.status == "failed" else "missing"
                notes.append(f"evaluation {one.label} {what}: {one.reason}")
        if state.progress.get("collapsed"):
            notes.append(f"{state.progress['collapsed']}")
    if state.progress and state.status in ("running", "interrupted"):
        notes.append(_progress(state.progress, running=state.status == "running"))
    return "; ".join(notes)


def _progress(progress: dict[str, object], *, running: bool) -> str:
    """``epoch 3 of 20, loss 5.2, 28 clips/s, 3 min left``; of an interrupted cell without speed and time left."""
    shown = []
    if "epoch" in progress:
        shown.append(f"epoch {progress['epoch']} of {progress.get('epochs', '?')}")
    numbers = {key: value for key, value in progress.items() if isinstance(value, int | float)}
    if "loss" in numbers:
        shown.append(f"loss {numbers['loss']:.3g}")
    if running and "clips_per_second" in numbers:
        shown.append(f"{numbers['clips_per_second']:.0f} clips/s{shown_memory(numbers.get('peak_memory_gib'))}")
    if running and "seconds_left" in numbers:
        shown.append(f"{shown_seconds(numbers['seconds_left'])} left")
    looked = Monitored.from_dict(progress)
    shown += [] if looked is None else [looked.text(), *([looked.collapsed] if looked.collapsed else [])]
    return ", ".join(shown)
