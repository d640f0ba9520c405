"""`raysl export`: a slim store to check in with a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from raysl.commands.inputs import Planned
from raysl.commands.searches import search_name, with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import unique_cells
from raysl.results import Shelf, Store, slim_copy, slim_search, titles_of
from raysl.results import open as open_store


def export_slim(planned: list[Planned], shelf: Shelf, to: Path, console: PlainConsole) -> None:
    """Copies configurations, provenance, evaluations and curves of every cell of the studies, without checkpoints."""
    destination, shelf = open_store(to), replace(shelf, store=shelf.store.kept())
    planned = with_known_best(planned, shelf)
    found = shelf.find_all(unique_cells(cell for item in planned for cell in item.cells))
    titles = {
        one.folder.name: one.cell.title for one in found if one.folder is not None and one.state.status != "missing"
    }
    copied = slim_copy(
        shelf.store,
        destination,
        titles,
        lambda name, error: console.print(f"left out: {titles[name]}: {error}"),
    )
    for item in planned:
        destination.save_titles(item.study.report_name, titles_of(item.cells, item.study.scale))
        _export_search(item, shelf, destination, console)
    left_out, absent = len(titles) - len(copied), len(found) - len(titles)
    console.print(
        f"{len(copied)} of {len(found)} cells copied to {to} ({absent} not in the store, {left_out} left out)"
    )


def _export_search(item: Planned, shelf: Shelf, destination: Store, console: PlainConsole) -> None:
    """Copies the records of the study's search, if it has any."""
    search = item.study.search
    name = None if search is None else search_name(search, shelf)
    if name is None or not shelf.store.search(name).trials():
        return
    slim_search(shelf.store, destination, name)
    trials = len(shelf.store.search(name).trials())
    console.print(f"{trials} trials of the search of {item.study.name} copied to the same place")
