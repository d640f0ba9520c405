"""Accounts for everything below a data set's root: which files were taken as videos, which were not, and why."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from raysl.data.catalog import Catalog
from raysl.data.catalogs.files import walk
from raysl.data.catalogs.listed import NO_FILES
from raysl.errors import DataError

NAMED = 20
"""Files named of each kind: a hundred thousand files of Kinetics may be in no list."""


def account(root: Path, catalog: Catalog, named: int = NAMED) -> list[str]:
    """Lines that ``raysl data check`` prints about it and `Catalog.notes`; ``named`` files of each kind are named."""
    found = walk(root, root / catalog.folder, strict=False)
    taken = {video.path for video in catalog.videos}
    left = [path for path in found.videos if path not in taken]
    if left:  # a link may lead to a video that was taken under another name
        real = {os.path.realpath(root / path) for path in taken}
        left = [path for path in left if os.path.realpath(root / path) not in real]
    lines = [
        f"below the root: {len(taken)} videos taken ({_counted(map(_suffix, taken))})",
        f"  other files            {_counted(found.others.elements())}",
        f"  videos not taken       {len(left)}",
        f"  not looked into        {_counted(found.skipped.elements())}",
    ]
    absent = [*catalog.notes.get(NO_FILES, ()), *(f"{path}: {why}" for path, why in found.absent.items())]
    kinds = {
        "folders that cannot be read": list(found.unreadable),
        "videos not taken (other classes, other splits, in no list, or other copies)": left,
        **{heading: list(entries) for heading, entries in catalog.notes.items()},
        NO_FILES: list(dict.fromkeys(absent)),
    }
    for heading, entries in kinds.items():
        if entries:
            more = [f"  and {len(entries) - named} more: --account FILE has all"] if len(entries) > named else []
            lines += [f"{heading}: {len(entries)}", *(f"  {entry}" for entry in entries[:named]), *more]
    return lines


def write_account(root: Path, catalog: Catalog, file: Path) -> None:
    """Writes `account` with all names.

    Raises:
        DataError: the file cannot be written.
    """
    lines = account(root, catalog, sys.maxsize)
    try:
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise DataError(f"--account {file}: cannot be written: {error.strerror}") from error


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _counted(kinds: Iterable[str]) -> str:
    counts = Counter(kinds).most_common()
    shown = [f"{kind or 'without suffix'} {count}" for kind, count in counts[:NAMED]]
    rest = sum(count for _, count in counts[NAMED:])
    return ", ".join(shown + ([f"others {rest}"] if rest else [])) or "none"
