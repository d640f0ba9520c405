"""A folder on a local disk or an object store: bytes in, bytes out, every failure a StorageError that names it."""

from __future__ import annotations

import errno
import math
import os
import re
import stat
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow
from pyarrow import fs

from raysl.data.fetch import open_address, shown_address, why_not, without_credentials
from raysl.errors import ObstructedError, StorageError, StoreLostError

T = TypeVar("T")

_PARTIAL = ".partial-"
_DELAYED = "allow_delayed_open"

PATIENCE_VARIABLE = "RAYSL_STORE_PATIENCE"
PATIENCE_SECONDS, PAUSE_SECONDS = 60.0, 2.0
"""Seconds for which requests to a bucket that answered before are retried, unless `PATIENCE_VARIABLE` is set, and the
pause in between. The clients retry by themselves for 6 s if nothing listens (Google's: 10 s), and S3's for 99 s if
there is no answer."""

BROKEN_SECONDS = 120.0
"""Seconds for which a bucket that did not answer is not asked again, so that what ends with it need not wait again."""

_MENDED_BY = {
    errno.ENOSPC: "free some of its disk",
    errno.EDQUOT: "free some of its quota",
    errno.EROFS: "have its disk mounted for writing",
    errno.ETIMEDOUT: "wait until its server answers",
    errno.ENOTCONN: "connect its disk again",
    errno.EHOSTDOWN: "wait until its server answers",
    errno.EHOSTUNREACH: "wait until its server answers",
}
"""Errors of a whole disk, not of one of its files, with what to do."""

FULL = (errno.ENOSPC, errno.EDQUOT)

_OF_BUCKET = re.compile(
    r"NETWORK_CONNECTION|UNAVAILABLE|SLOW_DOWN|THROTTLING|INTERNAL_FAILURE|REQUEST_TIMEOUT|HTTP status 5\d\d|"
    r"DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|EXPIRED|INVALID_ACCESS_KEY_ID|INVALID_CLIENT_TOKEN_ID"
)
"""Errors of a whole bucket, by the texts of S3's and GCS's clients."""


@dataclass
class _Link:
    """The state of this process's requests to one bucket.

    Attributes:
        answered: whether it ever did.
        broken_until: by `time.monotonic`; it is not asked until then.
        why: the error.
    """

    answered: bool = False
    broken_until: float = 0.0
    why: str = ""

    @property
    def is_broken(self) -> bool:
        return time.monotonic() < self.broken_until

    def check(self) -> None:
        if self.is_broken:
            raise OSError(self.why)

    def break_off(self, why: str) -> None:
        if self.answered and not self.is_broken:
            self.broken_until, self.why = time.monotonic() + BROKEN_SECONDS, why


CLOCK_SECONDS = 60.0
_clocks: dict[str, tuple[float, float]] = {}
"""From a folder or bucket to when its clock was read, and its offset, both by `time.monotonic`."""

_links: dict[str, _Link] = {}
"""By the names of buckets."""


@dataclass(frozen=True)
class Place:
    """A folder of a filesystem.

    Attributes:
        filesystem: a pyarrow filesystem.
        root: the folder within it, without a slash at its end.
        shown: its name in messages, without credentials.
        patience: seconds for which requests to a bucket that answered before are retried.
    """

    filesystem: Any
    root: str
    shown: str
    patience: float = PATIENCE_SECONDS

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def below(self, path: str) -> Place:
        return replace(self, root=f"{self.root}/{path}", shown=f"{self.shown}/{path}")

    def read(self, path: str) -> bytes | None:
        """The object's bytes; None if there is no such object."""

        def read() -> bytes | None:
            try:
                self._refuse_no_file(path)
                with self.filesystem.open_input_file(f"{self.root}/{path}") as source:
                    return bytes(source.read())
            except (FileNotFoundError, NotADirectoryError):
                return None

        return self._do("read", path, read)

    def _refuse_no_file(self, path: str) -> None:
        """Refuses anything but a file on a local disk: reading a named pipe would wait for ever."""
        if not self.is_local:
            return
        try:
            mode = Path(f"{self.root}/{path}").stat().st_mode
            what = "a folder" if stat.S_ISDIR(mode) else "a special file"
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            mode, what = 0, "a link to itself"
        if not stat.S_ISREG(mode):
            message = f"cannot read {self.shown}/{path}: there is {what} instead of a file; remove it"
            raise ObstructedError(message)

    def write(self, path: str, data: bytes) -> None:
        """Writes one object; on a local disk a reader sees the old bytes or the new ones, never a part."""
        target = f"{self.root}/{path}"
        put = self._put_whole if self.is_local else self._put
        self._do("write", path, lambda: put(target, data))

    def check_writable(self, what: str, option: str) -> None:
        """Writes, reads and deletes one small object.

        Args:
            what: what the folder is for, in messages.
            option: the option that sets it, in messages.

        Raises:
            StorageError: one of these failed.
        """
        probe = f"probe-{uuid.uuid4().hex}"
        try:
            self.write(probe, b"raysl")
            whole = self.read(probe) == b"raysl"
            self.delete(probe)
        except StorageError as error:
            raise StorageError(
                f"the {what} {self.shown} cannot be written: {why_not(error.__cause__ or error)}; "
                f"give a folder or a bucket that you may write with {option}"
            ) from error
        if not whole:
            raise StorageError(f"the {what} {self.shown} does not give back what is written to it")

    def delete(self, path: str) -> None:
        """Deletes one object; no error if it does not exist."""
        self._do("delete", path, lambda: self._unless_absent(self.filesystem.delete_file, f"{self.root}/{path}"))

    def delete_folder(self) -> None:
        """Deletes this folder if it has no objects; no error if it does not exist."""
        there = self._do("list", "", lambda: self.filesystem.get_file_info(self.root)).type != fs.FileType.NotFound
        if there and not self.sizes():
            self._do("delete", "", lambda: self._unless_absent(self.filesystem.delete_dir, self.root))

    def sizes(self, path: str = "") -> dict[str, int]:
        """Every object below a folder: its path relative to this place, and its size in bytes."""
        return {name: size for name, size in self.entries(path).items() if size is not None}

    def entries(self, path: str = "") -> dict[str, int | None]:
        """As `sizes`, with the folders below it too, which have no size."""
        found = self._listing(path, recursive=True)
        return {self._relative(info): int(info.size) if info.type == fs.FileType.File else None for info in found}

    def written(self, path: str) -> float | None:
        """When an object was written, by the storage's clock (`now`); None if it does not exist."""
        (info,) = self._do("list", path, lambda: self.filesystem.get_file_info([f"{self.root}/{path}"]))
        return None if info.type != fs.FileType.File or info.mtime_ns is None else info.mtime_ns / 1e9

    def now(self) -> float:
        """The current time by the storage's clock: clocks of two machines may differ by minutes.

        A small object is written for this, at most once a minute. If that fails, it is this machine's clock.
        """
        key = self.root if self.is_local else self.root.split("/")[0]
        measured, ahead = _clocks.get(key, (float("-inf"), 0.0))
        if time.monotonic() - measured > CLOCK_SECONDS:
            measured, name = time.monotonic(), f"{_PARTIAL}{uuid.uuid4().hex}-clock"
            try:
                self.write(name, b"raysl")
                ahead = (self.written(name) or time.time()) - time.monotonic()
                self.delete(name)
            except StorageError:
                ahead = time.time() - time.monotonic()
            _clocks[key] = measured, ahead
        return time.monotonic() + ahead

    def folders(self, path: str = "") -> list[str]:
        """The names of the folders directly in a folder, sorted.

        In Google's buckets everything below is listed: their client shows only folders that were created as such.
        """
        if self.filesystem.type_name == "gcs":
            below = [name[len(path) :].lstrip("/") for name in self.sizes(path)]
            return sorted({name.partition("/")[0] for name in below if "/" in name})
        found = self._listing(path, recursive=False)
        return sorted(str(info.base_name) for info in found if info.type == fs.FileType.Directory)

    def _listing(self, path: str, recursive: bool) -> list[Any]:
        selector = fs.FileSelector(f"{self.root}/{path}".rstrip("/"), allow_not_found=True, recursive=recursive)

        def infos() -> list[Any]:
            try:
                return list(self.filesystem.get_file_info(selector))
            except NotADirectoryError:
                return []

        return [info for info in self._do("list", path, infos) if not str(info.base_name).startswith(_PARTIAL)]

    def _relative(self, info: Any) -> str:
        return str(info.path)[len(self.root) + 1 :]

    def _put(self, target: str, data: bytes) -> None:
        with self.filesystem.open_output_stream(target) as sink:
            sink.write(data)

    def _put_whole(self, target: str, data: bytes) -> None:
        parent, name = target.rsplit("/", 1)
        self.filesystem.create_dir(parent, recursive=True)
        partial = f"{parent}/{_PARTIAL}{uuid.uuid4().hex}-{name}"
        try:
            self._put(partial, data)
            self.filesystem.move(partial, target)
        except BaseException:
            with suppress(OSError):  # of a disk that became read-only
                Path(partial).unlink(missing_ok=True)
            raise

    def _unless_absent(self, delete: Callable[[str], None], target: str) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            delete(target)

    def _do(self, action: str, path: str, function: Callable[[], T]) -> T:
        """Retries requests to a bucket that answered before, for a while; its client itself retries only for some
        seconds.

        Raises:
            StorageError: it failed.
        """
        link = _Link() if self.is_local else _links.setdefault(self.root.split("/")[0], _Link())
        until = time.monotonic() + (self.patience if link.answered else 0.0)
        while True:
            try:
                link.check()
                result = function()
            except (OSError, pyarrow.ArrowException) as error:
                of_bucket = not self.is_local and _OF_BUCKET.search(str(error)) is not None
                if not of_bucket:
                    raise self._error(error, action, path) from error
                if link.is_broken or time.monotonic() >= until:
                    link.break_off(why_not(error))
                    raise self._lost(action, path, why_not(error), "see that it is there and answers") from error
                time.sleep(PAUSE_SECONDS)
            else:
                link.answered = True
                return result

    def _error(self, error: Exception, action: str, path: str) -> StorageError:
        shown, number = f"{self.shown}/{path}".rstrip("/"), getattr(error, "errno", None) or 0
        if isinstance(error, PermissionError):
            return ObstructedError(
                f"cannot {action} {shown}: permission denied; give this user the right to {action} it"
            )
        if action in ("read", "write", "delete") and self._is_folder(path):
            return ObstructedError(f"cannot {action} {shown}: there is a folder instead of a file; remove it")
        if action == "write" and (file := self._file_above(path)) is not None:
            return ObstructedError(f"cannot write {shown}: {file} is a file, where a folder should be; remove it")
        if self.is_local and number in _MENDED_BY:
            return self._lost(action, path, os.strerror(number), _MENDED_BY[number])
        return StorageError(f"cannot {action} {shown}: {why_not(error)}")

    def _lost(self, action: str, path: str, why: str, mend: str) -> StoreLostError:
        shown = f"{self.shown}/{path}".rstrip("/")
        return StoreLostError(
            f"cannot {action} {shown}: {why}; {mend}, and run the same command again: it continues from what is stored"
        )

    def _file_above(self, path: str) -> Path | None:
        """The parent of an object that is a file instead of a folder."""
        above = Path(self.root, path).parents if self.is_local else ()
        return next((one for one in above if one.exists() and not one.is_dir()), None)

    def _is_folder(self, path: str) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem) and Path(f"{self.root}/{path}").is_dir()


def place(storage: str | Path, what: str = "results store", option: str = "--storage") -> Place:
    """The folder that a path or an address names.

    Args:
        storage: a local path, or ``s3://bucket/prefix?endpoint_override=...``, ``gs://bucket/prefix``, ``file:///path``.
        what: what the folder is for, in messages.
        option: the option that sets it, in messages.

    Raises:
        StorageError: the address is not understood, or names a regular file; `PATIENCE_VARIABLE` is no number.
    """
    text = str(storage)
    if not text:
        raise StorageError(f"the address of the {what} is empty: give a folder or a bucket with {option}")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/(?!/)|(s3|gs|gcs|file):(?!//)", text):
        scheme, _, rest = text.partition(":")
        rest = rest.removeprefix("/")
        raise StorageError(
            f"the {what} {text} is neither a folder nor an address: write {scheme}://{rest}, or ./{text} for a "
            "folder of this name"
        )
    if "://" not in text:
        return _local(Path(text).expanduser().absolute(), what, option)
    try:
        filesystem, root = open_address(text)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise StorageError(
            f"cannot open the {what} {without_credentials(text)}: {error}; give a folder, s3://bucket/prefix "
            f"or gs://bucket/prefix with {option}"
        ) from error
    if isinstance(filesystem, fs.LocalFileSystem):
        return _local(Path(root), what, option)
    if not root.strip("/"):
        raise StorageError(f"the {what} {without_credentials(text)} names no bucket: give one with {option}")
    return Place(_in_one_request(filesystem), root.rstrip("/"), shown_address(text).rstrip("/"), _patience())


def _in_one_request(filesystem: Any) -> Any:
    """S3's filesystem, with small objects written by one request instead of the three of an upload in parts.

    An address cannot say this, so that the filesystem is made again as when it is pickled; pyarrow 17 cannot do it.
    """
    if filesystem.type_name != "s3":
        return filesystem
    make, (options,) = filesystem.__reduce__()
    return make({**options, _DELAYED: True}) if _DELAYED in options else filesystem


def _patience() -> float:
    given = os.environ.get(PATIENCE_VARIABLE, "").strip() or str(PATIENCE_SECONDS)
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise StorageError(f"{PATIENCE_VARIABLE}={given}: give the seconds for which a lost bucket is asked again")
    return seconds


def _local(folder: Path, what: str, option: str) -> Place:
    if folder.is_file():
        raise StorageError(f"the {what} {folder} is a file: give a folder with {option}")
    return Place(fs.LocalFileSystem(), folder.as_posix().rstrip("/"), str(folder))
