"""A run on a Ray cluster: missing trials of searches first, then missing cells of rows and best configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot
from raysl.engine.access import dashboard_line
from raysl.engine.backend import OnCluster
from raysl.engine.cluster import Cluster, cluster
from raysl.errors import RayslError
from raysl.notes import heard
from raysl.planning.search import TitledSearch
from raysl.results import Shelf, Store
from raysl.work.claims import end_killed
from raysl.work.events import Note, OnEvent
from raysl.work.run_cells import AS_IT_FITS, RunOptions, RunOutcome, run_cells
from raysl.work.site import Site, needed_data, read_data


def run_on_cluster(
    cells: Sequence[Cell],
    store: Store,
    places: Places,
    options: RunOptions = AS_IT_FITS,
    on_event: OnEvent = lambda event: None,
) -> RunOutcome:
    """`raysl.work.run_cells.run_cells` on a cluster.

    An interrupt (Ctrl-C) stops the workers and is raised again; the next run continues from the store.

    Raises:
        RayslError: before anything starts: the store cannot be written, there is no such cluster, or a cell requests
            more workers than there are CPUs.
    """
    store.check_writable()

    def note(text: str) -> None:
        on_event(Note(text))

    sites = list[Site]()
    with _ending_killed(sites), _cluster_of(options, note) as on:
        _check_all(on, cells)
        if not on.own:
            note(f"cells compute on {on.kind}s")
            if "://" not in store.place.shown:
                note(f"the store is the folder {store.place.shown}: all nodes must see it under this path")
        with closing(OnCluster(on, places, store, note, options, sites)) as backend:
            return run_cells(cells, store, places, backend, retry_failed=options.retry_failed, on_event=on_event)


def run_searches(
    searches: Sequence[TitledSearch],
    store: Store,
    places: Places,
    options: RunOptions = AS_IT_FITS,
    on_event: OnEvent = lambda event: None,
) -> None:
    """Runs the missing trials of each search, one search after the other.

    Raises:
        RayslError: the store cannot be written, there is no such cluster, a data set cannot be read, or a trial
            requests more workers than there are CPUs.
    """
    from raysl.engine.search.driver import run_search  # imports Optuna, which comes with the extra `search`

    store.check_writable()
    sites = list[Site]()

    def note(text: str) -> None:
        on_event(Note(text))

    with (
        _ending_killed(sites),
        heard(note),
        _cluster_of(options, note) as on,
        closing(OnCluster(on, places, store, note, options)) as backend,
    ):

        def read(data: Chosen, resize: int) -> Snapshot:
            return backend.read(data, resize, on_event)

        for one in searches:
            training = one.search.base.cell.training
            on.check(training, training.workers, one.title)
            data = read_data(needed_data(one.reads()), store, places, read, note)
            shelf = Shelf(store, data.hashes)
            name = shelf.search(one.search.id, one.search.base.cell, one.search.data)
            if data.unavailable:
                if name is not None and not one.search.missing(store.search(name).trials()):
                    continue
                raise RayslError(f"{one.title}: {'; '.join(data.unavailable.values())}")
            assert name is not None  # its data has just been read
            for reason in store.search(name).drop_damaged():
                note(f"{one.title}: {reason}")
            if options.retry_failed:
                _reopen(store, name)
            site = Site(store.of_search(name), places, data.hashes)
            sites.append(site)
            for hashes in data.hashes.values():
                site.store.save_snapshot(store.snapshot(hashes.snapshot))
            try:
                run_search(
                    one.search, one.title, store.search(name), site, on, note, options.max_concurrent, backend.board
                )
            except KeyboardInterrupt:
                backend.leave()
                raise
            backend.report_notes()


def _check_all(on: Cluster, cells: Sequence[Cell]) -> None:
    """`Cluster.check`, which asks every node, once for each kind of cell."""
    alike: dict[tuple[object, ...], tuple[Cell, int]] = {}
    for cell in cells:
        size = cell.config.training.workers if cell.pretrains else 1
        asked = on.bundle(cell.config.training, size)
        alike.setdefault((size, *sorted(asked.items())), (cell, size))
    for cell, size in alike.values():
        on.check(cell.config.training, size, cell.title)


@contextmanager
def _cluster_of(options: RunOptions, note: Callable[[str], None]) -> Iterator[Cluster]:
    """The cluster of a run; a note gives the address of its dashboard."""
    with cluster(options.address, options.workers, dashboard=options.dashboard, tune_dir=options.tune_dir) as on:
        if on.dashboard:
            note(dashboard_line(on.dashboard, on.own))
        elif options.dashboard:
            note("--dashboard is for a Ray that is started here: this one was already running, and has no dashboard")
        yield on


@contextmanager
def _ending_killed(sites: Sequence[Site]) -> Iterator[None]:
    """Marks cells of an interrupted run as ended: Ray kills its processes, and they would seem to be running.

    Args:
        sites: may grow in the body.
    """
    try:
        yield
    except KeyboardInterrupt:
        for site in sites:
            end_killed(site.store, site.run)
        raise


def _reopen(store: Store, name: str) -> None:
    folder = store.search(name)
    for trial in folder.trials():
        if trial.status == "failed":
            folder.save(replace(trial, status="running", reason="", scores=()))
