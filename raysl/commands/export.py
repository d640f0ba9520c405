"""`raysl export`: a slim store to check in beside a report."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from raysl.commands.inputs import Planned
from raysl.planning.locate import Locator
from raysl.planning.manifests import needed_data, save_manifest
from raysl.planning.plan import unique_work
from raysl.results import open as open_store
from raysl.results.export import slim_copy


def export_slim(planned: list[Planned], storage: str, to: Path, console: Console) -> None:
    """Copies configurations, provenance, evaluations and curves of every cell of the studies, without checkpoints."""
    store, destination = open_store(storage), open_store(to)
    locator = Locator(store)
    work = unique_work(cell for item in planned for cell in item.cells)
    names = [name for item in work if (name := locator.folder(item)) is not None]
    present = [name for name in names if store.named(name).state().status not in ("missing", "broken")]
    slim_copy(store, destination, present)
    for data, _ in needed_data(work).values():
        manifest = locator.manifest(data)
        if manifest is not None:
            save_manifest(destination, data, manifest)
    console.print(f"{len(present)} of {len(work)} cells copied to {to} ({len(work) - len(present)} not in {storage})")
