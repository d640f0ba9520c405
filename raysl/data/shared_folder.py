"""A cache folder that processes of several users may share: rights of new files, and locks.

Everything below the cache folder gets the rights of the folder itself, whatever its makers' umask: one that a group may
write is filled by the whole group, and one that others may only read is only read by them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from raysl.notes import say_once

FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors of writing, for this user or, on a file system that is mounted read-only, for everybody."""
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
MOST_POLL_SECONDS = 0.2
SAID_AFTER_SECONDS = 2.0


def make_folder(folder: Path, root: Path) -> None:
    """Makes ``folder``, below ``root``, with the rights of ``root``; ``root`` itself with those of the umask."""
    root.mkdir(parents=True, exist_ok=True)
    made = root
    for part in folder.relative_to(root).parts:
        made = made / part
        with suppress(FileExistsError):
            made.mkdir()
            give_rights(made, root)


def give_rights(path: Path, root: Path, of_files: int = 0o666) -> None:
    """Gives a file or folder that this process made the rights of ``root``, as far as the system allows.

    Args:
        of_files: the most rights that a file may have.
    """
    wanted = stat.S_IMODE(root.stat().st_mode)
    present = path.stat().st_mode
    if not stat.S_ISDIR(present):
        wanted &= of_files
    if stat.S_IMODE(present) != wanted:
        with suppress(OSError):
            path.chmod(wanted)


def open_shared(file: Path, root: Path, flags: int = os.O_RDWR) -> int:
    """A descriptor of ``file``, which is created with the rights of ``root`` if absent."""
    while True:
        with suppress(FileNotFoundError):
            # Not with O_CREAT: in a folder with the sticky bit some systems refuse that for other users' files.
            return os.open(file, flags)
        with suppress(FileExistsError):
            descriptor = os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o666)
            give_rights(file, root)
            return descriptor


@contextmanager
def locked(descriptor: int, patience: float, what: str, sign: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Holds the lock of a file; continues without it if its holder seems to be stuck, or the disk has no locks.

    The protected work may then be done twice, and stays correct. The lock ends with the descriptor.

    Args:
        patience: seconds without a new ``sign`` of the holder's work.
        what: what it waits for, in messages.
    """
    seen, began, poll = sign(), time.monotonic(), 0.001
    since = began
    while not _taken(descriptor):
        time.sleep(poll)
        poll = min(2 * poll, MOST_POLL_SECONDS)
        found, now = sign(), time.monotonic()
        if found != seen:
            seen, since = found, now
        if now - since > patience:
            say_once(f"{what}: not waiting any longer for another process, which has done nothing for {patience:.0f} s")
            break
        if now - began > SAID_AFTER_SECONDS:
            say_once(f"{what}: waiting for another process that works on it")
    yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in NO_LOCKS
    return True
