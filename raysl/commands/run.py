"""`raysl run`: compute what is missing, then the tables."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from raysl.commands.cost import comparison
from raysl.commands.display import Display
from raysl.commands.inputs import Planned, as_argument, refuse_one_name
from raysl.commands.job import unknown_commit
from raysl.commands.plan import print_advice
from raysl.commands.report import Reported, reports_place, write_reports
from raysl.commands.searches import search_line, trials_of, with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell, unique_cells
from raysl.data.fetch import without_credentials
from raysl.data.places import Places
from raysl.data.snapshot import data_key
from raysl.data.source import check_lists
from raysl.errors import ConfigError, ObstructedError, RayslError
from raysl.evaluation.given_file import given_file
from raysl.machine import ready_for_processes
from raysl.models.inflate_options import inflated_from, weights_file
from raysl.planning.search import TitledSearch, check_optuna
from raysl.reports.markdown import render_summary
from raysl.reports.write_figures import FOLDER
from raysl.results import KEPT, Shelf, Store, titles_of
from raysl.results import open as open_store
from raysl.training.check_cell import check_cell
from raysl.work.here import Here
from raysl.work.run_cells import RunOptions, RunOutcome, run_cells
from raysl.work.site import known_data, needed_data


@dataclass(frozen=True)
class Ran:
    """What a run came to.

    Attributes:
        outcome: how each cell ended.
        reports: what was written of each study.
        open_searches: searches that lack trials still.
    """

    outcome: RunOutcome
    reports: tuple[Reported, ...]
    open_searches: int = 0

    @property
    def incomplete(self) -> int:
        """How many cells and searches are not complete."""
        return len(self.outcome.failed) + len(self.outcome.missing) + self.open_searches


def run_studies(
    planned: list[Planned],
    storage: str,
    places: Places,
    reports: str | Path,
    options: RunOptions,
    console: PlainConsole,
    *,
    local: bool = False,
    formats: Collection[str] | None = None,
) -> Ran:
    """Computes the missing cells of the studies and writes their reports; prints a summary at the end.

    Args:
        formats: as for `write_reports`.
        local: on this machine without Ray; one cell after the other, or ``max_concurrent`` at the same time.
    """
    refuse_one_name(planned)
    started = time.perf_counter()
    store = open_store(storage)
    reports_place(reports).check_writable("folder of reports", "--reports")
    searches = [TitledSearch(item.study.name, item.study.search) for item in planned if item.study.search is not None]
    if searches:
        planned = _search(planned, searches, store, places, options, console, local)
    cells = [cell for item in planned for cell in item.cells]
    unique = unique_cells(cells)
    for cell in unique:
        check_cell(cell.config)
    if local or not joins_cluster(options):
        to_read = check_roots(unique, store, places)
        if to_read and not local and len(os.sched_getaffinity(0)) > 1:
            ready_for_processes()  # decoding processes do their imports while Ray starts
    console.print(f"{len(cells)} cells asked for, {len(unique)} unique; store: {without_credentials(storage)}")
    if unknown_commit():
        console.print(unknown_commit())
    print_advice(planned, places, console)
    store.check_writable()
    _keep_titles(planned, store, console)
    with Display(console) as display:
        if local:
            here = Here(places, options.max_concurrent or 1)
            outcome = run_cells(unique, store, places, here, retry_failed=options.retry_failed, on_event=display)
        else:
            from raysl.engine.driver import run_on_cluster  # which imports Ray

            outcome = run_on_cluster(unique, store, places, options, display)
    computed = time.perf_counter()
    shelf = Shelf(store, outcome.data)
    written = write_reports(planned, shelf, storage, reports, console, formats, places=places, shown=False)
    seconds = {**outcome.seconds, "report": time.perf_counter() - computed}
    _close(outcome, seconds, time.perf_counter() - started, console)
    _compare(outcome, places, console)
    still_open = open_searches(planned, shelf, console)
    _say_where(planned, storage, console)
    for one in written:
        _say_what(one, console)
    return Ran(outcome, tuple(written), still_open)


def _keep_titles(planned: list[Planned], store: Store, console: PlainConsole) -> None:
    """So that the store alone says which rows its cells belong to; a run is not refused over it."""
    for item in planned:
        try:
            store.save_titles(item.study.report_name, titles_of(item.cells, item.study.scale))
        except ObstructedError as error:
            console.print(f"the names of {item.study.name}'s rows are not kept: {error}")


def _say_where(planned: list[Planned], storage: str, console: PlainConsole) -> None:
    """The command to look at curves."""
    store, study = without_credentials(storage), planned[0].study
    options = [*([] if study.scale == "paper" else ["--scale", study.scale]), "--storage", store]
    options += [text for override in study.given.overrides for text in ("--set", override)]
    studies = [as_argument(item.study.path) for item in planned]
    console.print(f"TensorBoard: {shlex.join(['raysl', 'tensorboard', *studies, *options])}")
    console.print(f"store: {store}")


TELLING = {"grid": "heat_map", "one_factor": "axis_curves", "search": "parallel_coordinates"}
"""From design to its main figure; differences to the baseline for all others."""


def _say_what(written: Reported, console: PlainConsole) -> None:
    """The table, which differences are decided, and the files that were written now."""
    console.print_lines(f"\n{render_summary(written.table)}")
    console.print()
    drawn = [file for file in written.files if file.startswith(f"{FOLDER}/") and not file.endswith(".csv")]
    wanted = TELLING.get(written.item.study.options.design, "differences")
    telling = [file for file in drawn if Path(file).stem == wanted] or drawn
    for name, file in (("table", "table.md"), ("page", "index.html"), *(("figure", one) for one in telling[:1])):
        if file in written.files:
            console.print(f"{name}: {written.folder}/{file}")


def joins_cluster(options: RunOptions) -> bool:
    """Whether other nodes may have what this machine lacks; Ray sets RAY_ADDRESS for jobs."""
    return bool(options.address or os.environ.get("RAY_ADDRESS"))


def _compare(outcome: RunOutcome, places: Places, console: PlainConsole) -> None:
    """The estimate against the actual time; an error here does not fail a run that is done."""
    try:
        line = comparison(outcome.took, places)
    except RayslError as error:
        line = f"no estimate to compare with: {error}"
    if line is not None:
        console.print(line)


def open_searches(planned: list[Planned], shelf: Shelf, console: PlainConsole) -> int:
    """Reports searches that lack trials, as after a process could not read the store; returns how many."""
    count = 0
    for item in planned:
        search = item.study.search
        if search is not None and search.missing(trials_of(search, shelf)):
            console.print(f"{item.study.name}: {search_line(item, shelf)}")
            count += 1
    return count


def _search(
    planned: list[Planned],
    searches: list[TitledSearch],
    store: Store,
    places: Places,
    options: RunOptions,
    console: PlainConsole,
    local: bool,
) -> list[Planned]:
    """Runs the missing trials of searches; returns the studies with the rows that they found.

    Raises:
        ConfigError: a search is to be run without Ray.
    """
    if local:
        raise ConfigError(
            f"--local: {searches[0].title} is a search, whose trials Ray schedules and stops: run it without --local"
        )
    check_optuna()
    work = [cell for one in searches for cell in one.reads()]
    if not joins_cluster(options):
        check_roots(work, store, places)
    console.print(f"{len(searches)} searches, then what they found")
    from raysl.engine.driver import run_searches  # which imports Ray

    with Display(console) as display:
        run_searches(searches, store, places, options, display)
    known = known_data((data for data, _ in needed_data(work)), places)
    return with_known_best(planned, Shelf(store, known))


def check_roots(cells: Sequence[Cell], store: Store, places: Places) -> bool:
    """Refuses, before Ray is started, a run on this machine if data sets or weights are not here.

    Returns:
        Whether there are data sets to read, since no earlier run did.

    Raises:
        DataError: no root was given for a data set, or its lists cannot be read as the study has it (another number of
            folds, a class that cannot be split), and something that reads it is still missing in the store.
        ConfigError: no file was given for weights to inflate or that an evaluation reads, and the store does not hold
            what needs them.
    """
    shelf = Shelf(store, known_data((data for data, _ in needed_data(cells)), places))
    known = set(shelf.data)
    readable = set(known)
    for cell in cells:
        found = shelf.find(cell)
        if found.own != "missing":
            continue
        sets = [one.config.data for one in found.missing if one.behind is None]
        for data in [cell.config.data, *sets] if found.to_train else sets:
            if data_key(data) not in readable:
                check_lists(data, places)
                readable.add(data_key(data))
        for one in found.missing:
            protocol = one.config.protocol
            if protocol.component.file is not None and one.behind is None:
                given_file(*protocol.component.file(protocol.options), places.roots)
        name = inflated_from(cell.config.backbone.options)
        if name is not None and cell.start is None and found.state.status != "done":
            weights_file(name, places.roots)
    return readable != known


def _close(outcome: RunOutcome, phases: dict[str, float], seconds: float, console: PlainConsole) -> None:
    """The last lines: what is missing and why, and the times of phases."""
    for kind, cells in (("failed", outcome.failed), ("missing", outcome.missing)):
        for title, reason in cells.items():
            console.print(f"{kind}: {title}: {reason or 'no reason known'}")
    if outcome.failed:
        console.print(KEPT)
    spent = ", ".join(f"{name} {took:.0f} s" for name, took in phases.items())
    console.print(
        f"{len(outcome.done)} cells done ({len(outcome.computed)} worked on now), {len(outcome.failed)} failed, "
        f"{len(outcome.missing)} missing; {seconds:.0f} s: {spent}",
    )
