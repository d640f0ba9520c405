"""Loads items of a list for a consumer, in this process or in others; how many processes is chosen by measuring.

The consumer trains on a batch or passes clips through a network. Items are the same however they are loaded, so the
number of processes may change between two of them. It is chosen from the first items: what one costs to load and to
use, how many are left, and how many CPUs there are. Processes start beside the work, and are ended again if it does not
become faster with them.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar

from raysl.errors import ConfigError, RayslError
from raysl.notes import say_once
from raysl.views.loaded import Loaded, LoadSeconds, finished, first, parts_of, timed
from raysl.views.loader_choice import (
    MEASURED,
    MOST_PROCESSES,
    WARM_UP,
    Costs,
    LoaderChoice,
    Sample,
    choose,
    processes_that_fit,
)
from raysl.views.loader_processes import AHEAD, LoaderProcesses
from raysl.views.loading_time import Spent

K = TypeVar("K")
T = TypeVar("T")

Asked = int | Literal["auto"]


class Loading(Generic[K, T]):
    """Items for one consumer, in the order of their keys.

    Args:
        load: makes an item; picklable, if processes may load (see `LoaderProcesses`).
        asked: processes; ``auto``: as `choose` finds.
        cpus: that this process may use.
        item_bytes: of an item, in shared memory; None: as the first item, a tensor, which is then made here.
        what: the items' use, in messages: ``training``.
        beside: without processes a thread loads one item ahead; False: the consumer loads.
        ahead: items that each process makes ahead.
        group: items that the consumer takes together, which are measured together.
        settle: waits until the consumer's work is done, where that runs on (on a GPU); called while measuring.
        finish: changes an item in this process; with loader processes, in a thread.
        on_choice: called with the number of processes once it is chosen, and if it changes.
        says: notes say what was chosen, and once if the consumer waits much; False on all ranks but the first.

    Attributes:
        processes: that load now.
        spent: on the items so far.
    """

    def __init__(
        self,
        load: Callable[[K], T],
        asked: Asked,
        *,
        cpus: int,
        item_bytes: int | None,
        what: str,
        beside: bool = False,
        ahead: int = AHEAD,
        group: int = 1,
        settle: Callable[[], None] | None = None,
        finish: Callable[[T], T] | None = None,
        on_choice: Callable[[LoaderChoice], None] | None = None,
        says: bool = True,
    ) -> None:
        self._load, self._cpus, self._item_bytes, self._what = load, cpus, item_bytes, what
        self._beside, self._ahead, self._group = beside, ahead, group
        self._settle, self._finish, self._on_choice, self._says = settle, finish, on_choice, says
        self._auto = asked == "auto"
        self._fixed = 0 if asked == "auto" else self._fitting(asked)
        self._pool: LoaderProcesses[K, T] | None = None
        self._starting: Future[LoaderProcesses[K, T]] | None = None
        self._choice: LoaderChoice | None = None
        self.spent = Spent()

    @property
    def processes(self) -> int:
        return self._fixed if self._pool is None else self._pool.count

    def items(self, keys: Iterable[K], count: int = 0) -> Iterator[T]:
        """One pass at a time. A pass may be left; processes stay for the next one.

        Args:
            count: how many keys there are, for the choice; without it no process is started by itself.
        """
        remaining = iter(keys)
        if self._fixed and self._pool is None and self._item_bytes is None:
            yield from (loaded.value for loaded in self._each(first(remaining)))
            count = max(count - 1, 1)
        if self._fixed and self._pool is None:
            self._start_fixed(count)
        if self._pool is None:
            yield from self._alone(remaining, count)
        if self._pool is not None:
            yield from self._in_processes(self._pool, remaining)
        if self._pool is None:  # they were no gain
            yield from self._alone(remaining, 0)

    def _start_fixed(self, count: int) -> None:
        """Starts as many processes as were asked for, not more than there are items."""
        wanted = self._fitting(min(self._fixed, count) if count else self._fixed)
        try:
            self._pool = LoaderProcesses(self._load, wanted, ahead=self._ahead) if wanted else None
        except ConfigError as error:
            if not self._beside:
                raise
            self._fixed = 0
            say_once(f"{self._what}: one thread loads clips: {error}")

    def _fitting(self, processes: int) -> int:
        """As many as shared memory has room for."""
        if self._item_bytes is None:
            return processes
        return processes_that_fit(processes, self._item_bytes, self._ahead)

    def close(self) -> None:
        """Ends the processes."""
        if self._starting is not None:
            self._take_started(wait=True)
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _alone(self, keys: Iterator[K], count: int) -> Iterator[T]:
        """In this process, until loader processes are ready."""
        sample, number, cpu = Sample(), 0, time.process_time()
        warm, enough = WARM_UP * self._group, MEASURED * self._group
        for loaded, waited in timed(self._one_ahead(keys) if self._beside else self._each(keys)):
            began = time.perf_counter()
            yield loaded.value
            measures = self._auto and self._choice is None and count > 0
            if measures and self._settle is not None:
                self._settle()
            used = time.perf_counter() - began
            number += 1
            before, cpu = cpu, time.process_time()
            if number <= warm:
                continue
            self._spend(waited, used, loaded.seconds)
            if measures:
                sample.add(loaded.seconds, used, cpu - before, self._beside)
                if sample.count == enough:
                    self._choose(sample.costs(), count - number)

    def _each(self, keys: Iterator[K]) -> Iterator[Loaded[T]]:
        for key in keys:
            yield self._made(key)
            if self._take_started():
                return

    def _one_ahead(self, keys: Iterator[K]) -> Iterator[Loaded[T]]:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="clips") as thread:
            following = deque(thread.submit(self._made, key) for key in first(keys))
            while following:
                current = following.popleft().result()
                if not self._take_started():
                    following.extend(thread.submit(self._made, key) for key in first(keys))
                yield current

    def _made(self, key: K) -> Loaded[T]:
        wall, cpu = time.perf_counter(), time.process_time()
        value = self._load(key)
        value = value if self._finish is None else self._finish(value)
        if self._item_bytes is None:
            self._item_bytes = getattr(value, "nbytes", 0)
        return Loaded(value, LoadSeconds(time.perf_counter() - wall, time.process_time() - cpu, parts_of(self._load)))

    def _choose(self, costs: Costs, left: int) -> None:
        # One CPU may still load while a GPU computes; `choose` sees whether the CPU has time for it.
        found = choose(costs, self._cpus, left, min(MOST_PROCESSES, self._cpus), beside=self._beside)
        if self._beside and found.processes == 1:
            found = replace(found, processes=0, why="a thread does as much")
        if found.processes:
            found = replace(found, processes=self._fitting(found.processes))
        if found.processes:
            self._start(found)
        self._decided(found)

    def _decided(self, choice: LoaderChoice) -> None:
        self._choice = choice
        if self._on_choice is not None:
            self._on_choice(choice)

    def _start(self, choice: LoaderChoice) -> None:
        """Starts processes in a thread: the first ones of this process wait for a server that imports PyTorch."""
        self._starting = Future()
        threading.Thread(
            target=_run, args=(self._starting, self._load, choice.processes, self._ahead), daemon=True
        ).start()

    def _take_started(self, wait: bool = False) -> bool:
        """Whether processes have started by now; what they load with then replaces this process."""
        if self._starting is None or not (wait or self._starting.done()):
            return False
        started, self._starting = self._starting, None
        try:
            self._pool = started.result()
        except RayslError as error:
            say_once(f"{self._what}: clips are loaded in one process: {error}")
            assert self._choice is not None
            self._decided(replace(self._choice, processes=0, why=str(error)))
            return False
        return True

    def _in_processes(self, pool: LoaderProcesses[K, T], keys: Iterator[K]) -> Iterator[T]:
        """If these processes were chosen, and the first items are not faster with them, they are ended."""
        choice = self._choice
        judged = choice is not None and choice.after is None
        skipped, period = pool.count * self._ahead, 0.0
        enough = MEASURED * self._group
        self.spent = Spent()
        items = pool.items(keys) if self._finish is None else finished(pool.items(keys), self._finish)
        for number, (loaded, waited) in enumerate(timed(items), start=1):
            began = time.perf_counter()
            yield loaded.value
            if judged and self._settle is not None:
                self._settle()
            used = time.perf_counter() - began
            self._spend(waited, used, loaded.seconds)
            if judged and number > skipped:
                period += waited + used
            if judged and number == skipped + enough:
                judged = False
                self._judge(pool, period / enough)
        if self._choice is not None and not self._choice.processes:
            self._pool = None
            pool.close()

    def _judge(self, pool: LoaderProcesses[K, T], period: float) -> None:
        """Keeps the processes if items now follow each other faster than without."""
        choice = self._choice
        assert choice is not None
        assert choice.before is not None
        seconds = f"{period:.3g} s from one batch to the next, {choice.before:.3g} s without"
        if period > choice.before:
            pool.drain()
            choice = replace(choice, processes=0, why=f"it was slower with {pool.count}: {seconds}")
        elif self._says:
            say_once(
                f"{self._what}: {pool.count} of {self._cpus} CPUs load clips in processes of their own ({seconds})"
            )
        self._decided(replace(choice, after=period))

    def _spend(self, waited: float, used: float, loading: LoadSeconds) -> None:
        self.spent.add(waited, used, loading)
        if self._says and self.spent.is_slow:
            self._says = False
            say_once(f"{self._what}: {self.spent.hint(self.processes)}")


def _run(started: Future[Any], load: Callable[[Any], Any], count: int, ahead: int) -> None:
    try:
        started.set_result(LoaderProcesses(load, count, ahead=ahead))
    except BaseException as error:  # noqa: BLE001  (raised by who takes the result)
        started.set_exception(error)
