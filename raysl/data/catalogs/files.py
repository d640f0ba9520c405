"""Shared by the catalogs: which files are videos, and walking a folder of them in a fixed order.

Everything below a folder is accounted for: a `Walk` counts other files by suffix, names what has the name of a video
but is no plain file, and counts what it does not enter.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from raysl.errors import DataError

VIDEO_SUFFIXES = (
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv",
)  # fmt: skip
"""The suffixes of files taken as videos, in any case; the manifest determines whether they can be decoded."""

LIST_SUFFIXES = (".csv", ".json", ".pbtxt", ".tsv", ".txt", ".xml", ".yaml", ".yml")
"""The suffixes, in any case, of files that a data set's lists and annotations may be in."""

SYSTEM_FOLDERS = (
    "#recycle", "#snapshot", "$recycle.bin", "@eadir", "@recently-snapshot", "@recycle", "@tmp", "__macosx",
    "lost+found", "network trash folder", "recycler", "system volume information", "temporary items",
)  # fmt: skip
"""Folders of operating systems, in lower case; their files may have names of videos but are none."""


def is_video(name: str) -> bool:
    """Whether a file of this name counts as a video: a known suffix, and not hidden."""
    return not name.startswith(".") and name.lower().endswith(VIDEO_SUFFIXES)


def is_skipped(folder: str) -> bool:
    """Whether a folder of this name is not read: a hidden one, or a system's."""
    return folder.startswith(".") or folder.lower() in SYSTEM_FOLDERS


def folded(name: str) -> str:
    """A form that is equal for names that differ only in letter case or Unicode normal form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_root(root: Path, catalog: str) -> None:
    """Refuses a root that is absent, not a folder, unreadable or empty.

    Raises:
        DataError: naming the root and how to set another.
    """
    advice = "correct the data set's root (--root NAME=PATH)"
    try:
        if not any(root.iterdir()):
            raise DataError(f"{catalog}: the root {root} is empty; {advice}")
    except FileNotFoundError as error:
        raise DataError(f"{catalog}: the root {root} does not exist; {advice}") from error
    except NotADirectoryError as error:
        raise DataError(f"{catalog}: the root {root} is not a folder; {advice}") from error
    except OSError as error:
        raise DataError(
            f"{catalog}: the root {root} cannot be read: {error.strerror}; get the right to read it, or {advice}"
        ) from error


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones and those of systems.

    Raises:
        DataError: the folder cannot be read.
    """
    return [entry.name for entry in entries_of(folder, folder.name) if not is_skipped(entry.name) and _is_folder(entry)]


def child(folder: Path, names: Iterable[str]) -> Path | None:
    """The first of these names that is in a folder, exactly or with a unique name that differs only in case or form.

    Raises:
        DataError: the folder cannot be read.
    """
    there = [entry.name for entry in entries_of(folder, folder.name)] if folder.is_dir() else []
    for name in names:
        found = [name] if name in there else [other for other in there if folded(other) == folded(name)]
        if len(found) == 1:
            return folder / found[0]
    return None


@dataclass
class Walk:
    """The contents of a folder and below it; paths are relative to the root, with ``/``.

    Attributes:
        videos: plain files with the suffix of a video, sorted.
        absent: from what has the name of a video but is no plain file to what it is.
        others: other files by suffix, in lower case; "" for those without.
        lists: those of them that may be lists (`LIST_SUFFIXES`).
        skipped: what was not entered, by kind.
        unreadable: from folders that may not be read to the reason; empty if that is an error.
        places: the real paths of the folders that were entered.
    """

    videos: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    lists: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    places: set[Path] = field(default_factory=set)


def walk(root: Path, folder: Path, *, strict: bool = True, others: Iterable[Path] = ()) -> Walk:
    """Walks everything below ``folder``.

    Links to folders are followed, each folder once, but not to a folder that contains the link. Hidden files
    and folders and those of systems are left out.

    Args:
        strict: a folder that cannot be read is an error instead of an entry of `Walk.unreadable`; so is a name that is
            not valid UTF-8, instead of an entry of `Walk.absent`.
        others: folders that are read separately: no link into one of them is followed.

    Raises:
        DataError: a folder cannot be read, a name is not valid UTF-8, or folders are nested without end.
    """
    found = Walk()
    try:
        _Walker(root, found, strict, {Path(os.path.realpath(other)) for other in others}).enter(folder)
    except RecursionError as error:
        raise DataError(
            f"the folder {as_text(folder.name)} holds folders that are nested hundreds deep; move them out of "
            "the data set"
        ) from error
    found.videos.sort()
    # A folder called x.mp4 is probably meant as a video, unless it has videos.
    held = {str(parent) for path in found.videos for parent in PurePosixPath(path).parents}
    found.absent = {path: why for path, why in sorted(found.absent.items()) if path not in held}
    return found


@dataclass
class _Walker:
    root: Path
    found: Walk
    strict: bool
    others: set[Path]

    def enter(self, place: Path) -> None:
        real = Path(os.path.realpath(place))
        self.found.places.add(real)
        relative = place.relative_to(self.root).as_posix()
        try:
            entries = entries_of(place, relative)
        except DataError as error:
            if self.strict:
                raise
            self.found.unreadable[as_text(relative)] = str(error)
            return
        folders = []
        for entry in entries:
            if _is_folder(entry):
                folders.append(entry)
            else:
                self.add(entry)
        # In sorted order, so that of two links to a folder always the same one is entered.
        for entry in folders:
            self.meet(place / entry.name, real, entry.is_symlink())

    def meet(self, folder: Path, parent: Path, is_link: bool) -> None:
        target = Path(os.path.realpath(folder)) if is_link else parent / folder.name
        if folder.name.lower() in SYSTEM_FOLDERS:
            self.found.skipped[f"folders {folder.name}"] += 1
        elif folder.name.startswith("."):
            self.found.skipped["hidden folders"] += 1
        elif target in self.found.places or (is_link and self.is_elsewhere(target, parent)):
            self.found.skipped["links to folders that are read elsewhere"] += 1
        else:
            if is_video(folder.name):
                self.found.absent[as_text(folder.relative_to(self.root).as_posix())] = "a folder"
            self.enter(folder)

    def is_elsewhere(self, target: Path, parent: Path) -> bool:
        """Whether a link in ``parent`` leads to a folder above it, or into one that is read separately."""
        return target in parent.parents or any(place in self.others for place in (target, *target.parents))

    def add(self, entry: os.DirEntry[str]) -> None:
        """Adds a file, or anything else that is no folder."""
        path = Path(entry.path).relative_to(self.root).as_posix()
        if entry.name.startswith("."):
            self.found.skipped["._ files" if entry.name.startswith("._") else "hidden files"] += 1
        elif not is_video(entry.name):
            self.found.others[as_text(PurePosixPath(entry.name).suffix.lower())] += 1
            if entry.name.lower().endswith(LIST_SUFFIXES):
                self.found.lists.append(path)
        elif (why := not_plain(entry)) is not None:
            self.found.absent[as_text(path)] = why
        elif path == as_text(path):
            self.found.videos.append(path)
        elif self.strict:
            raise DataError(f"the file name {os.fsencode(path)!r} is not valid UTF-8; rename the file")
        else:
            self.found.absent[as_text(path)] = "its name is not valid UTF-8"


def not_plain(entry: os.DirEntry[str]) -> str | None:
    """What something with the name of a video is, if it is no plain file nor a link to one."""
    try:
        if entry.is_file():
            return None
        mode = entry.stat().st_mode
    except FileNotFoundError:
        return "a link to nothing"
    except OSError as error:
        return "a link to itself" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def is_plain_video(entry: os.DirEntry[str]) -> bool:
    """Whether something counts as a video: it has the name of one, and is a file or a link to one."""
    return is_video(entry.name) and not_plain(entry) is None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to what may not be read
        return False


def entries_of(folder: Path, shown: str) -> list[os.DirEntry[str]]:
    """The entries of a folder, by name.

    Args:
        shown: the folder in messages, relative to the root.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"the folder {as_text(shown)} cannot be read: {error.strerror}; get the right to read it, or move it "
            "out of the data set"
        ) from error


def as_text(path: str) -> str:
    """A path with the bytes that are not valid UTF-8 escaped."""
    return os.fsencode(path).decode(errors="backslashreplace")
