"""Shared by the catalogs with official lists: options, reading lines, and finding the listed files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from raysl.config.options import NO_UNIT, Options, option
from raysl.config.suggest import nearest
from raysl.data.catalog import Catalog, Video
from raysl.data.catalogs.files import child, entries_of, folded, is_video, not_plain, subfolders, walk
from raysl.data.catalogs.split_folders import find_sides
from raysl.errors import ConfigError, DataError


class ListedOptions(Options):
    """Which classes, and whether listed videos may be absent."""

    classes: list[str] | None = option(
        None, doc="only these classes, renumbered in the official order; null: all", source="ours", min_length=2
    )
    allow_missing: bool = option(
        False,
        doc="continue without listed videos whose files are absent, and count them",
        source="ours",
        identity=False,
    )

    @field_validator("classes")
    @classmethod
    def _in_order(cls, classes: list[str] | None) -> list[str] | None:
        if classes is not None and len(set(classes)) != len(classes):
            raise ValueError("classes has a class twice")
        return None if classes is None else sorted(classes)


class ThreeSplitsOptions(ListedOptions):
    """Which of three official splits; ``all``: each one separately, and the mean over them, like folds."""

    split: Annotated[int, Field(ge=1, le=3)] | Literal["all"] = option(
        1,
        doc="official split; all: the mean over the three, each trained and tested separately (`all` outside of a "
        "table is the first)",
        unit=NO_UNIT,
        source="printed: UCF101 and HMDB51 have three; TaCo, SSTL and CVRL print means over them",
    )
    one_of_all: bool = option(
        False, doc="set by raysl if the split is one of all, so that tables name it", source="ours", identity=False
    )

    @property
    def open_folds(self) -> int:
        """How many splits there are to choose from; 0 if one is chosen."""
        return 3 if self.split == "all" else 0

    @property
    def fold(self) -> int | None:
        """The split, if it is one of all."""
        return self.number if self.one_of_all else None

    @property
    def number(self) -> int:
        """The split that is read."""
        return 1 if self.split == "all" else self.split

    def on_fold(self, number: int) -> ThreeSplitsOptions:
        """One split of all."""
        return self.model_copy(update={"split": number, "one_of_all": True})


def three_splits(name: str, of: str) -> dict[str, Any]:
    """``ucf101/2`` is official split 2, ``ucf101/all`` the mean over the three.

    Raises:
        ConfigError: there is no such split.
    """
    if name == "all":
        return {"split": "all"}
    if name not in ("1", "2", "3"):
        raise ConfigError(f"{of}/{name}: there is no such split{nearest(name, ('1', '2', '3', 'all'))}")
    return {"split": int(name)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed video: ``class_name/stem.suffix``."""

    class_name: str
    stem: str
    suffix: str
    split: str
    group: str | None = None

    @property
    def path(self) -> str:
        return f"{self.class_name}/{self.stem}{self.suffix}"


def list_folder(root: Path, names: Iterable[str], pattern: str) -> Path:
    """The first of these folders in ``root``, or the root, that has a list; if none has, for a message, the first that
    exists.

    Args:
        pattern: of a list's name, as for `Path.glob`.
    """
    places = [*(place for name in names if (place := child(root, [name])) is not None), root]
    return next((place for place in places if any(place.glob(pattern))), places[0])


def own_lists(root: Path) -> str:
    """For a message: lists that mmaction2 makes from the official ones; they have no class names."""
    found = sorted(root.glob("*_videos.txt"))
    return f" ({found[0].name} is a list of mmaction2, which is not read)" if found else ""


def read_lines(file: Path, catalog: str, hint: str) -> list[tuple[int, str]]:
    """The lines that are not blank, stripped, with their numbers; CRLF or LF.

    Raises:
        DataError: the list is absent, unreadable or empty; ``hint`` is where to get it.
    """
    file = child(file.parent, [file.name]) or file
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{catalog}: the list {file} is absent{own_lists(file.parent)}; {hint}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{catalog}: the list {file} cannot be read ({error}); {hint}") from error
    rows = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not rows:
        raise DataError(f"{catalog}: the list {file} is empty; {hint}")
    return rows


def chosen_classes(options: ListedOptions, official: list[str], catalog: str) -> list[str]:
    """The classes in use, in the official order.

    Raises:
        DataError: the options name a class that is not official.
    """
    for name in options.classes or []:
        if name not in official:
            raise DataError(f"{catalog}: `classes` has {name!r}, which is no class of it{nearest(name, official)}")
    return [name for name in official if options.classes is None or name in options.classes]


def listed_catalog(
    name: str,
    root: Path,
    classes: Sequence[str],
    entries: Sequence[Entry],
    files: Files,
    *,
    allow_missing: bool,
    looked: str,
) -> Catalog:
    """The catalog of the entries that have a file, numbered in their order; the others are its ``missing``.

    Args:
        looked: the folders searched, for the message if nothing is found.

    Raises:
        DataError: files are absent, and that is not allowed, or all of them are.
    """
    labels = {class_name: label for label, class_name in enumerate(classes)}
    paths, notes = files.match(entries)
    videos: list[Video] = []
    missing: list[str] = []
    for entry, path in zip(entries, paths, strict=True):
        if path is None:
            missing.append(entry.path)
        else:
            videos.append(Video(len(videos), path, labels[entry.class_name], entry.split, entry.group))
    if missing and not (allow_missing and videos):
        start = f"{name}: {len(missing)} of {len(entries)} listed videos have no file below {root}"
        also = "".join(f"; {heading}: {lines[0]}" for heading, lines in notes.items() if heading in (SEVERAL, NO_FILES))
        if not videos:
            raise DataError(f"{start} (looked in {looked}, any video suffix){also}{_instead(root)}; correct the root")
        empty = len({path.split("/", 1)[0] for path in missing})
        raise DataError(
            f"{start}, in {empty} classes, e.g. {', '.join(missing[:3])}{also}; add the files, list the classes you "
            "have in `classes`, or set `allow_missing: true` to continue without them"
        )
    return Catalog(name, tuple(classes), tuple(videos), tuple(missing), notes)


def _instead(root: Path) -> str:
    """A hint about a tree that was prepared for other programs."""
    frames = [name for name in subfolders(root) if name.lower().startswith("rawframes")]
    if frames:
        return f" ({frames[0]}/ holds single frames, which are not read: videos are)"
    sides = find_sides(root).names
    return (
        f" ({', '.join(sides)} are named as splits: `data: folder` with `split: folders` reads them)" if sides else ""
    )


SECOND = "second copies, not taken"
RENAMED = "with another letter case or Unicode form than in the list"
SEVERAL = "several files whose names differ from the list in letter case or Unicode form, none taken"
NO_FILES = "named like a video but no file"


class Files:
    """The video files of a set, found by key, which a listed name and a file's name have in common.

    Args:
        keys: from the path (relative to the root) of each video file to its key.
        absent: from what is named like a video but is no file to what it is.
        key: of an entry.
    """

    def __init__(
        self, root: Path, keys: Mapping[str, str], absent: Mapping[str, str], key: Callable[[Entry], str]
    ) -> None:
        self._root = root
        self._key = key
        self._absent = absent
        self._paths: dict[str, list[str]] = defaultdict(list)
        for path, own in keys.items():
            self._paths[own].append(path)

    def match(self, entries: Sequence[Entry]) -> tuple[list[str | None], dict[str, tuple[str, ...]]]:
        """The path of each entry relative to the root, or None; and notes, as `Catalog.notes`.

        A file belongs to an entry if its name is the listed one except for the suffix; or if it is the only file with a
        name that differs from it in letter case or Unicode form, and no other entry's does. Of several files with one
        name one is taken: see `_preference`.
        """
        notes: dict[str, list[str]] = defaultdict(list)
        listed = {self._key(entry) for entry in entries}
        spare: dict[str, list[str]] = defaultdict(list)
        for key in self._paths.keys() - listed:
            spare[folded(key)].append(key)
        rivals = Counter(folded(key) for key in listed - self._paths.keys())
        found: list[str | None] = []
        for entry in entries:
            key = self._key(entry)
            others = [] if key in self._paths else sorted(spare.get(folded(key), []))
            if len(others) > 1 or (others and rivals[folded(key)] > 1):
                notes[SEVERAL].append(f"{entry.path}: {', '.join(self._paths[other][0] for other in others)}")
                others = []
            paths = self._paths.get(others[0] if others else key, [])
            ordered = sorted(paths, key=partial(self._preference, entry, len(paths) > 1))
            taken = ordered[0] if ordered else None
            if others and taken is not None:
                notes[RENAMED].append(f"{entry.path}: {taken}")
            notes[SECOND] += [f"{copy} (taken: {taken})" for copy in ordered[1:]]
            found.append(taken)
        notes[NO_FILES] = [f"{path}: {why}" for path, why in self._absent.items()]
        return found, {heading: tuple(lines) for heading, lines in notes.items() if lines}

    def _preference(self, entry: Entry, several: bool, path: str) -> tuple[bool, bool, bool, int, str]:
        """Sort key for several files of one clip, of which the first is taken: not an empty one, one distributed as a
        replacement of broken ones (a folder ``replacement...``), with the listed suffix, in few folders, by path."""
        *folders, _ = path.split("/")
        return (
            several and (self._root / path).stat().st_size == 0,
            not any(folder.lower().startswith("replacement") for folder in folders),
            not path.endswith(entry.suffix),
            len(folders),
            path,
        )


def class_folders(root: Path, parents: Iterable[str], entries: Iterable[Entry]) -> Files:
    """Finds listed videos by class folder and stem, whatever the suffix.

    Args:
        parents: where the class folders may be below the root; the first that has one is used, or else the root.

    Raises:
        DataError: a folder cannot be read.
    """
    wanted = {folded(entry.class_name) for entry in entries}
    places = [place for parent in parents if (place := child(root, [parent])) is not None and place.is_dir()]
    found = [(place, [name for name in subfolders(place) if folded(name) in wanted]) for place in [*places, root]]
    place, names = next(((place, names) for place, names in found if names), (root, []))
    keys: dict[str, str] = {}
    absent: dict[str, str] = {}
    for name in names:
        folder = (place / name).relative_to(root).as_posix()
        for file in entries_of(place / name, folder):
            path = f"{folder}/{file.name}"
            if is_video(file.name) and (why := not_plain(file)) is not None:
                absent[path] = why
            elif is_video(file.name):
                keys[path] = f"{name}/{Path(file.name).stem}"
    return Files(root, keys, absent, lambda entry: f"{entry.class_name}/{entry.stem}")


def anywhere(root: Path, parents: Iterable[str] = ()) -> Files:
    """Finds listed videos by stem in any folder below the root: for sets with unique stems.

    Args:
        parents: where all videos may be below the root; the first that exists is searched, or else the root.

    Raises:
        DataError: a folder cannot be read.
    """
    place = child(root, parents)
    found = walk(root, place if place is not None and place.is_dir() else root)
    return Files(root, {path: Path(path).stem for path in found.videos}, found.absent, lambda entry: entry.stem)
