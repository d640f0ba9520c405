"""What the catalogs share: which files are videos, and walking a folder of them in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from raysl.errors import DataError

VIDEO_SUFFIXES = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
"""The suffixes of files taken for videos, in any case; whether they can be decoded is the manifest's matter."""


def is_video(name: str) -> bool:
    """Whether a file of this name counts as a video: a known suffix, and not hidden."""
    return not name.startswith(".") and name.lower().endswith(VIDEO_SUFFIXES)


def check_root(root: Path, catalog: str) -> None:
    """Refuses a root that is absent, not a folder, or empty.

    Raises:
        DataError: naming the root and how to give another.
    """
    if not root.is_dir():
        reason = "is not a folder" if root.exists() else "does not exist"
        raise DataError(f"{catalog}: the root {root} {reason}; correct the data set's root (--root NAME=PATH)")
    if not any(root.iterdir()):
        raise DataError(f"{catalog}: the root {root} is empty; correct the data set's root (--root NAME=PATH)")


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones."""
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def walk_videos(root: Path, folder: Path) -> list[str]:
    """The videos anywhere below ``folder``, as paths relative to ``root`` with ``/``, sorted.

    Links to folders are followed, each folder once; hidden files and folders are left out.

    Raises:
        DataError: a name is not valid UTF-8.
    """
    return sorted(_relative(root, file) for file in _walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        # A link to a folder above would make the walk endless.
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        # Sorted, so that it is always the same one of two links to a folder that is entered.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in files if is_video(name))


def _relative(root: Path, file: Path) -> str:
    path = file.relative_to(root).as_posix()
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"the file name {os.fsencode(path)!r} is not valid UTF-8; rename the file") from error
    return path
