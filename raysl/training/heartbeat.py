"""A small thread that renews the cell's heartbeat in the store, also while one step takes minutes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from types import TracebackType

from raysl.errors import StorageError

logger = logging.getLogger(__name__)


class Heartbeat:
    """Calls ``beat(state)`` every ``interval`` seconds until closed; ``state`` is that of the last ``update``.

    If the store refuses a beat, this is logged once for several in a row, and the next one is tried: a store that
    stays away stops the run at its next checkpoint, where something would be lost.
    """

    def __init__(self, beat: Callable[[dict[str, object]], None], interval: float = 15.0) -> None:
        self._beat = beat
        self._interval = interval
        self._state: dict[str, object] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="raysl-heartbeat", daemon=True)

    def update(self, state: dict[str, object]) -> None:
        self._state = dict(state)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        refused = False
        while True:
            try:
                self._beat(self._state)
                refused = False
            except (StorageError, OSError) as error:
                if not refused:
                    logger.warning("the heartbeat could not be written: %s", error)
                refused = True
            if self._stop.wait(self._interval):
                return
