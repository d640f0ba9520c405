"""The Tune trial of a search: one configuration at the search's length; the scheduler stops it if it falls behind."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import dataclass, replace
from typing import Any

from ray import tune

from raysl.config.cells import Cell
from raysl.engine.cells.crew import LOST_PROCESSES, Crew, Done, LostError, Team, Worker, settle
from raysl.engine.cells.jobs import left_by, left_by_all
from raysl.engine.cells.trial import AVOID, SIZE, NodeNotFitError, while_reporting
from raysl.engine.progress.board import Post
from raysl.errors import RayslError
from raysl.work.site import Site
from raysl.work.trial import OnScore, Scoring, run_trial

SCORE, REPORT, FAILED, LOST, STORE = "score", "report", "failed", "lost", "store"
"""Keys of what a trial reports; the score of what failed is 0. What was lost has no result this time, of the store's
fault or another."""

UNKNOWN = math.nan
"""Tune needs a score; this one says nothing about the configuration. Optuna, and ASHA without `REPORT`, ignore it."""


@dataclass(frozen=True)
class SearchWork:
    """What all trials of a search share; can be pickled.

    Attributes:
        title: of the study.
        site: its store is that of the search, in which trials are trained.
        team: the workers of a trial.
        board: handle of a `Board`, for notes and for requests to save and end; None: neither.
    """

    title: str
    site: Site
    scoring: Scoring
    team: Team
    board: Any = None

    def post(self, cell: Cell) -> Post | None:
        """The trial's connection to the board."""
        return None if self.board is None else Post(self.board, cell.key)


def search_trial(config: dict[str, Any], work: SearchWork) -> None:
    """Reports ``score`` (percent) and ``report`` (from 1) as it trains; with ``failed``, why there is no score.

    Raises:
        NodeNotFitError: to be retried on another node; reported with ``avoid`` first.

    Args:
        config: ``number``, and ``cell`` (a `Cell`), or where nothing is to be trained ``refused`` (why the point is no
            configuration, or why an equal trial failed) or ``known`` (scores of an equal trial, as JSON; fewer or none
            while it is still running). ``workers``: how many it has, if not its team's.
    """
    if "known" in config:
        scores = json.loads(config["known"])
        for number, score in enumerate(scores, 1):
            tune.report({SCORE: float(score), REPORT: number})
        if not scores:
            tune.report({SCORE: UNKNOWN})
        return
    work = replace(work, team=replace(work.team, size=config.get(SIZE) or work.team.size))
    settle(work.team)
    done = Done(config["refused"]) if config.get("refused") else _train(config["cell"], work)
    if done.fault is not None:
        avoid = {AVOID: ",".join(done.not_here)} if done.not_here else {}
        tune.report({SCORE: UNKNOWN, LOST: done.fault, STORE: done.store_lost, **avoid})
        if done.not_here:
            raise NodeNotFitError(done.fault)
    elif done.failed is not None:
        tune.report({SCORE: 0.0, REPORT: work.scoring.reports, FAILED: done.failed})


def _train(cell: Cell, work: SearchWork) -> Done:
    if work.team.size == 1:
        try:
            return while_reporting(
                lambda report: _run(cell, work, lambda number, score: report(_scored(number, score)))
            )
        except RayslError as error:
            return left_by(error)
    crew, done = Crew(work.team, f"{__name__}:_worker", f"trial-{cell.id}"), Done()
    try:
        for numbers, result in crew.do(pickle.dumps((cell, work))):
            if numbers is None:
                done = result
            else:
                tune.report(_scored(int(numbers[REPORT]), numbers[SCORE]))
    except LostError as error:
        return Done(f"its process was lost {LOST_PROCESSES + 1} times in a row: {error}")
    return done


def _scored(number: int, score: float) -> dict[str, Any]:
    return {SCORE: score, REPORT: number}


def _worker(content: bytes, worker: Worker) -> Done:
    """The job of every rank of a crew; an error that only some ranks met, or that may pass, restarts all of them."""
    cell, work = pickle.loads(content)

    def report(number: int, score: float) -> None:
        worker.report(float(number), {SCORE: float(score), REPORT: float(number)})

    try:
        return _run(cell, work, report)
    except RayslError as error:
        return left_by_all(error, worker)


def _run(cell: Cell, work: SearchWork, on_score: OnScore) -> Done:
    """Trains in this process, which saves and ends when the driver requests it."""
    post = work.post(cell)
    if post is None:
        return Done(run_trial(cell, work.site, work.scoring, on_score))
    post.listen()
    post(stage="pretraining", progress=None)
    try:
        with post.notes():
            return Done(run_trial(cell, work.site, work.scoring, on_score))
    finally:
        post(stage="ended")
