"""Studies with a search: their best configurations become rows as soon as all trials have ended."""

from __future__ import annotations

from dataclasses import replace

from raysl.commands.inputs import Planned
from raysl.planning.base_point import base_point
from raysl.planning.plan_study import plan_study
from raysl.planning.search import Search
from raysl.planning.study import with_best
from raysl.reports.input import Searched
from raysl.results import SearchTrial, Shelf, best_trials


def search_name(search: Search, shelf: Shelf) -> str | None:
    """The name of the search's folder in the store; None if its data was never read."""
    return shelf.search(search.id, search.base.cell, search.data)


def trials_of(search: Search, shelf: Shelf) -> list[SearchTrial]:
    """A search's trials in the store; empty if its data was never read."""
    name = search_name(search, shelf)
    return [] if name is None else shelf.store.search(name).trials()


def with_known_best(planned: list[Planned], shelf: Shelf) -> list[Planned]:
    """The studies with the rows that their searches have found, if these are complete."""
    return [_with_best(item, shelf) for item in planned]


def _with_best(item: Planned, shelf: Shelf) -> Planned:
    search = item.study.search
    if search is None:
        return item
    trials = trials_of(search, shelf)
    if search.missing(trials):
        return item
    study = with_best(item.study, trials)
    return replace(item, study=study, cells=plan_study(study))


def searched(item: Planned, shelf: Shelf) -> Searched | None:
    """The search of a study for its report."""
    search = item.study.search
    if search is None:
        return None
    trials = trials_of(search, shelf)
    base = base_point(search)
    best = [] if search.missing(trials) else best_trials(trials, search.options.best)
    return Searched(
        trials=tuple(trials),
        wanted=search.options.trials,
        parameters=search.parameters,
        best={f"best {rank}": trial.number for rank, trial in enumerate(best, 1)},
        scored_by=search.scored_by,
        seed=search.options.seed,
        steps=search.length,
        base=next((trial.number for trial in trials if trial.point == base), None),
    )


def search_line(item: Planned, shelf: Shelf) -> str | None:
    """``search: 7 of 24 trials have ended``; None if the study has no search."""
    search = item.study.search
    if search is None:
        return None
    trials = trials_of(search, shelf)
    ended = sum(trial.ended for trial in trials)
    rest = "; its best configurations are not known yet" if search.missing(trials) else ""
    return f"search: {ended} of {search.options.trials} trials have ended{rest}"
