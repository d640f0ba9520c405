"""What this machine gives processes that we start: an interpreter, and a folder for their sockets."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from contextlib import suppress
from multiprocessing.util import get_temp_dir
from pathlib import Path

from raysl.errors import RayslError

LONGEST_SOCKET = 107
"""Bytes of a socket's path that the system allows."""
SOCKET_NAMES = 32
"""Of which Python's names of a folder and a socket in it take so many: ``/pymp-xxxxxxxx/listener-xxxxxxxx``."""


def ready_for_processes() -> None:
    """Makes sure that `multiprocessing` can start processes and talk to them; to be called before it does.

    Raises:
        RayslError: there is no interpreter to start, or no folder for sockets.
    """
    find_interpreter()
    if len(os.fsencode(temporary_folder())) + SOCKET_NAMES <= LONGEST_SOCKET:
        return
    usual, tempfile.tempdir = tempfile.tempdir, str(short_folder(LONGEST_SOCKET - SOCKET_NAMES))
    try:
        get_temp_dir()  # made once for this process and those that it starts
    finally:
        tempfile.tempdir = usual


def find_interpreter() -> None:
    """Sets `sys.executable` where Python does not know it: a launcher gave it a name that lies on no path.

    Raises:
        RayslError: the system does not know it either.
    """
    if sys.executable:
        return
    with suppress(OSError):
        sys.executable = str(Path("/proc/self/exe").readlink())
    if not sys.executable:
        raise RayslError(
            "the Python that runs raysl cannot be found, and processes cannot be started with it: start raysl with the "
            "whole path of the interpreter (/path/to/python -m raysl)"
        )
    multiprocessing.set_executable(sys.executable)


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
    """The folder for temporary files, or another one where the bytes of its path are more than ``longest``.

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
