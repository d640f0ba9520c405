"""The Tune trial of a search: one configuration at the search's length, stopped from outside where it falls behind."""

from __future__ import annotations

import json
import math
from typing import Any

from ray import tune

from raysl.engine.cell_job import CellJob
from raysl.engine.search_job import SearchWork
from raysl.engine.train_run import train_over_workers
from raysl.errors import RayslError

SCORE, REPORT, FAILED, LOST = "score", "report", "failed", "lost"
"""Keys of what a trial reports; the score of what failed is 0."""

UNKNOWN = math.nan
"""Score of what says nothing of its configuration: Tune asks for one. Optuna, and ASHA without `REPORT`, ignore it."""


def search_trial(config: dict[str, Any], work: SearchWork, storage: dict[str, Any], kind: str) -> None:
    """Reports ``score`` (percent) and ``report`` (from 1) as it trains; with ``failed``, why there is no score.

    Args:
        config: ``number``, ``cell`` (its id), ``config`` (resolved, as JSON), and where nothing is to be trained
            ``refused`` (why the point is no configuration, or why an equal trial failed) or ``known`` (scores of an
            equal trial, as JSON; fewer or none where it is still running).
        storage: ``storage_path`` and ``storage_filesystem`` for Ray's own files.
        kind: ``CPU`` or ``GPU``: what a worker occupies.
    """
    if "known" in config:
        scores = json.loads(config["known"])
        for number, score in enumerate(scores, 1):
            tune.report({SCORE: float(score), REPORT: number})
        if not scores:
            tune.report({SCORE: UNKNOWN})
        return
    failed = config.get("refused")
    if not failed:
        job = work.job(config["cell"], json.loads(config["config"]), config["number"])
        try:
            failed = _train(job, work, storage, kind)
        except RayslError as error:
            tune.report({SCORE: UNKNOWN, LOST: str(error)})
            return
    if failed:
        tune.report({SCORE: 0.0, REPORT: work.scoring.reports, FAILED: failed})


def _train(job: CellJob, work: SearchWork, storage: dict[str, Any], kind: str) -> str | None:
    """Why it failed, if it did."""
    if work.workers > 1:
        given = {"job": job, "scoring": work.scoring}
        failed: str | None = train_over_workers(_worker, given, f"trial-{job.id}", work.workers, storage, kind)
        return failed

    from raysl.engine.search_work import run_trial

    return run_trial(job, work.scoring, lambda number, score: tune.report({SCORE: score, REPORT: number}))


def _worker(config: dict[str, Any]) -> str | None:
    """What every rank of a Train run does."""
    import ray.train

    from raysl.engine.search_work import run_trial

    return run_trial(
        config["job"],
        config["scoring"],
        lambda number, score: ray.train.report({SCORE: float(score), REPORT: number}),
    )
