"""The byte budget of a folder that several processes fill, kept in one ledger file under a lock."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raysl.data.shared_folder import REFUSED, locked, make_folder, open_shared

SUFFIX = ".u8"
RESCAN_SECONDS = 60.0
LEDGER_PATIENCE_SECONDS = 30.0
"""The lock is held only for moments; a process that holds it for longer was stopped."""


class CacheBudget:
    """The byte budget of a folder of cached files, shared by every process of a node.

    The ledger holds the bytes in use. It is a hint that saves scanning: before something is refused (once a minute at
    most), and if the ledger is absent or unreadable, the folder is scanned, so that deleted files count as free. The
    folder's parent is the cache, which determines the rights of everything below it.
    """

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self.folder = folder
        self.budget_bytes = budget_bytes
        self._scanned = -RESCAN_SECONDS

    def room_for(self, size: int) -> bool:
        """Whether ``size`` more bytes would fit now; nothing is reserved."""
        if size > self.budget_bytes:
            return False
        with self._ledger() as ledger:
            return self._fits(ledger, size)

    def room(self) -> int:
        """Bytes that are left, by a scan if the ledger has none left."""
        if not self.budget_bytes:
            return 0
        with self._ledger() as ledger:
            if not self._fits(ledger, 1):
                return 0
            return self.budget_bytes - self._used(ledger)

    def move_in(self, temporary: Path, final: Path) -> bool:
        """Puts a finished file in place, atomically; False, with the file removed, if it does not fit.

        A file already in place is replaced only if its size is wrong: others may have it mapped, and the same key means
        the same content.
        """
        size = temporary.stat().st_size
        with self._ledger() as ledger:
            present = final.stat().st_size if final.is_file() else 0
            fits = present == size or self._fits(ledger, size - present)
            if present == size or not fits:
                temporary.unlink()
                return fits
            used = self._used(ledger)
            temporary.replace(final)
            _write(ledger, used + size - present)
        return True

    def _fits(self, ledger: int, size: int) -> bool:
        if self._used(ledger) + size <= self.budget_bytes:
            return True
        if time.monotonic() - self._scanned < RESCAN_SECONDS:
            return False
        used = self.scan()
        self._scanned = time.monotonic()
        _write(ledger, used)
        return used + size <= self.budget_bytes

    def _used(self, ledger: int) -> int:
        text = os.pread(ledger, 32, 0).strip()
        if text.isdigit():
            return int(text)
        used = self.scan()
        _write(ledger, used)
        return used

    def scan(self) -> int:
        """Bytes of the finished files in the folder."""
        total = 0
        for file in self.folder.rglob(f"*{SUFFIX}"):
            try:
                total += file.stat().st_size
            except OSError as error:
                if error.errno not in (errno.ENOENT, *REFUSED):
                    raise  # otherwise it was removed since it was listed, or is not for this user
        return total

    @contextmanager
    def _ledger(self) -> Iterator[int]:
        make_folder(self.folder, self.folder.parent)
        descriptor = open_shared(self.folder / "ledger", self.folder.parent)
        try:
            with locked(descriptor, LEDGER_PATIENCE_SECONDS, f"the list of files in {self.folder}"):
                yield descriptor
        finally:
            os.close(descriptor)  # this releases the lock, as the death of the process does


def _write(ledger: int, used: int) -> None:
    os.pwrite(ledger, f"{used:<32d}".encode(), 0)
