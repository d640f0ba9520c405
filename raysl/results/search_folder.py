"""A search in a store: the records of its trials, separate from the cells of tables."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from raysl.errors import ObstructedError, StorageError
from raysl.results.encoding import UnreadableError, read_json, to_json
from raysl.results.place import Place

TrialStatus = Literal["running", "finished", "stopped", "failed"]
Value = str | int | float | bool


@dataclass(frozen=True)
class SearchTrial:
    """One trial of a search.

    Attributes:
        number: from 0, in the order of suggestion.
        point: parameter to its value; parameters whose condition did not hold are absent.
        cell: id of the configuration at the search's length; empty if the configuration was refused.
        status: running (or interrupted), finished (trained to the search's end), stopped (early, by the scheduler),
            failed.
        scores: score in percent after each report, the first report first.
        reason: of a failure.
        same_as: number of an earlier trial with the same configuration; the scores are copied, and nothing was trained.
        seconds: wall time from its suggestion to its last report, over all runs that continued it.
        run: the run that works on it, or did last.
    """

    number: int
    point: dict[str, Value]
    cell: str
    status: TrialStatus = "running"
    scores: tuple[float, ...] = ()
    reason: str = ""
    same_as: int | None = None
    seconds: float = 0.0
    run: str = ""

    @property
    def score(self) -> float | None:
        """Score after the last report; None before the first, and for a failed trial."""
        return self.scores[-1] if self.scores and self.status != "failed" else None

    @property
    def ended(self) -> bool:
        return self.status != "running"


@dataclass(frozen=True)
class SearchFolder:
    """The folder ``searches/<name>`` of a store.

    Attributes:
        name: ``<id of the search>-<hash of the data>``.
        place: the folder.
    """

    name: str
    place: Place

    def save(self, trial: SearchTrial) -> None:
        """Writes a trial's record, replacing an earlier one."""
        self.place.write(_path(trial.number), to_json(asdict(trial)))

    def trial(self, number: int) -> SearchTrial | None:
        """One trial; None if there is none with this number.

        Raises:
            StorageError: its record is incomplete.
        """
        path = _path(number)
        try:
            record = read_json(self.place, path)
            return None if record is None else _trial(record)
        except (UnreadableError, KeyError, TypeError, ValueError) as error:
            raise StorageError(
                f"{self.place.shown}/{path} is no record of a trial ({error}): raysl run tries another one instead"
            ) from error

    def trials(self) -> list[SearchTrial]:
        """All trials, by number."""
        return [found for number in self.numbers() if (found := self.trial(number)) is not None]

    def numbers(self) -> list[int]:
        """Numbers of all trials, in ascending order."""
        names = [name.removeprefix("trials/").removesuffix(".json") for name in self.place.entries("trials")]
        return sorted(int(name) for name in names if name.isdigit())

    def drop_damaged(self) -> list[str]:
        """Deletes incomplete records, so that other trials replace them; returns why each was no record."""
        dropped = []
        for number in self.numbers():
            try:
                self.trial(number)
            except ObstructedError:
                raise
            except StorageError as error:
                self.place.delete(_path(number))
                dropped.append(str(error))
        return dropped

    def about(self) -> dict[str, Any] | None:
        """What `write_about` kept; None if there is nothing.

        Raises:
            StorageError: it is incomplete.
        """
        try:
            return read_json(self.place, "search.json")
        except UnreadableError as error:
            raise StorageError(f"{self.place.shown}/{error}; run the study again, which writes it anew") from error

    def write_about(self, about: dict[str, Any]) -> None:
        """Stores what is searched (axes, settings, the base's configuration) for people who read the store."""
        self.place.write("search.json", to_json(about))

    def drop_weights(self, cells: Collection[str]) -> None:
        """Deletes the checkpoints of trials' cells: only the best configurations are needed, and are trained again."""
        for name in self.place.folders("cells"):
            if name.partition("-")[0] not in cells:
                continue
            folder = self.place.below(f"cells/{name}")
            folder.delete("done.json")  # it promises a checkpoint
            for path in folder.sizes("attempts"):
                if "/checkpoints/" in path:
                    folder.delete(path)


def best_trials(trials: list[SearchTrial], count: int) -> list[SearchTrial]:
    """The finished trials with the highest last score, each configuration once; of equals the earlier first."""
    finished = [trial for trial in trials if trial.status == "finished" and trial.same_as is None]
    return sorted(finished, key=lambda trial: (-(trial.score or 0.0), trial.number))[:count]


def _trial(record: dict[str, Any]) -> SearchTrial:
    if record["status"] not in get_args(TrialStatus):
        raise ValueError(f"its status is {record['status']!r}")
    return SearchTrial(**{**record, "scores": tuple(float(score) for score in record["scores"])})


def _path(number: int) -> str:
    return f"trials/{number:05d}.json"
