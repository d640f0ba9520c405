"""The Tune trial of a search: one configuration at the search's length, stopped from outside where it falls behind."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import dataclass
from typing import Any

from ray import tune

from raysl.config.cells import Cell
from raysl.engine.board import notes_to
from raysl.engine.crew import LOST_PROCESSES, Crew, LostError, Team, Worker, settle
from raysl.errors import RayslError, StoreLostError
from raysl.work.site import Site
from raysl.work.trial import Scoring, run_trial

SCORE, REPORT, FAILED, LOST, STORE = "score", "report", "failed", "lost", "store"
"""Keys of what a trial reports; the score of what failed is 0. What was lost has no result this time, of the store's
fault or another."""

UNKNOWN = math.nan
"""Score of what says nothing of its configuration: Tune asks for one. Optuna, and ASHA without `REPORT`, ignore it."""


@dataclass(frozen=True)
class SearchWork:
    """What all trials of a search share; can be pickled.

    Attributes:
        title: of the study.
        site: its store is the search's own, in which trials are trained.
        team: the workers of a trial.
        board: handle of a `Board`, which notes go to; they stay in the processes where None.
    """

    title: str
    site: Site
    scoring: Scoring
    team: Team
    board: Any = None


def search_trial(config: dict[str, Any], work: SearchWork) -> None:
    """Reports ``score`` (percent) and ``report`` (from 1) as it trains; with ``failed``, why there is no score.

    Args:
        config: ``number``, and ``cell`` (a `Cell`), or where nothing is to be trained ``refused`` (why the point is no
            configuration, or why an equal trial failed) or ``known`` (scores of an equal trial, as JSON; fewer or none
            where it is still running).
    """
    if "known" in config:
        scores = json.loads(config["known"])
        for number, score in enumerate(scores, 1):
            tune.report({SCORE: float(score), REPORT: number})
        if not scores:
            tune.report({SCORE: UNKNOWN})
        return
    settle(work.team)
    failed = config.get("refused")
    if not failed:
        try:
            with notes_to(work.board):
                failed = _train(config["cell"], work)
        except RayslError as error:
            tune.report({SCORE: UNKNOWN, LOST: str(error), STORE: isinstance(error, StoreLostError)})
            return
    if failed:
        tune.report({SCORE: 0.0, REPORT: work.scoring.reports, FAILED: failed})


def _train(cell: Cell, work: SearchWork) -> str | None:
    """Why it failed, if it did."""
    if work.team.size == 1:
        return run_trial(
            cell, work.site, work.scoring, lambda number, score: tune.report({SCORE: score, REPORT: number})
        )
    crew = Crew(work.team, _worker, f"trial-{cell.id}")
    failed = ""
    try:
        for numbers, result in crew.do(pickle.dumps((cell, work))):
            if numbers is None:
                failed = result
            else:
                tune.report({SCORE: numbers[SCORE], REPORT: int(numbers[REPORT])})
    except LostError as error:
        return f"its process was lost {LOST_PROCESSES + 1} times in a row: {error}"
    return failed or None


def _worker(content: bytes, worker: Worker) -> str:
    """What every rank of a crew does; why it failed, or nothing."""
    cell, work = pickle.loads(content)

    def report(number: int, score: float) -> None:
        worker.report(float(number), {SCORE: float(score), REPORT: float(number)})

    with notes_to(work.board):
        return run_trial(cell, work.site, work.scoring, report) or ""
