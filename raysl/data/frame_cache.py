"""Decoded frames on node-local disk: one memory-mapped uint8 file per video, shared by all processes of a node."""

from __future__ import annotations

import math
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from raysl.data.cache_budget import SUFFIX, CacheBudget
from raysl.data.film import Pixels
from raysl.data.manifest_types import ManifestRow
from raysl.data.resize import resize_frames, resized_size
from raysl.data.shared_folder import FULL, REFUSED, give_rights, make_folder
from raysl.notes import say_once

# Part of every key: raised when decoding or resizing gives other pixels.
VERSION = 3
CHUNK = 32
STALE_SECONDS = 24 * 3600.0


class FrameCache:
    """Resized frames of whole videos, ``[F, 3, h, w]`` uint8, keyed by the file's content and the size.

    The layout is that of a clip: a read is one copy. (Measured on 8 frames of 128x170: 40-60 us a clip, against 240-320
    for ``[F, h, w, 3]`` with its transposition.) A file has no header: its shape follows from the manifest, and one
    of another length is not trusted. Nothing is evicted: past the budget, videos are decoded on demand.

    Args:
        folder: of the cache, node-local.
        resize: short side in pixels.
        budget_bytes: largest size of the folder, all frame sizes together; 0: nothing is cached.
    """

    def __init__(self, folder: Path, resize: int, budget_bytes: int) -> None:
        self.folder = folder
        self.resize = resize
        self.budget = CacheBudget(folder, budget_bytes)

    def shape(self, row: ManifestRow) -> tuple[int, int, int, int]:
        """Shape of a video's cached frames: ``[F, h, w, 3]``."""
        return (row.frames, *resized_size(row.height, row.width, self.resize), 3)

    def bytes_of(self, row: ManifestRow) -> int:
        """Bytes of a video in the cache; 0 for an unreadable one."""
        return math.prod(self.shape(row)) if row.frames else 0

    def path(self, fingerprint: str) -> Path:
        """The file of a video's content at this size."""
        return self.folder / str(self.resize) / fingerprint[:2] / _name(fingerprint)

    def holds(self, row: ManifestRow) -> bool:
        """Whether the video is cached completely."""
        try:
            return self.path(row.fingerprint).stat().st_size == self.bytes_of(row)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            self._say_unreadable(error)
            return False

    def lacking(self, rows: Iterable[ManifestRow]) -> Iterator[ManifestRow]:
        """Those that it does not hold, in order. It lists the folder once, instead of looking for every absent file."""
        try:
            sizes = _sizes(self.folder / str(self.resize))
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            yield from (row for row in rows if not self.holds(row))  # a folder that may be entered and not listed
            return
        for row in rows:
            if sizes.get(_name(row.fingerprint)) != self.bytes_of(row):
                yield row

    def open(self, row: ManifestRow) -> NDArray[np.uint8] | None:
        """The cached frames, mapped read-only; None if they are absent, of another length, or not for this user."""
        if row.frames == 0 or not self.holds(row):
            return None
        try:
            return np.memmap(self.path(row.fingerprint), np.uint8, mode="r", shape=self.shape(row))
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            self._say_unreadable(error)
            return None

    def _say_unreadable(self, error: OSError) -> None:
        say_once(
            f"the cache {self.folder}: files of it cannot be read by this user ({error.strerror}); their videos are "
            "decoded on demand, which is slower: have their owner make them readable, or give another folder with "
            "--cache or RAYSL_CACHE"
        )

    def writer(self, fingerprint: str) -> CacheWriter:
        """A writer for one video."""
        return CacheWriter(self, fingerprint)

    def room(self) -> int:
        """Bytes left of the budget; 0 in a folder that this user cannot write."""
        try:
            return self.budget.room()
        except OSError as error:
            self.say_unwritable(error)
            return 0

    def say_unwritable(self, error: OSError) -> None:
        """Reports why the cache is not filled any more; errors of another kind are raised."""
        if error.errno in FULL:
            why, what = "its disk is full", "make room there"
        elif error.errno in REFUSED:
            why, what = f"it cannot be written by this user ({error.strerror})", "have its owner let you write there"
        else:
            raise error
        say_once(
            f"the cache {self.folder}: {why}; other videos are decoded on demand, which is slower: {what}, or give "
            "another folder with --cache or RAYSL_CACHE"
        )

    def sweep(self) -> int:
        """Removes what killed writers and earlier layouts (`VERSION`) left more than a day ago; returns how many."""
        left = chain(
            self.folder.rglob("*.part"),
            (file for file in self.folder.rglob(f"*{SUFFIX}") if not file.stem.endswith(f"-v{VERSION}")),
        )
        stale = [file for file in left if _age(file) > STALE_SECONDS]
        for file in stale:
            with suppress(PermissionError):  # another user's
                file.unlink(missing_ok=True)
        return len(stale)


class CacheWriter:
    """Takes a video's frames in order and puts them into the cache in one step: completely or not at all.

    A context manager; without ``commit`` nothing stays. If the video exceeds the budget, the disk is full, or this user
    cannot write the folder, it stops writing: videos that are not in the cache are decoded on demand.
    """

    def __init__(self, cache: FrameCache, fingerprint: str) -> None:
        self._cache = cache
        self._final = cache.path(fingerprint)
        # Unique among processes and nodes, so that writers of the same video never share a file.
        self._temporary = self._final.with_name(f"{fingerprint}.{os.getpid()}-{uuid.uuid4().hex}.part")
        self._pending: list[Pixels] = []
        self._written = 0
        self._file: BinaryIO | None = None

    def __enter__(self) -> CacheWriter:
        if self._cache.budget.budget_bytes > 0:
            with self._unless_full():
                make_folder(self._final.parent, self._cache.folder.parent)
                self._file = self._temporary.open("wb", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    def add(self, pixels: Pixels) -> bool:
        """The next frame, ``[H, W, 3]`` uint8 as decoded; False once it has stopped writing."""
        if self._file is not None:
            self._pending.append(pixels)
            if len(self._pending) == CHUNK:
                self._flush()
        return self._file is not None

    def commit(self) -> bool:
        """Puts the file in place; False if it does not fit into the budget."""
        self._flush()
        if self._file is None:
            return False
        self._file.close()
        self._file = None
        with self._unless_full():
            give_rights(self._temporary, self._cache.folder.parent, of_files=0o644)
            return self._cache.budget.move_in(self._temporary, self._final)
        return False

    def _flush(self) -> None:
        import torch

        if self._file is None or not self._pending:
            return
        frames = resize_frames(torch.from_numpy(np.stack(self._pending)).permute(0, 3, 1, 2), self._cache.resize)
        self._pending.clear()
        with self._unless_full():
            self._write(memoryview(frames.permute(0, 2, 3, 1).contiguous().numpy().data).cast("B"))
            if not self._cache.budget.room_for(self._written):
                self._abandon()

    def _write(self, pixels: memoryview) -> None:
        assert self._file is not None
        while pixels:  # a full disk takes a part, and refuses the rest
            count = self._file.write(pixels)
            self._written += count
            pixels = pixels[count:]

    @contextmanager
    def _unless_full(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._cache.say_unwritable(error)
            self._abandon()
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def _abandon(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._temporary.unlink(missing_ok=True)


def _name(fingerprint: str) -> str:
    return f"{fingerprint}-v{VERSION}{SUFFIX}"


def _sizes(folder: Path) -> dict[str, int]:
    """From the name of each finished file to its bytes."""
    found: dict[str, int] = {}
    with suppress(FileNotFoundError):  # the folder
        for file in (file for part in os.scandir(folder) if part.is_dir() for file in os.scandir(part)):
            if file.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):  # removed since it was listed
                    found[file.name] = file.stat().st_size
    return found


def _age(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except (FileNotFoundError, PermissionError):
        return 0.0
