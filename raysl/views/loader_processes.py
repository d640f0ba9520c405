"""Processes that load items of a list ahead; what they make is given in the order of the list.

Item i is made by process i modulo their number, so that nothing has to be put in order. Processes are forked from a
server that holds no threads and has done the imports (`raysl.machine.PROCESSES`), not from this process, which holds
many. Tensors pass through shared memory.
"""

from __future__ import annotations

import pickle
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import torch
import torch.multiprocessing  # makes tensors pass through shared memory

from raysl.data.packed import packed, unpacked
from raysl.errors import ConfigError, NodeFault
from raysl.machine import PROCESSES, ready_for_processes
from raysl.notes import collect, said, say_once
from raysl.signals import ENDING
from raysl.views.kept_memory import use_shared_memory
from raysl.views.loaded import Loaded, LoadSeconds, parts_of

K = TypeVar("K")
T = TypeVar("T")

SHARED = Path("/dev/shm")
"""Shared memory, through which items of loader processes pass."""
AHEAD = 2
"""Items that each process makes ahead."""
PATIENCE_SECONDS = 900.0
"""Seconds without an item after which loading fails with an error: stuck processes report nothing themselves."""
READY = 0
"""Serial of what a process sends before its first item."""
_CANNOT_LOAD = (
    "loader processes cannot get what loads their clips ({}): a component of your own must be picklable, its classes "
    "and functions at the top level of a module that can be imported; or set training.loader_workers to 0"
)
GRACE_SECONDS = 2.0
"""Seconds that processes have to end after their last item."""


class _Reply(NamedTuple):
    """What a process sends for an item: the pickled value, or why there is none."""

    serial: int
    content: bytes
    failed: bool
    seconds: LoadSeconds
    notes: tuple[str, ...]


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection


class LoaderProcesses(Generic[K, T]):
    """Makes ``load(key)`` for keys in their order. Close it when it is not needed any more.

    Args:
        load: picklable; each process has a copy, but for long tables, which they share (`raysl.data.packed`). Its
            attribute ``parts``, if it has one, is called without arguments after each item for `LoadSeconds.parts`.
        count: processes, at least 1.
        ahead: items that each makes ahead.

    Raises:
        ConfigError: ``load`` cannot be sent to another process.
        RayslError, NodeFault: processes cannot be started (`ready_for_processes`).
    """

    def __init__(self, load: Callable[[K], T], count: int, *, ahead: int = AHEAD) -> None:
        self.count, self._ahead, self._serial = count, ahead, 0
        self._feeding = True
        ready_for_processes()
        self._workers: list[_Worker] = []
        # Before multiprocessing ends processes with SIGTERM, which these ignore.
        self._finalize = Finalize(self, _end, (self._workers,), exitpriority=10)
        with _pickled(load) as content:
            for _ in range(count):
                ours, theirs = PROCESSES.Pipe()
                process = PROCESSES.Process(target=_work, args=(theirs, content), daemon=True)
                process.start()
                theirs.close()
                self._workers.append(_Worker(process, ours))
            for worker in self._workers:
                self._loaded(worker, self._receive(worker, READY))

    def items(self, keys: Iterable[K]) -> Iterator[Loaded[T]]:
        """One pass over ``keys``, which are taken as processes become free; a pass that is left ends with it.

        Raises:
            NodeFault: a process ended, or gave nothing for `PATIENCE_SECONDS`.
            Exception: what ``load`` raised.
        """
        waiting: deque[tuple[_Worker, int]] = deque()
        remaining = iter(keys)
        self._feeding = True

        def feed(worker: _Worker) -> None:
            for key in islice(remaining, 1 if self._feeding else 0):
                self._serial += 1
                self._send(worker, (self._serial, key))
                waiting.append((worker, self._serial))

        for _ in range(self._ahead):
            for worker in self._workers:
                feed(worker)
        while waiting:
            worker, serial = waiting.popleft()
            reply = self._receive(worker, serial)
            feed(worker)
            yield self._loaded(worker, reply)

    def drain(self) -> None:
        """The running pass takes no more keys, and ends after those that it has taken."""
        self._feeding = False

    def close(self) -> None:
        """Ends the processes."""
        self._finalize()

    def _send(self, worker: _Worker, message: tuple[int, K]) -> None:
        try:
            worker.connection.send(message)
        except OSError as error:
            raise self._lost(worker) from error

    def _receive(self, worker: _Worker, serial: int) -> _Reply:
        """The reply to a request; replies of a pass that was left are dropped."""
        while True:
            ready = wait([worker.connection, worker.process.sentinel], PATIENCE_SECONDS)
            if not ready:
                raise _ended(f"timed out after {PATIENCE_SECONDS:.0f} s without an item", self.count)
            if worker.connection not in ready:
                raise self._lost(worker)
            try:
                reply: _Reply = worker.connection.recv()
            except (EOFError, OSError) as error:
                raise self._lost(worker) from error
            if reply.serial == serial:
                return reply

    def _loaded(self, worker: _Worker, reply: _Reply) -> Loaded[T]:
        say_once(*reply.notes)
        try:
            value: Any = pickle.loads(reply.content)
        except OSError as error:  # the process served the memory of its tensors, and is gone
            raise self._lost(worker) from error
        if reply.failed:
            raise value
        return Loaded(value, reply.seconds)

    def _lost(self, worker: _Worker) -> NodeFault:
        worker.process.join(GRACE_SECONDS)
        code = worker.process.exitcode
        how = "a process ended" if code is None else f"a process ended with status {code}"
        if code is not None and code < 0:
            how = f"a process was ended by {signal.Signals(-code).name}"
        return _ended(how, self.count)


def _ended(how: str, count: int) -> NodeFault:
    free = f", {SHARED} has {shutil.disk_usage(SHARED).free / 1e6:.0f} MB free" if SHARED.is_dir() else ""
    return NodeFault(
        f"loading of clips ended: {how} ({count} loader processes{free}); lower training.loader_workers "
        "if memory or shared memory runs out, or check the storage of the videos",
        may_pass=True,
    )


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.connection.close()
    for worker in workers:
        worker.process.join(GRACE_SECONDS)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
    workers.clear()


@contextmanager
def _pickled(load: object) -> Iterator[bytes]:
    """While its body runs, processes can unpickle it."""
    with ExitStack() as stack:
        try:
            content = stack.enter_context(packed(load))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise ConfigError(_CANNOT_LOAD.format(error)) from error
        except OSError as error:
            raise NodeFault(f"loader processes cannot start: no room for temporary files ({error.strerror})") from error
        yield content


def _work(connection: Connection, content: bytes) -> None:
    """The main function of a process: it ends when the connection does."""
    for number in ENDING:  # they reach all processes of a terminal or job, and the parent still wants its batches
        signal.signal(number, signal.SIG_IGN)
    collect()
    use_shared_memory()
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            load: Callable[[Any], Any] = unpacked(content)
        except Exception as error:  # noqa: BLE001  (whatever importing a component of one's own does)
            connection.send(_reply(_refuse, READY, f"{type(error).__name__}: {error}"))
            return
        connection.send(_reply(len, READY, ""))
        while True:
            serial, key = connection.recv()
            connection.send(_reply(load, serial, key))


def _refuse(reason: str) -> None:
    raise ConfigError(_CANNOT_LOAD.format(reason))


def _reply(load: Callable[[Any], Any], serial: int, key: Any) -> _Reply:
    wall, cpu = time.perf_counter(), time.process_time()
    failed = False
    try:
        value = load(key)
    except Exception as error:  # noqa: BLE001  (raised again by who waits for the item)
        value, failed = _portable(error), True
    packing = time.perf_counter()
    packed = bytes(ForkingPickler.dumps(value))
    now = time.perf_counter()
    parts = {**parts_of(load), "collate": now - packing}
    return _Reply(serial, packed, failed, LoadSeconds(now - wall, time.process_time() - cpu, parts), said())


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same if it cannot be sent."""
    try:
        copied = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001  (whatever its class does)
        copied = None
    return error if type(copied) is type(error) else RuntimeError(f"{type(error).__name__}: {error}")
