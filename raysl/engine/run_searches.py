"""The searches of a run: what of them the store lacks is tried on a cluster, one search after the other."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from raysl.data.places import Places
from raysl.engine.board import start_board
from raysl.engine.cluster import cluster
from raysl.engine.prepare import prepare_data
from raysl.engine.progress import Note, OnEvent
from raysl.engine.search import OnCluster, run_search
from raysl.errors import RayslError
from raysl.planning.locate import Locator
from raysl.planning.plan import Work
from raysl.planning.search import Search
from raysl.results import Store


@dataclass(frozen=True)
class TitledSearch:
    """Attributes: title: of the study, for people."""

    title: str
    search: Search


def run_searches(
    searches: Sequence[TitledSearch],
    store: Store,
    places: Places,
    *,
    address: str | None = None,
    retry_failed: bool = False,
    on_event: OnEvent = lambda event: None,
    max_concurrent: int | None = None,
) -> None:
    """Runs what is missing of each search; arguments as those of `raysl.engine.run.run_studies`.

    Raises:
        RayslError: the store cannot be written, there is no such cluster, a data set cannot be
            read, or a trial asks for more workers than there are CPUs.
    """
    store.check_writable()
    several = any(one.search.base.cell.training.workers > 1 for one in searches)
    with ExitStack() as stack:
        # Train frees the workers of a trial that was stopped through the dashboard alone.
        on = stack.enter_context(cluster(address, dashboard=several))

        def note(text: str) -> None:
            on_event(Note(text))

        for one in searches:
            on.check_workers(one.search.base.cell.training.workers, one.title)
            prepared = prepare_data(reads(one), store, places, on, start_board(), note)
            name = Locator(store).search(one.search)
            if prepared.unavailable:
                if name is not None and not one.search.missing(store.search(name).trials()):
                    continue
                raise RayslError(f"{one.title}: {'; '.join(prepared.unavailable.values())}")
            assert name is not None  # its data was read just now
            if retry_failed:
                _reopen(store, name)
            run_search(one.search, one.title, name, OnCluster(store, places, on, note, max_concurrent), prepared)


def reads(one: TitledSearch) -> list[Work]:
    """Work that reads what the search does: what it trains on, and what it scores on."""
    cell = one.search.base.cell
    sets = (cell, cell.model_copy(update={"data": one.search.data}))
    return [Work(f"{one.title}-{number}", known) for number, known in enumerate(sets)]


def _reopen(store: Store, name: str) -> None:
    folder = store.search(name)
    for trial in folder.trials():
        if trial.status == "failed":
            folder.save(replace(trial, status="running", reason="", scores=()))
