"""A folder on a local disk or an object store: bytes in, bytes out, every failure a StorageError that names it."""

from __future__ import annotations

import errno
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import fs

from raysl.errors import ObstructedError, StorageError

_PARTIAL = ".partial-"


def without_credentials(storage: str) -> str:
    """The address as it may be printed: ``s3://key:secret@bucket`` without key and secret."""
    return re.sub(r"^(\w+://)[^/?]*@", r"\1", storage)


@dataclass(frozen=True)
class Place:
    """A folder of a filesystem.

    Attributes:
        filesystem: a pyarrow filesystem.
        root: the folder within it, without a slash at its end.
        shown: how messages name it, without credentials.
    """

    filesystem: Any
    root: str
    shown: str

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def below(self, path: str) -> Place:
        return Place(self.filesystem, f"{self.root}/{path}", f"{self.shown}/{path}")

    def read(self, path: str) -> bytes | None:
        """The object's bytes; None if there is no such object."""
        with self._named("read", path):
            try:
                self._refuse_no_file(path)
                with self.filesystem.open_input_file(f"{self.root}/{path}") as source:
                    return bytes(source.read())
            except (FileNotFoundError, NotADirectoryError):
                return None

    def _refuse_no_file(self, path: str) -> None:
        """Refuses what stands in a file's place on a local disk: reading a named pipe would wait for ever."""
        if not self.is_local:
            return
        try:
            mode = Path(f"{self.root}/{path}").stat().st_mode
            what = "a folder" if stat.S_ISDIR(mode) else "no plain file"
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            mode, what = 0, "a link to itself"
        if not stat.S_ISREG(mode):
            message = f"cannot read {self.shown}/{path}: {what} stands where a file should be; remove it"
            raise ObstructedError(message)

    def write(self, path: str, data: bytes) -> None:
        """Writes one object; on a local disk a reader sees the old bytes or the new ones, never a part."""
        target = f"{self.root}/{path}"
        with self._named("write", path):
            if not self.is_local:
                self._put(target, data)
                return
            parent, name = target.rsplit("/", 1)
            self.filesystem.create_dir(parent, recursive=True)
            partial = f"{parent}/{_PARTIAL}{uuid.uuid4().hex}-{name}"
            try:
                self._put(partial, data)
                self.filesystem.move(partial, target)
            except OSError:
                Path(partial).unlink(missing_ok=True)
                raise

    def check_writable(self, what: str, option: str) -> None:
        """Writes, reads and deletes one small object.

        Args:
            what: the folder is for, in messages.
            option: that gives it, in messages.

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
                f"the {what} {self.shown} cannot be written: {error.__cause__}; "
                f"give a folder or a bucket that you may write with {option}"
            ) from error
        if not whole:
            raise StorageError(f"the {what} {self.shown} does not give back what is written to it")

    def delete(self, path: str) -> None:
        """Deletes one object; no error if it is not there."""
        with self._named("delete", path):
            try:
                self.filesystem.delete_file(f"{self.root}/{path}")
            except (FileNotFoundError, NotADirectoryError):
                return

    def delete_folder(self) -> None:
        """Deletes this folder where it is empty of objects; no error if it is not there."""
        if self.sizes():
            return
        with self._named("delete", ""):
            try:
                self.filesystem.delete_dir(self.root)
            except (FileNotFoundError, NotADirectoryError):
                return

    def sizes(self, path: str = "") -> dict[str, int]:
        """Every object below a folder: its path relative to this place, and its size in bytes."""
        return {name: size for name, size in self.entries(path).items() if size is not None}

    def entries(self, path: str = "") -> dict[str, int | None]:
        """As `sizes`, with the folders below it too, which have no size."""
        found = self._listing(path, recursive=True)
        return {self._relative(info): int(info.size) if info.type == fs.FileType.File else None for info in found}

    def folders(self, path: str = "") -> list[str]:
        """The names of the folders directly in a folder, sorted."""
        found = self._listing(path, recursive=False)
        return sorted(str(info.base_name) for info in found if info.type == fs.FileType.Directory)

    def _listing(self, path: str, recursive: bool) -> list[Any]:
        folder = f"{self.root}/{path}".rstrip("/")
        with self._named("list", path):
            try:
                infos = self.filesystem.get_file_info(
                    fs.FileSelector(folder, allow_not_found=True, recursive=recursive)
                )
            except NotADirectoryError:
                return []
        return [info for info in infos if not str(info.base_name).startswith(_PARTIAL)]

    def _relative(self, info: Any) -> str:
        return str(info.path)[len(self.root) + 1 :]

    def _put(self, target: str, data: bytes) -> None:
        with self.filesystem.open_output_stream(target) as sink:
            sink.write(data)

    @contextmanager
    def _named(self, action: str, path: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pyarrow.ArrowException) as error:
            shown = f"{self.shown}/{path}".rstrip("/")
            if isinstance(error, PermissionError):
                message = f"cannot {action} {shown}: permission denied; give this user the right to {action} it"
                raise ObstructedError(message) from error
            if action in ("read", "write") and self._is_folder(path):
                message = f"cannot {action} {shown}: a folder stands where a file should be; remove it"
                raise ObstructedError(message) from error
            if action == "write" and (file := self._file_above(path)) is not None:
                message = f"cannot write {shown}: {file} is a file, where a folder should be; remove it"
                raise ObstructedError(message) from error
            raise StorageError(f"cannot {action} {shown}: {error}") from error

    def _file_above(self, path: str) -> Path | None:
        """Of the folders that an object lies in, the one that is none."""
        above = Path(self.root, path).parents if self.is_local else ()
        return next((one for one in above if one.exists() and not one.is_dir()), None)

    def _is_folder(self, path: str) -> bool:
        return isinstance(self.filesystem, fs.LocalFileSystem) and Path(f"{self.root}/{path}").is_dir()


def place(storage: str | Path, what: str = "results store", option: str = "--storage") -> Place:
    """The folder that a path or an address names.

    Args:
        storage: a local path, or ``s3://bucket/prefix?endpoint_override=...``, ``gs://bucket/prefix``, ``file:///path``.
        what: the folder is for, in messages.
        option: that gives it, in messages.

    Raises:
        StorageError: the address is not understood, or names a regular file.
    """
    text = str(storage)
    if not text:
        raise StorageError(f"the address of the {what} is empty: give a folder or a bucket with {option}")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/(?!/)", text):
        scheme, _, rest = text.partition(":/")
        raise StorageError(
            f"the {what} {text} is neither a folder nor an address: write {scheme}://{rest}, or ./{text} for a "
            "folder of this name"
        )
    if "://" not in text:
        return _local(Path(text).expanduser().absolute(), what, option)
    try:
        filesystem, root = fs.FileSystem.from_uri(text)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise StorageError(
            f"cannot open the {what} {without_credentials(text)}: {error}; give a folder, s3://bucket/prefix "
            f"or gs://bucket/prefix with {option}"
        ) from error
    if isinstance(filesystem, fs.LocalFileSystem):
        return _local(Path(root), what, option)
    if not root.strip("/"):
        raise StorageError(f"the {what} {without_credentials(text)} names no bucket: give one with {option}")
    return Place(filesystem, root.rstrip("/"), without_credentials(text).split("?")[0].rstrip("/"))


def _local(folder: Path, what: str, option: str) -> Place:
    if folder.is_file():
        raise StorageError(f"the {what} {folder} is a file: give a folder with {option}")
    return Place(fs.LocalFileSystem(), folder.as_posix().rstrip("/"), str(folder))
