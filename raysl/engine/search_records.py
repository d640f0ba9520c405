"""Trials of a search as they come and go: what Tune, Optuna and the store each must know of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from raysl.config.cells import Cell
from raysl.engine.crew import LOST_PROCESSES
from raysl.engine.search_trial import FAILED, LOST, REPORT, SCORE
from raysl.engine.trial import AVOID
from raysl.errors import ConfigError
from raysl.planning.axes import Point, Suggests, suggest
from raysl.planning.search import Search
from raysl.results import SearchFolder, SearchTrial


@dataclass
class Records:
    """All trials of a search, in memory and in the store, which is written at every change.

    Attributes:
        trials: by number; those that have not ended and were not begun in this run are interrupted ones.
        note: told one line when a trial ends.
    """

    search: Search
    folder: SearchFolder
    note: Callable[[str], None]
    trials: dict[int, SearchTrial] = field(default_factory=dict)
    _begun: dict[int, float] = field(default_factory=dict)
    """Number to the time, in seconds, from which its own are counted on."""

    def __getstate__(self) -> dict[str, Any]:
        """Tune keeps a copy for a resume of its own, which nobody asks for: ours is from the store."""
        return {**vars(self), "note": None}

    def suggestion(self, optuna_trial: Suggests) -> dict[str, Any]:
        """The configuration of the next trial, as `search_trial` takes it; called by Optuna's search on the driver."""
        point = suggest(self.search.axes, optuna_trial)
        try:
            config = self.search.trial(point)
        except ConfigError as error:
            return {"number": self._begin(point, ""), "refused": f"refused: {error}"}
        cell = Cell(config, study="search", row="trial")
        twin = self._twin(cell.id)
        number = self._begin(point, cell.id, None if twin is None else twin.number)
        if twin is None:
            return {"number": number, "cell": cell}
        known = {"refused": twin.reason} if twin.status == "failed" else {"known": json.dumps(twin.scores)}
        return {"number": number, **known}

    def _twin(self, id: str) -> SearchTrial | None:
        """The trial that trained this configuration, or that is training it now: nothing is trained twice."""
        for one in self.trials.values():
            if one.cell == id and one.same_as is None and (one.ended or one.number in self._begun):
                return one
        return None

    def _begin(self, point: Point, id: str, same_as: int | None = None) -> int:
        """Takes up an interrupted trial of this configuration, with the scores that it had, or begins a new one."""
        trial = SearchTrial(max(self.trials, default=-1) + 1, point, id)
        for one in self.trials.values():
            if not one.ended and one.number not in self._begun and one.point == point and one.cell == id:
                trial = one
                break
        self._begun[trial.number] = time.monotonic() - trial.seconds
        self._keep(replace(trial, same_as=same_as))
        return trial.number

    def _keep(self, trial: SearchTrial) -> None:
        self.trials[trial.number] = trial
        self.folder.save(trial)

    def report(self, number: int, result: dict[str, Any]) -> None:
        """What a trial reported; a report that a restarted trial makes again takes the place of the old one."""
        trial = replace(self.trials[number], seconds=round(time.monotonic() - self._begun[number], 1))
        if trial.same_as is not None or result.get(LOST):  # what the other one scored is known, or will be
            return
        if result.get(FAILED):
            self._keep(replace(trial, status="failed", reason=str(result[FAILED])))
        else:
            at = int(result[REPORT])
            scores = [*trial.scores[: at - 1], *[float(result[SCORE])] * max(1, at - len(trial.scores[: at - 1]))]
            self._keep(replace(trial, scores=tuple(scores)))

    def end(self, number: int, result: dict[str, Any]) -> None:
        """A trial that ended by itself, or that the scheduler stopped."""
        trial = self.trials[number]
        if result.get(LOST):  # nothing that this configuration did: it stays open for the next run
            self.note(f"trial {number}: ended without a result: {result[LOST]}")
            return
        if trial.same_as is not None:
            twin = self.trials[trial.same_as]
            if twin.ended and not trial.ended:
                self._close(_as(twin, trial))
        elif trial.status == "failed":
            self._close(trial)
        else:
            whole = len(trial.scores) >= self.search.options.reports
            self._close(replace(trial, status="finished" if whole else "stopped"))

    def lose(self, number: int, reason: str) -> None:
        """A trial whose process was lost more often than is retried."""
        text = f"its process was lost {LOST_PROCESSES + 1} times: {(reason.strip().splitlines() or [''])[-1]}"
        self._close(replace(self.trials[number], status="failed", reason=text))

    def _close(self, trial: SearchTrial) -> None:
        """Keeps how a trial ended, and ends those that wait for it."""
        self._keep(trial)
        self.folder.drop_weights(trial.cell)
        self.note(f"{self._count()}: trial {trial.number} {self._ending(trial)}: {shown(trial.point)}")
        for one in list(self.trials.values()):
            if one.same_as == trial.number and not one.ended:
                self._close(_as(trial, one))

    def _count(self) -> str:
        return f"{sum(one.ended for one in self.trials.values())}/{self.search.options.trials} trials"

    def _ending(self, trial: SearchTrial) -> str:
        if trial.status == "failed":
            return f"failed ({trial.reason})"
        known = "" if trial.same_as is None else f", as trial {trial.same_as}"
        early = (
            f" after report {len(trial.scores)} of {self.search.options.reports}" if trial.status == "stopped" else ""
        )
        return f"{trial.status}{early}{known}, {trial.scores[-1]:.1f} %" if trial.scores else f"{trial.status}{known}"


def _as(twin: SearchTrial, trial: SearchTrial) -> SearchTrial:
    """The trial, ended as the one that has the same configuration."""
    return replace(trial, status=twin.status, scores=twin.scores, reason=twin.reason)


def shown(point: Point) -> str:
    """``contrastive.temperature 0.12, pretext.speed``: of subsets, the members that are in."""
    parts = []
    for name, value in point.items():
        number = f"{value:.3g}" if isinstance(value, float) else str(value)
        if value is not False:
            parts.append(name.removeprefix("objective.") + ("" if value is True else f" {number}"))
    return ", ".join(parts)


class Recording(Callback):
    """Hands what happens to trials on to the records."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        self._records.report(int(trial.config["number"]), result)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._records.end(int(trial.config["number"]), trial.last_result or {})

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        number, last = int(trial.config["number"]), trial.last_result or {}
        if last.get(AVOID):
            self._records.end(number, last)
        else:
            self._records.lose(number, str(trial.get_error() or ""))
