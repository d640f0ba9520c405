"""The records of a search's trials, for Tune, for Optuna and in the store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from raysl.config.cells import Cell
from raysl.engine.cells.crew import LOST_PROCESSES
from raysl.engine.cells.endings import Ending, last_error
from raysl.engine.cells.trial import AVOID
from raysl.engine.search.trial import FAILED, LOST, REPORT, SCORE, STORE
from raysl.errors import ConfigError, StorageError
from raysl.planning.axes import Point, Suggests, suggest
from raysl.planning.search import Search
from raysl.results import SearchFolder, SearchTrial
from raysl.work.claims import CLAIMED

THEIRS = "theirs"


@dataclass
class Records:
    """All trials of a search, in memory and in the store, which is written at every change.

    Several runs may share a search: each writes the trials that it began. Only one run at a time suggests and begins
    trials (`refresh`, `free`, `suggestion`; see `raysl.work.claims.in_turn`).

    Attributes:
        trials: by number; those that have not ended and were not begun in this run are running in other runs
            (`theirs`) or interrupted.
        run: name of this run.
        living: gives the names of the other runs that work on the search.
        note: called with one line when a trial ends.
        on_lost: called with the error if the store cannot be written: raised, Tune would make it a failure of its
            trial.
    """

    search: Search
    folder: SearchFolder
    note: Callable[[str], None]
    on_lost: Callable[[StorageError], None]
    trials: dict[int, SearchTrial] = field(default_factory=dict)
    run: str = ""
    living: Callable[[], Collection[str]] = tuple
    _begun: dict[int, float] = field(default_factory=dict)
    """From a trial's number to the time, in seconds, from which its duration is counted."""

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune's copy is for its own resume, which is not used; ours is from the store."""
        return {**vars(self), "note": None, "on_lost": None, "living": None}

    def refresh(self) -> list[SearchTrial]:
        """Reads what other runs wrote meanwhile; returns their trials that have ended."""
        ended = []
        for number in self.folder.numbers():
            known = self.trials.get(number)
            if number in self._begun or (known is not None and known.ended):
                continue
            trial = self.folder.trial(number)
            if trial is not None:
                self.trials[number] = trial
                ended += [trial] if trial.ended else []
        return ended

    def theirs(self) -> dict[int, SearchTrial]:
        """The trials that other runs compute."""
        living = self.living()
        return {one.number: one for one in self._of_others() if one.run in living}

    def _of_others(self) -> list[SearchTrial]:
        return [one for one in self.trials.values() if not one.ended and one.number not in self._begun]

    def interrupted(self) -> list[SearchTrial]:
        """The interrupted trials that this run can resume."""
        theirs = self.theirs()
        return [one for one in self._of_others() if one.number not in theirs]

    def begun(self) -> int:
        """How many trials this run began."""
        return len(self._begun)

    def free(self) -> int:
        """How many trials this run can begin: new ones, and interrupted ones."""
        own = sum(not self.trials[number].ended for number in self._begun)
        return max(0, self.search.missing(self.trials.values()) - own - len(self.theirs()))

    def suggestion(self, optuna_trial: Suggests) -> dict[str, Any]:
        """The configuration of the next trial, as `search_trial` takes it; called by Optuna's search on the driver.

        If another run computes it, only ``theirs``, its number.
        """
        point = suggest(self.search.axes, optuna_trial)
        theirs = self.theirs().values()
        for one in theirs:
            if one.point == point:
                return {THEIRS: one.number}
        try:
            config = self.search.trial(point)
        except ConfigError as error:
            return {"number": self._begin(point, ""), "refused": f"refused: {error}"}
        cell = Cell(config, study="search", row="trial")
        for one in theirs:
            if one.cell == cell.id:
                return {THEIRS: one.number}
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
        """Resumes an interrupted trial of this configuration, with the scores that it had, or begins a new one."""
        trial = SearchTrial(max(self.trials, default=-1) + 1, point, id)
        for one in self.interrupted():
            if one.point == point and one.cell == id:
                trial = one
                break
        self._begun[trial.number] = time.monotonic() - trial.seconds
        self._keep(replace(trial, same_as=same_as, run=self.run))
        return trial.number

    def _keep(self, trial: SearchTrial) -> None:
        self.trials[trial.number] = trial
        with self._telling():
            self.folder.save(trial)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            self.on_lost(error)

    def report(self, number: int, result: dict[str, Any]) -> None:
        """Records a trial's report; a report that a restarted trial repeats replaces the old one."""
        trial = replace(self.trials[number], seconds=round(time.monotonic() - self._begun[number], 1))
        if trial.same_as is not None or result.get(LOST):  # the scores of the other one are known, or will be
            return
        if result.get(FAILED):
            self._keep(replace(trial, status="failed", reason=str(result[FAILED])))
        else:
            at = int(result[REPORT])
            scores = [*trial.scores[: at - 1], *[float(result[SCORE])] * max(1, at - len(trial.scores[: at - 1]))]
            self._keep(replace(trial, scores=tuple(scores)))

    def end(self, number: int, result: dict[str, Any]) -> None:
        """A trial that ended, or that the scheduler stopped."""
        trial = self.trials[number]
        if result.get(LOST):  # not because of its configuration: it stays open for the next run
            self.note(f"trial {number}: ended without a result: {result[LOST]}")
            if CLAIMED in str(result[LOST]):  # by a process of a run that has ended; it will end soon too
                del self._begun[number]
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
        """Records how a trial ended, and ends those that wait for it."""
        self._keep(trial)
        with self._telling():
            self.folder.drop_weights({trial.cell})
        self.note(f"{self._count()}: trial {trial.number} {self._ending(trial)}: {shown(trial.point)}")
        for one in list(self.trials.values()):
            if one.same_as == trial.number and not one.ended and one.number in self._begun:
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
    """The trial, ended with the result of the one with the same configuration."""
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
    """Passes the events of trials on to the records."""

    def __init__(self, records: Records, ending: Ending) -> None:
        self._records, self._ending = records, ending

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        if not (result.get(STORE) and self._ending.is_lost(result[LOST])):
            self._records.report(int(trial.config["number"]), result)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        if not self._ending.stop_all():
            self._records.end(int(trial.config["number"]), trial.last_result or {})

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        number, last = int(trial.config["number"]), trial.last_result or {}
        if self._ending.stop_all():
            return
        if last.get(AVOID):
            self._records.end(number, last)
        else:
            self._records.lose(number, last_error(trial))
