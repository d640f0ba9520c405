"""`raysl export`: a slim store to check in beside a report."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from raysl.commands.inputs import Planned
from raysl.commands.searches import with_known_best
from raysl.config.component import Chosen
from raysl.planning.locate import Locator
from raysl.planning.manifests import needed_data, save_manifest
from raysl.planning.plan import unique_work
from raysl.results import open as open_store
from raysl.results.export import slim_copy, slim_search
from raysl.results.store import Store


def export_slim(planned: list[Planned], storage: str, to: Path, console: Console) -> None:
    """Copies configurations, provenance, evaluations and curves of every cell of the studies, without checkpoints."""
    store, destination = open_store(storage), open_store(to)
    locator, planned = Locator(store), with_known_best(planned, store)
    work = unique_work(cell for item in planned for cell in item.cells)
    names = [name for item in work if (name := locator.folder(item)) is not None]
    present = [name for name in names if store.named(name).state().status not in ("missing", "broken")]
    slim_copy(store, destination, present)
    sets = [data for data, _ in needed_data(work).values()]
    for item in planned:
        sets += _export_search(item, store, destination, console)
    for data in sets:
        manifest = locator.manifest(data)
        if manifest is not None:
            save_manifest(destination, data, manifest)
    console.print(f"{len(present)} of {len(work)} cells copied to {to} ({len(work) - len(present)} not in {storage})")


def _export_search(item: Planned, store: Store, destination: Store, console: Console) -> list[Chosen]:
    """Copies the records of the study's search, if it has any; the data sets that a reader of them needs to know."""
    search = item.study.search
    name = None if search is None else Locator(store).search(search)
    if search is None or name is None or not store.search(name).trials():
        return []
    slim_search(store, destination, name)
    console.print(
        f"{len(store.search(name).trials())} trials of the search of {item.study.name} copied to the same place"
    )
    return [search.base.cell.data, search.data]
