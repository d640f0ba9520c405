"""How trials end: with their cells' results, with lost processes, or all together if the store is lost."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from pyarrow import ArrowException
from ray.tune import Callback, Stopper, TuneError
from ray.tune.experiment import Trial

from raysl.engine.cells.crew import RESERVATION_LOST
from raysl.engine.cells.trial import CELL, ENDED, FAILED, FAULT, STORE, name_of
from raysl.engine.cluster import Cluster
from raysl.errors import StorageError, StoreLostError
from raysl.results import Store
from raysl.results.place import FULL

NODE_LOST = (
    "its node has died",
    "node was terminated",
    "Owner's node has crashed",
    "InsufficientClusterResources",
    RESERVATION_LOST,
)
"""Ray's texts for a process that ended with its node, and for a worker whose node is gone."""

TUNES_FILES = ("ray.tune.execution.experiment_state", "ray.tune.tune")
"""Loggers that report, with a traceback, that Tune's own files could not be written."""

OnEnd = Callable[[str, str | None, str | None], None]
"""Takes a cell's key, why it failed as its result, and why it ended without one."""


class Ending(Stopper):
    """Ends a Tune run if the store is lost; a context manager around its `fit` that raises the reason.

    In its body Tune does not report which of its own files it could not write, unless the user keeps them.

    Attributes:
        again: the run is ended to restart with the cells that are left.
    """

    def __init__(self, store: Store, cluster: Cluster) -> None:
        self._store = store
        self._silent = [] if cluster.tune_dir else [logging.getLogger(name) for name in TUNES_FILES]
        self._levels: list[int] = []
        self._why: StorageError | None = None
        self.again = False

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune's copy is for its own resume, which is not used; ours is from the store."""
        return {"_store": None, "_silent": [], "_levels": [], "_why": None, "again": False}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.again or self._why is not None

    def begin_again(self) -> None:
        """By the driver, if the cells that are left cannot continue with the resources they requested."""
        self.again = True

    def lose(self, why: StorageError) -> None:
        """By the driver, which could not write or read."""
        self._why = self._why or why

    def is_lost(self, why: str) -> bool:
        """Whether the store that a worker lost is lost for the driver too, not only for the worker's node."""
        try:
            self._store.check_writable()
            lost = any(
                os.strerror(number) in why for number in FULL
            )  # the check itself is small enough for a full disk
        except StorageError:
            lost = True
        if lost:
            self.lose(StoreLostError(why))
        return lost

    def __enter__(self) -> None:
        self._levels = [logger.level for logger in self._silent]
        for logger in self._silent:
            logger.setLevel(logging.CRITICAL)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for logger, level in zip(self._silent, self._levels, strict=True):
            logger.setLevel(level)
        if self._why is None and isinstance(error, TuneError | OSError | ArrowException):  # its own files may be there
            self._store.check_writable()
        if self._why is not None and not isinstance(error, KeyboardInterrupt):
            raise self._why


class Ends(Callback):
    """Passes on how trials ended: what they post on the board may be lost with it."""

    def __init__(self, on_end: OnEnd, keys: Mapping[str, str], ending: Ending) -> None:
        self._on_end, self._keys, self._ending = on_end, keys, ending

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        if result.get(STORE) and self._ending.is_lost(result[FAULT]):
            return
        if result.get(ENDED):
            self._on_end(self._keys[name_of(trial.config[CELL])], result[FAILED] or None, result[FAULT] or None)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._on_end(self._keys[name_of(trial.config[CELL])], None, last_error(trial) or "its process was lost")


def last_error(trial: Trial) -> str:
    """Why its actor was last lost, or empty.

    Tune appends it to a file of the driver. `Trial.get_error` reads a copy in the storage, which may come later.
    """
    file = cast(str | None, trial.error_file)
    if file is None or not Path(file).is_file():
        return ""
    return Path(file).read_text(encoding="utf-8", errors="replace").rpartition("Failure # ")[2].strip()


def lost_its_node(error: str) -> bool:
    """Whether the machine is gone, which is not the cell's fault: spot machines may go any number of times."""
    return any(said in error for said in NODE_LOST)
