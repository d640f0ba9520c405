"""`raysl status`: what is done, running, failed or missing, and why."""

from __future__ import annotations

from collections import Counter

from rich.table import Table

from raysl.commands.inputs import Planned
from raysl.commands.searches import search_line, with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.results import KEPT, Found, Shelf


def print_status(planned: list[Planned], shelf: Shelf, console: PlainConsole) -> None:
    """One line a cell, and the counts of each study."""
    for item in with_known_best(planned, shelf):
        title = f"{item.study.options.title.strip()}  [{item.study.name}, scale {item.study.scale}]"
        table = Table(title=title, title_justify="left")
        for heading in ("row", "seed", "cell", "state", "evaluations", "note"):
            table.add_column(heading, overflow="fold")
        counts: Counter[str] = Counter()
        failed = False
        for cell in item.cells:
            found = shelf.find(cell)
            counts[found.state.status] += 1
            failed = failed or found.failed
            done = sum(one.status == "done" for one in found.evaluations)
            evaluations = f"{done}/{len(found.evaluations)}"
            seed = f"{cell.seed}" if cell.fold is None else f"{cell.seed}, fold {cell.fold}"
            line = (cell.row, seed, cell.id, found.state.status, evaluations, _note(found))
            table.add_row(*line)
        console.print(table)
        line_of_search = search_line(item, shelf)
        if line_of_search is not None:
            console.print(line_of_search)
        console.print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
        if failed:
            console.print(KEPT)


def _note(found: Found) -> str:
    """Why it failed or could not be computed, where else it is done, and how far it is."""
    state = found.state
    notes = [text for text in (state.reason, found.elsewhere) if text]
    if state.status == "done":
        for one in found.evaluations:
            if one.reason:
                what = "failed" if one.status == "failed" else "missing"
                notes.append(f"evaluation {one.label} {what}: {one.reason}")
    if state.progress and state.status in ("running", "interrupted"):
        notes.append(_progress(state.progress))
    return "; ".join(notes)


def _progress(progress: dict[str, object]) -> str:
    """``epoch 3 of 20, loss 5.2, 28 clips/s, 178 s left``"""
    shown = []
    if "epoch" in progress:
        shown.append(f"epoch {progress['epoch']} of {progress.get('epochs', '?')}")
    for key, text in (
        ("loss", "loss {:.3g}"),
        ("clips_per_second", "{:.0f} clips/s"),
        ("seconds_left", "{:.0f} s left"),
    ):
        value = progress.get(key)
        if isinstance(value, int | float):
            shown.append(text.format(value))
    return ", ".join(shown)
