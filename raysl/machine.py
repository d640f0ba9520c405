"""What processes that we start need from this machine: an interpreter, and a folder for their sockets."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from multiprocessing.util import get_temp_dir
from pathlib import Path
from typing import Any

from raysl.errors import NodeFault, RayslError

LONGEST_SOCKET = 107
"""Bytes of a socket's path that the system allows."""
SOCKET_NAMES = 32
"""Bytes of Python's names of a folder and a socket in it: ``/pymp-xxxxxxxx/listener-xxxxxxxx``."""
PATIENCE_SECONDS = 60.0
"""Seconds for an interpreter to report its version."""


class _Process(ForkServerProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802
        with _script_hidden():
            return ForkServerProcess._Popen(process_obj)


class _Context(ForkServerContext):
    Process = _Process


PROCESSES = _Context()
"""Starts processes from a server: not forked from this one, which may hold threads.

Unlike others of `multiprocessing` they do not run the script that this process runs: nothing of it is sent to them, and
a script without ``if __name__ == "__main__":`` would start again in each.
"""


@contextmanager
def _script_hidden() -> Iterator[None]:
    main = sys.modules["__main__"]
    spec, file = main.__spec__, main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__spec__ = spec
        if file is not None:
            main.__file__ = file


def ready_for_processes() -> None:
    """Makes sure that `multiprocessing` can start processes and communicate with them; to be called before it does.

    Raises:
        RayslError: there is no interpreter to start, or no folder for sockets.
        NodeFault: there is no room for their locks.
    """
    find_interpreter()
    if len(os.fsencode(temporary_folder())) + SOCKET_NAMES > LONGEST_SOCKET:
        usual, tempfile.tempdir = tempfile.tempdir, str(short_folder(LONGEST_SOCKET - SOCKET_NAMES))
        try:
            get_temp_dir()  # made once for this process and those that it starts
        finally:
            tempfile.tempdir = usual
    _start_servers()
    _check_locks()


def _check_locks() -> None:
    """Creates a lock, which needs the servers."""
    try:
        PROCESSES.Lock()
    except OSError as error:
        raise NodeFault(
            f"processes cannot be started: no lock can be made in /dev/shm ({error.strerror}): free some of it, or "
            "give the container more (docker run --shm-size)"
        ) from error


def _start_servers() -> None:
    """Starts the helper processes of `multiprocessing` without the working folder on their path.

    They are started with ``python -c``, which puts it first: a folder ``raysl`` or a file ``random.py`` in it would be
    imported instead of the real module.
    """
    given = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        resource_tracker.ensure_running()
        forkserver.ensure_running()
    finally:
        if given is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = given


def find_interpreter() -> None:
    """Sets `sys.executable` to the Python that runs this, if a launcher set another name.

    Raises:
        RayslError: the system does not know it either.
    """
    if _runs(sys.executable):
        return
    given, found = sys.executable, ""
    with suppress(OSError):
        found = str(Path("/proc/self/exe").readlink())
    if not _runs(found):
        raise RayslError(
            f"processes cannot be started with {given or 'this Python, whose file is not known'}: start raysl with the "
            "whole path of the interpreter (/path/to/python -m raysl)"
        )
    sys.executable = found
    multiprocessing.set_executable(found)


@cache
def _runs(executable: str) -> bool:
    """Whether it is a Python of this version."""
    if not executable:
        return False
    command = [executable, "-c", "import sys; print(sys.version_info[:2])"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.splitlines()[-1:] == [str(sys.version_info[:2])]


def temporary_folder() -> str:
    """The folder for temporary files.

    Raises:
        RayslError: none can be written.
    """
    try:
        return tempfile.gettempdir()
    except OSError as error:
        raise RayslError(
            f"no folder for temporary files can be written ({error.strerror}): set TMPDIR to one that can"
        ) from error


def short_folder(longest: int) -> Path:
    """The folder for temporary files, or another one if its path has more than ``longest`` bytes.

    Raises:
        RayslError: none is short enough.
    """
    usual = temporary_folder()
    for folder in (usual, "/tmp", "/var/tmp", "/dev/shm"):
        if len(os.fsencode(folder)) <= longest and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    raise RayslError(
        f"processes cannot make their sockets: the path of the folder for temporary files is too long ({usual}); set "
        f"TMPDIR to one of at most {longest} characters"
    )
