"""Data sets in a bucket: copied once to this node's disk, within a budget, and read there like any other folder."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import fs

from raysl.data.shared_folder import give_rights, locked, make_folder, open_shared
from raysl.errors import DataError

THREADS = 16
"""Files that are copied at the same time: most of a small file's time is waiting."""
PATIENCE_SECONDS = 900.0
"""Seconds without a file finished by another process, after which this one does not wait for it any longer."""

GCS_SECONDS = 10
"""Seconds for which Google's client retries if nothing answers; its default is a quarter of an hour."""

Progress = Callable[[int, int], None]


def is_address(root: str | Path) -> bool:
    """Whether it is an address, ``s3://bucket/path``, not a folder."""
    return "://" in str(root)


def open_address(address: str) -> tuple[Any, str]:
    """The pyarrow filesystem of an address, and the path in it.

    Raises:
        OSError, ValueError, pyarrow.ArrowException: it is not understood.
    """
    if re.match(r"gc?s://", address) and "retry_limit_seconds=" not in address:
        address = f"{address}{'&' if '?' in address else '?'}retry_limit_seconds={GCS_SECONDS}"
    filesystem, root = fs.FileSystem.from_uri(address)
    return filesystem, str(root)


def why_not(error: BaseException) -> str:
    """The error of a bucket's client, without the repetition in Google's."""
    return re.sub(r" error_info=\{.*?\}\}", "", str(error), flags=re.DOTALL)


def without_credentials(address: str) -> str:
    """An address for printing: ``s3://key:secret@bucket`` without key and secret."""
    return re.sub(r"^(\w+://)[^/?]*@", r"\1", address)


def shown_address(address: str) -> str:
    """An address for errors: without credentials and options."""
    return without_credentials(address.split("?")[0])


def mirror(address: str, cache: Path) -> Path:
    """The folder that the contents of an address are copied to."""
    name = address.split("?")[0].rstrip("/").rpartition("/")[2] or "root"
    return cache / "fetched" / f"{name}-{hashlib.blake2b(address.encode(), digest_size=6).hexdigest()}"


def listing(address: str) -> str:
    """A hash of the contents of an address: paths, sizes and times of change.

    Raises:
        DataError: the address cannot be read, or is empty.
    """
    _, _, files = _listed(address, shown_address(address))
    lines = sorted(f"{file.path} {file.size} {file.time}" for file in files)
    return hashlib.blake2b("\n".join(lines).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def is_fetched(folder: Path, run: str = "") -> bool:
    """Whether a mirror has everything that was there when the address was last listed, or when ``run`` listed it."""
    try:
        return run in ["", *_marker(folder).read_text().splitlines()]
    except FileNotFoundError:
        return False


@dataclass(frozen=True)
class _File:
    path: str
    size: int
    time: int
    """Time of its change, in nanoseconds."""

    def is_at(self, local: Path) -> bool:
        try:
            found = local.stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.time)


def fetch(address: str, folder: Path, budget_bytes: int, progress: Progress | None = None, run: str = "") -> None:
    """Makes a folder equal to the contents of an address: new and changed files are copied, others removed.

    If several processes of a node call it, one copies, and the others wait for it.

    Args:
        address: ``s3://bucket/path`` or ``gs://bucket/path``; credentials as pyarrow finds them.
        folder: `mirror`.
        budget_bytes: largest total size of the files.
        progress: called with the number of files done and of all.
        run: a name that is kept with the copy (`is_fetched`).

    Raises:
        DataError: the address cannot be read, is empty, or has more than the budget.
    """
    shown = shown_address(address)
    filesystem, root, files = _listed(address, shown)
    total = sum(file.size for file in files)
    if total > budget_bytes:
        raise DataError(
            f"{shown}: its {len(files)} files have {total / 1e9:.1f} GB, and {budget_bytes / 1e9:.1f} GB of this "
            "node's disk may be used for a copy: raise RAYSL_FETCH_GIGABYTES, or use a folder that all nodes see"
        )
    make_folder(folder, folder.parents[1])
    lock = open_shared(folder.with_name(f"{folder.name}.lock"), folder.parents[1])
    try:
        with locked(lock, PATIENCE_SECONDS, f"copying of {shown}", lambda: os.fstat(lock).st_mtime_ns):
            _copy(filesystem, root, files, folder, shown, progress, lambda: os.utime(lock))
            _marker(folder).write_text(f"{shown}\n{time.time()}\n{run}\n")
    except OSError as error:
        raise DataError(f"{shown}: cannot be copied to {folder}: {error.strerror or error}") from error
    finally:
        os.close(lock)


def _listed(address: str, shown: str) -> tuple[Any, str, list[_File]]:
    try:
        filesystem, root = open_address(address)
        found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{shown}: cannot be read: {why_not(error)}; are address and credentials right?") from error
    start = len(root.rstrip("/")) + 1
    files = [
        _File(one.path[start:], int(one.size), int(one.mtime_ns or 0)) for one in found if one.type == fs.FileType.File
    ]
    if outside := [file.path for file in files if ".." in Path(file.path).parts]:
        raise DataError(f"{shown}/{outside[0]}: is outside of the data set's folder; remove it")
    if not files:
        raise DataError(f"{shown}: there is nothing; is the address right?")
    return filesystem, root.rstrip("/"), files


def _copy(
    filesystem: Any,
    root: str,
    files: list[_File],
    folder: Path,
    shown: str,
    progress: Progress | None,
    show_work: Callable[[], None],
) -> None:
    _remove_others({file.path for file in files}, folder)
    wanted = [file for file in files if not file.is_at(folder / file.path)]

    def get(file: _File) -> None:
        local = folder / file.path
        make_folder(local.parent, folder.parents[1])
        partial = local.with_name(f".{uuid.uuid4().hex}.part")
        with filesystem.open_input_stream(f"{root}/{file.path}") as source, partial.open("wb") as target:
            while chunk := source.read(2**22):
                target.write(chunk)
        os.utime(partial, ns=(file.time, file.time))
        give_rights(partial, folder.parents[1], of_files=0o644)
        partial.replace(local)

    with ThreadPoolExecutor(THREADS, thread_name_prefix="raysl-fetch") as pool:
        done = len(files) - len(wanted)
        jobs = {pool.submit(get, file): file for file in wanted}
        try:
            for job in as_completed(jobs):
                job.result()
                done += 1
                show_work()
                if progress is not None:
                    progress(done, len(files))
        except (OSError, pyarrow.ArrowException) as error:
            pool.shutdown(cancel_futures=True)
            raise DataError(f"{shown}/{jobs[job].path}: cannot be copied to {folder}: {why_not(error)}") from error


def _remove_others(paths: set[str], folder: Path) -> None:
    """Removes files that are gone at the address, and those that killed copies left."""
    for file in folder.rglob("*"):
        if not file.is_dir() and file.relative_to(folder).as_posix() not in paths:
            file.unlink(missing_ok=True)


def _marker(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.fetched")
