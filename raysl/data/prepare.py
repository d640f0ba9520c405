"""`raysl data prepare`: a root of copies that random windows are decoded from cheaply, for sets too large to cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import av

from raysl import __version__
from raysl.config.component import Chosen
from raysl.data.catalog import Catalog
from raysl.data.catalogs.files import walk
from raysl.data.manifest import Progress
from raysl.data.manifest_pool import run_jobs
from raysl.data.manifest_store import Stamp
from raysl.data.places import Places
from raysl.data.prepare_folder import ABOUT, JOURNAL, CopyFolder
from raysl.data.prepare_video import Copied, CopyOptions, CopyWork
from raysl.data.snapshot import data_key
from raysl.data.source import prepare_files
from raysl.errors import DataError

SAMPLED = 16
"""Videos that are copied first, from all over the set, to estimate the space that the others need."""
MARGIN = 1.2


@dataclass
class Report:
    """What `prepare` did.

    Attributes:
        root: of the originals.
        videos: of the data set.
        written, kept: copies made now, and finished by earlier calls; together all videos.
        as_they_are: from path to reason, of those that cannot be decoded and were copied as they are, so that the
            catalog stays the same and they are counted as unreadable there too.
        damaged: from path to frames that the decoder had to patch.
        bytes_in, bytes_out: of all originals, and of all their copies.
        lists: other files copied, that readers need.
    """

    root: Path
    videos: int
    written: int = 0
    kept: int = 0
    as_they_are: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    lists: int = 0


def prepare(
    sets: Sequence[Chosen],
    places: Places,
    to: Path,
    options: CopyOptions,
    *,
    processes: int | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Copies the videos of a data set, and the lists that its reader needs, so that ``to`` is a root of the same set.

    Finished copies are kept, so a killed call goes on where it was.

    Args:
        sets: one data set, once for each of its folds.
        to: the folder.
        processes: None: one for each CPU of this process.
        progress: called with the number of videos done and of all.
        say: called with each line about the space.

    Raises:
        DataError: no root; a folder that is not safe to write; too little space for the copies; a reader that finds
            other videos there than in the root.
    """
    places.fetch(sets[0], progress=progress)
    prepare_files(sets[0], places)
    root = places.root(sets[0])
    catalogs = {data_key(data): places.reader(data).read(root) for data in sets}
    paths = list(dict.fromkeys(video.path for catalog in catalogs.values() for video in catalog.videos))
    folder = CopyFolder(to.expanduser().absolute(), sets[0].name, options)
    folder.refuse_unsafe(root)
    with folder.locked():
        folder.write_about(_versions(), {}, complete=False)
        report = Report(root, len(paths))
        given = [own for data in sets if (own := places.reader(data).lists) is not None]
        report.lists = sum(copy_lists(own, folder.folder) for own in dict.fromkeys((root, *given)))
        copies = _Copies(root, folder, report, {path: _stamp(root / path) for path in paths})
        copies.make(CopyWork(root, folder.folder, options), processes, progress, say)
        for data in sets:
            _check_complete(data, catalogs[data_key(data)], folder.folder, root)
        read = {name: copies.about(catalog) for name, catalog in catalogs.items()}
        folder.write_about(_versions(), read, complete=True)
    return report


class _Copies:
    """The copies of one call, finished by it or before.

    Attributes:
        known: what is known of them, by path.
    """

    def __init__(self, root: Path, folder: CopyFolder, report: Report, stamps: dict[str, Stamp]) -> None:
        self._root, self._folder, self._report, self._stamps = root, folder, report, stamps
        self.known: dict[str, Copied] = {}
        for path, (stamp, made, copied) in folder.finished().items():
            if stamps.get(path) == stamp and _size(folder.folder / path) == made:
                self._take(copied, made)
        report.kept = len(self.known)

    def make(
        self, work: CopyWork, processes: int | None, progress: Progress | None, say: Callable[[str], None]
    ) -> None:
        """Makes those that are missing: first some from all over the set, whose sizes tell what the others need."""
        left = [path for path in self._stamps if path not in self.known]
        count = min(SAMPLED, 1 + len(left) // 4)
        first = left[:: max(1, len(left) // count)][:count]
        sampled = set(first)
        rest = [path for path in left if path not in sampled]
        self._run(work, first, processes, progress)
        if rest:
            still = sum(self._stamps[path][0] for path in rest)
            _check_space(self._report, still, len(rest), self._folder.folder, say)
            self._run(work, rest, processes, progress)

    def _run(self, work: CopyWork, jobs: list[str], processes: int | None, progress: Progress | None) -> None:
        for path, copied in run_jobs(work, jobs, processes or len(os.sched_getaffinity(0))):
            made = _size(self._folder.folder / path)
            self._folder.add(self._stamps[path], made, copied)
            self._take(copied, made)
            self._report.written += 1
            if progress is not None:
                progress(len(self.known), len(self._stamps))

    def _take(self, copied: Copied, made: int) -> None:
        self.known[copied.path] = copied
        self._report.bytes_in += self._stamps[copied.path][0]
        self._report.bytes_out += made
        if copied.error is not None:
            self._report.as_they_are[copied.path] = copied.error
        if copied.damaged:
            self._report.damaged[copied.path] = copied.damaged

    def about(self, catalog: Catalog) -> dict[str, object]:
        """What `prepared.json` says of a catalog: its hash, and that of the contents of its originals."""
        originals = [(video.path, self.known[video.path].source) for video in catalog.videos]
        return {"videos": len(originals), "catalog": catalog_hash(catalog), "originals": _hash(originals)}


def _check_space(report: Report, still: int, videos: int, folder: Path, say: Callable[[str], None]) -> None:
    """Says what the remaining copies need, by those that are finished, and refuses to fill the disk.

    Raises:
        DataError: there is less space.
    """
    need, free = MARGIN * still * report.bytes_out / max(report.bytes_in, 1), shutil.disk_usage(folder).free
    text = f"{videos} more videos of {size(still)} need about {size(need)}; {folder} has {size(free)} free"
    if need > free:
        raise DataError(f"{text}: make room, give another folder, or a smaller --short-side or a higher --quality")
    say(text)


def copy_lists(root: Path, folder: Path) -> int:
    """Copies the files of a root that may be lists or annotations, with their names; returns how many."""
    found = [path for path in walk(root, root, strict=False).lists if path not in (ABOUT, JOURNAL)]
    for path in found:
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, folder / path)
        except OSError as error:
            raise DataError(f"{folder / path}: the list cannot be copied: {error.strerror}") from error
    return len(found)


def _check_complete(data: Chosen, expected: Catalog, folder: Path, root: Path) -> None:
    """Reads the copies as a data set of their own.

    Raises:
        DataError: they are not the same one.
    """
    try:
        here = data.build().read(folder)
        same = (here.videos, here.classes, here.annotated) == (expected.videos, expected.classes, expected.annotated)
        why = "other videos, classes or boxes are found there"
    except DataError as error:
        same, why = False, str(error)
    if not same:
        raise DataError(
            f"{folder} is not yet a root of {data.bound_name!r}: {why}; copy the files that its reader needs from "
            f"{root}, with their names, and run this again"
        )


def catalog_hash(catalog: Catalog) -> str:
    """A hash of its videos with labels, splits and groups, and of its classes; 16 hexadecimal digits."""
    rows = [(one.path, one.label, one.split, one.group, one.fold) for one in catalog.videos]
    return _hash([catalog.classes, *rows])


def _hash(rows: Iterable[object]) -> str:
    return hashlib.blake2b(json.dumps(list(rows)).encode(), digest_size=8).hexdigest()


def _versions() -> dict[str, str]:
    return {"raysl": __version__, "av": version("av"), "ffmpeg": str(av.ffmpeg_version_info)}


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}; is the data set's root right?") from error
    return found.st_size, found.st_mtime_ns


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else -1


def size(count: float) -> str:
    """Bytes as a person reads them: ``850 kB``, ``23.5 GB`` (of 10^9 bytes)."""
    unit, power = next(((unit, power) for unit, power in (("GB", 9), ("MB", 6)) if count >= 10**power), ("kB", 3))
    return f"{count / 10**power:.1f} {unit}"
