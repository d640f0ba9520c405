"""`raysl run`: compute what is missing, then the tables."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from raysl.commands.inputs import Planned, refuse_one_name
from raysl.commands.plan import print_advice
from raysl.commands.report import write_reports
from raysl.commands.searches import search_line, trials_of, with_known_best
from raysl.data.places import Places
from raysl.engine.display import Display
from raysl.engine.run import RunOutcome
from raysl.engine.run import run_studies as compute
from raysl.engine.run_searches import TitledSearch, reads, run_searches
from raysl.errors import DataError
from raysl.models.inflate import inflated_from, weights_file
from raysl.planning.manifests import needed_data, stored_manifest
from raysl.planning.plan import Work, unique_work
from raysl.results import Store
from raysl.results import open as open_store
from raysl.training.check import check_cell


def run_studies(
    planned: list[Planned],
    storage: str,
    places: Places,
    reports: Path,
    *,
    console: Console,
    address: str | None = None,
    retry_failed: bool = False,
    max_concurrent: int | None = None,
) -> int:
    """Computes the missing cells of the studies, prints and writes their tables.

    Returns:
        How many cells and searches are not complete.
    """
    refuse_one_name(planned)
    started = time.perf_counter()
    store = open_store(storage)
    searches = [TitledSearch(item.study.name, item.study.search) for item in planned if item.study.search is not None]
    if searches:
        _search(searches, store, places, console, address, retry_failed, max_concurrent)
        planned = with_known_best(planned, store)
    cells = [cell for item in planned for cell in item.cells]
    work = unique_work(cells)
    for item in work:
        check_cell(item.cell)
    if address is None:
        check_roots(work, store, places)
    console.print(f"{len(cells)} cells asked for, {len(work)} unique; store: {storage}", highlight=False)
    print_advice(cells, console)
    with Display(console) as display:
        outcome = compute(
            work,
            store,
            places,
            address=address,
            retry_failed=retry_failed,
            on_event=display,
            max_concurrent=max_concurrent,
        )
    written = time.perf_counter()
    write_reports(planned, storage, reports, console)
    outcome.seconds["report"] = time.perf_counter() - written
    _close(outcome, time.perf_counter() - started, console)
    return len(outcome.failed) + len(outcome.missing) + open_searches(planned, store, console)


def open_searches(planned: list[Planned], store: Store, console: Console) -> int:
    """Says which searches lack trials, as those whose process could not read the store; returns how many do."""
    count = 0
    for item in planned:
        search = item.study.search
        if search is not None and search.missing(trials_of(search, store)):
            console.print(f"{item.study.name}: {search_line(item, store)}", highlight=False, soft_wrap=True)
            count += 1
    return count


def _search(
    searches: list[TitledSearch],
    store: Store,
    places: Places,
    console: Console,
    address: str | None,
    retry_failed: bool,
    max_concurrent: int | None,
) -> None:
    """Tries what the searches lack, before anything is known of their best."""
    if address is None:
        check_roots([work for one in searches for work in reads(one)], store, places)
    console.print(f"{len(searches)} searches, then what they found", highlight=False)
    with Display(console) as display:
        run_searches(
            searches,
            store,
            places,
            address=address,
            retry_failed=retry_failed,
            on_event=display,
            max_concurrent=max_concurrent,
        )


def check_roots(work: list[Work], store: Store, places: Places) -> None:
    """Refuses, before Ray is started, a run on this machine of data sets and weights nobody said where to find.

    Raises:
        DataError: no root was given for a data set, and the store does not know it from an earlier run either.
        ConfigError: no file was given for weights to inflate, and the store does not hold the cell that needs them.
    """
    for data, _ in needed_data(work).values():
        try:
            places.root(data)
        except DataError:
            if stored_manifest(store, data) is None:
                raise
    files = {item.id: inflated_from(item.cell.backbone.options) for item in work}
    if any(files.values()):
        done = {folder.name.partition("-")[0] for folder in store.cells() if folder.state().status == "done"}
        for id, name in files.items():
            if name is not None and id not in done:
                weights_file(name, places.roots)


def _close(outcome: RunOutcome, seconds: float, console: Console) -> None:
    """The last lines: what is not there and why, and where the time went."""
    for kind, cells in (("failed", outcome.failed), ("missing", outcome.missing)):
        for title, reason in cells.items():
            console.print(f"{kind}: {title}: {reason or 'no reason known'}", highlight=False, soft_wrap=True)
    phases = ", ".join(f"{name} {spent:.0f} s" for name, spent in outcome.seconds.items())
    console.print(
        f"{len(outcome.done)} cells done ({len(outcome.computed)} worked on now), {len(outcome.failed)} failed, "
        f"{len(outcome.missing)} missing; {seconds:.0f} s: {phases}",
        highlight=False,
        soft_wrap=True,
    )
