"""A search on a cluster: Optuna suggests trials, Tune runs them, ASHA stops bad ones, and the store keeps them.

If trials run at the same time, the order in which they end decides what is suggested and stopped next, so a search is
reproducible only with one trial at a time; each single trial always is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from raysl.engine.cells.crew import LOST_PROCESSES, Team
from raysl.engine.cells.endings import Ending
from raysl.engine.cells.placement import LeftOut, reservation, still_fitting
from raysl.engine.cells.trial import AVOID, SIZE
from raysl.engine.cells.trials import experiment, ray_files
from raysl.engine.cluster import Cluster
from raysl.engine.offer import silent_nodes
from raysl.engine.search.records import THEIRS, Recording, Records
from raysl.engine.search.trial import LOST, REPORT, SCORE, SearchWork, search_trial
from raysl.planning.axes import Point, suggest
from raysl.planning.base_point import base_point
from raysl.planning.search import Search
from raysl.results import SearchFolder, SearchTrial
from raysl.streams import stream
from raysl.work.claims import announced, end_killed, in_turn, others
from raysl.work.run_cells import CHECK_SECONDS
from raysl.work.site import Site
from raysl.work.trial import Scoring

SHARED, RECORDS = "search", "records"
"""Claims besides those on the trials' cells: that a run works on the search, and that it begins a trial."""

MOST_SKIPPED = 20
"""After this many suggestions in a row that another run computes, this one waits."""


def run_search(
    search: Search,
    title: str,
    folder: SearchFolder,
    site: Site,
    cluster: Cluster,
    note: Callable[[str], None],
    max_concurrent: int | None = None,
    board: Any = None,
) -> list[SearchTrial]:
    """Runs the missing trials of a search; trials of earlier runs count, and interrupted ones are resumed.

    Other runs may work on it too: each trial is computed by one of them, and each run learns from all.

    Args:
        title: of the study.
        folder: of the search in the store.
        site: its store is the search's own.
        note: called with each line worth keeping.
        max_concurrent: trials at the same time; None: as many as fit.
        board: handle of a `Board`, for the notes of trials.

    Returns:
        All trials.

    Raises:
        StorageError: the store cannot be read or written.
    """
    ending = Ending(site.store, cluster)
    records = Records(
        search,
        folder,
        note,
        ending.lose,
        {trial.number: trial for trial in folder.trials()},
        site.run,
        lambda: {one.run for one in others(site.store, SHARED, site.run)},
    )
    folder.write_about(search.about())
    if search.missing(records.trials.values()):
        scoring = Scoring(search.data, search.options.knn, search.options.reports)
        training = search.base.cell.training
        storage = ray_files(site.store, cluster)
        work = SearchWork(
            title, site, scoring, Team(training.workers, cluster.bundle(training, training.workers), storage), board
        )
        fitting = cluster.at_once(training, training.workers)
        at_once = min(fitting, max_concurrent or fitting)
        with announced(site.store, SHARED, site.run):
            _work_through(records, work, at_once, cluster, ending)
        end_killed(site.store, site.run)  # the trials that the scheduler stopped
    # Repeated: a stopped worker may have written one more.
    folder.drop_weights({trial.cell for trial in records.trials.values() if trial.ended and trial.cell})
    return [records.trials[number] for number in sorted(records.trials)]


def _work_through(records: Records, work: SearchWork, at_once: int, cluster: Cluster, ending: Ending) -> None:
    """Begins trials as long as there are any, and waits for those of other runs, which may abandon them."""
    told = False
    while records.search.missing(records.trials.values()):
        free, begun = records.free(), records.begun()
        if free:
            with ending:
                _tune(records, work, free, min(at_once, free), cluster, ending)
        elif not records.theirs():
            return  # the missing trials ended without a result in this run
        elif not told:
            told = True
            numbers = ", ".join(map(str, sorted(records.theirs())))
            records.note(f"{work.title}: another run computes trials {numbers}; they are begun here if it ends")
        if records.begun() == begun:
            time.sleep(CHECK_SECONDS)
        records.refresh()


def _tune(records: Records, work: SearchWork, trials: int, at_once: int, cluster: Cluster, ending: Ending) -> None:
    options = records.search.options
    trainable = tune.with_parameters(search_trial, work=work)
    tune.Tuner(
        tune.with_resources(trainable, reservation(work.team, cluster)),
        tune_config=tune.TuneConfig(
            num_samples=trials,
            max_concurrent_trials=at_once,
            search_alg=_suggestions(records, work.site),
            scheduler=_Halving(
                work.title,
                cluster,
                work.team,
                records.note,
                time_attr=REPORT,
                metric=SCORE,
                mode="max",
                # One more than there are: a trial finishes at its end, and is not stopped there.
                max_t=options.reports + 1,
                grace_period=options.grace_reports,
                reduction_factor=options.reduction_factor,
            ),
            trial_name_creator=lambda one: f"{work.title}/trial{one.config['number']}",
            trial_dirname_creator=lambda one: f"trial{one.config['number']}",
        ),
        run_config=tune.RunConfig(
            failure_config=tune.FailureConfig(max_failures=LOST_PROCESSES),
            verbose=0,
            stop=ending,
            **experiment("search", cluster, work.team.storage, Recording(records, ending)),
        ),
    ).fit()


class _Shared(OptunaSearch):
    """Suggestions for a run that may share the search with others."""

    def __init__(self, records: Records, site: Site, **options: Any) -> None:
        super().__init__(records.suggestion, **options)
        self._records, self._site = records, site

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Begins and returns the next trial; ``FINISHED`` if there is none that it can begin."""
        study: Any = self._ot_study
        with in_turn(self._site.store, RECORDS, self._site.run):
            for trial in self._records.refresh():
                study.add_trial(_known(self._records.search, trial))
            for _ in range(MOST_SKIPPED if self._records.free() else 0):
                config: dict[str, Any] | None = super().suggest(trial_id)
                if config is None or THEIRS not in config:
                    return config
                study.tell(self._ot_trials.pop(trial_id), state=TrialState.FAIL)  # Optuna learns nothing from it
        return cast(dict[str, Any], Searcher.FINISHED)


class _Halving(ASHAScheduler):
    """ASHA; a node that lacks what trials read is excluded from all further ones, and these have fewer workers if nodes
    are gone for good."""

    def __init__(self, title: str, cluster: Cluster, team: Team, note: Callable[[str], None], **options: Any) -> None:
        cast(Any, super()).__init__(**options)
        self._title, self._cluster, self._own, self._team = title, cluster, team, team
        self._note, self._left_out = note, LeftOut(cluster, note)

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune's copy is for its own resume, which is not used; ours is from the store."""
        return {**vars(self), "_left_out": None, "_note": None, "_cluster": None}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        super().on_trial_add(tune_controller, trial)
        self._settle(trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        if result.get(AVOID):
            self._left_out.add(str(result[AVOID]), str(result[LOST]))
        return str(super().on_trial_result(tune_controller, trial, result))

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        super().on_trial_error(tune_controller, trial)
        self._settle(trial)

    def _settle(self, trial: Trial) -> None:
        """Makes a trial request only nodes and workers that there are, before it starts."""
        if self._own.size > 1 and "cell" in trial.config:
            config, before = trial.config["cell"].config, self._team.size
            size = still_fitting(config, self._own, self._cluster, silent_nodes())
            if size != before:
                self._team = replace(self._own, size=size)
                why = "a node is gone" if size < before else "nodes are back"
                self._note(f"{self._title}: {why}; trials continue with {size} of {self._own.size} workers")
            trial.config[SIZE] = size
        if self._left_out.nodes() or self._team is not self._own:
            self._left_out.move(trial, self._team)


def _suggestions(records: Records, site: Site) -> OptunaSearch:
    """Optuna's tree-structured Parzen estimator, which knows the trials of earlier runs; the base comes first."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options, ended = records.search.options, [trial for trial in records.trials.values() if trial.ended]
    # A sampler of the same seed would suggest the first points again.
    seed = int(stream(options.seed, "search", len(ended)).integers(2**31))
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=options.random_trials)
    storage, name = optuna.storages.InMemoryStorage(), "search"
    study = optuna.create_study(storage=storage, sampler=sampler, study_name=name, direction="maximize")
    for trial in ended:
        study.add_trial(_known(records.search, trial))
    points = [trial.point for trial in records.interrupted()]
    base = base_point(records.search)
    if base is not None and all(trial.point != base for trial in records.trials.values()):
        points.insert(0, base)
    for point in points:
        study.enqueue_trial(point)
    return _Shared(records, site, metric=SCORE, mode="max", sampler=sampler, storage=storage, study_name=name)


def _known(search: Search, trial: SearchTrial) -> optuna.trial.FrozenTrial:
    """An ended trial as Optuna keeps it, with the value given to Optuna at its end: 0 for a failure."""
    kept = _Distributions(trial.point)
    point = suggest(search.axes, kept)
    value = 0.0 if trial.score is None else trial.score
    return create_trial(state=TrialState.COMPLETE, value=value, params=point, distributions=kept.found)


@dataclass
class _Distributions:
    """Suggests the values of a point, and keeps their distributions."""

    point: Point
    found: dict[str, BaseDistribution] = field(default_factory=dict)

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        self.found[name] = CategoricalDistribution(choices)
        return self.point[name]

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        self.found[name] = FloatDistribution(low, high, log=log)
        return float(self.point[name])

    def suggest_int(self, name: str, low: int, high: int) -> int:
        self.found[name] = IntDistribution(low, high)
        return int(self.point[name])
