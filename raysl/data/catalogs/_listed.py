"""What the catalogs with official lists share: their options, reading lines, and finding the listed files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import field_validator

from raysl.config.options import Options, option
from raysl.config.suggest import nearest
from raysl.data.catalog import Catalog, Video
from raysl.data.catalogs._files import is_video, walk_videos
from raysl.errors import DataError


class ListedOptions(Options):
    """Which classes, and whether listed videos may be absent."""

    classes: list[str] | None = option(
        None, doc="only these classes, labelled anew in the official order; null: all", source="[?]", min_length=2
    )
    allow_missing: bool = option(
        False, doc="go on without listed videos whose files are absent, counting them", source="[?]", identity=False
    )

    @field_validator("classes")
    @classmethod
    def _in_order(cls, classes: list[str] | None) -> list[str] | None:
        if classes is not None and len(set(classes)) != len(classes):
            raise ValueError("classes names a class twice")
        return None if classes is None else sorted(classes)


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


def read_lines(file: Path, catalog: str, hint: str) -> list[tuple[int, str]]:
    """The lines that are not blank, without blanks around them, with their numbers; CRLF and LF alike.

    Raises:
        DataError: the list is absent, unreadable or empty; ``hint`` says where it comes from.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{catalog}: the list {file} is absent; {hint}") from error
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
            raise DataError(f"{catalog}: `classes` names {name!r}, no class of it{nearest(name, official)}")
    return [name for name in official if options.classes is None or name in options.classes]


def listed_catalog(
    name: str,
    root: Path,
    classes: Sequence[str],
    entries: Sequence[Entry],
    find: Callable[[Entry], str | None],
    *,
    allow_missing: bool,
    looked: str,
) -> Catalog:
    """The catalog of the entries that have a file, numbered in their order; the others are its ``missing``.

    Args:
        find: gives an entry's path relative to the root, or None.
        looked: where, for the message when nothing is found.

    Raises:
        DataError: files are absent, and that is not allowed, or all of them are.
    """
    labels = {class_name: label for label, class_name in enumerate(classes)}
    videos: list[Video] = []
    missing: list[str] = []
    for entry in entries:
        path = find(entry)
        if path is None:
            missing.append(entry.path)
        else:
            videos.append(Video(len(videos), path, labels[entry.class_name], entry.split, entry.group))
    if missing and not (allow_missing and videos):
        start = f"{name}: {len(missing)} of {len(entries)} listed videos have no file below {root}"
        if not videos:
            raise DataError(f"{start} (looked in {looked}, any video suffix); correct the root")
        empty = len({path.split("/", 1)[0] for path in missing})
        raise DataError(
            f"{start}, in {empty} classes, e.g. {', '.join(missing[:3])}; add the files, list the classes you have in "
            "`classes`, or set `allow_missing: true` to go on without them"
        )
    return Catalog(name, tuple(classes), tuple(videos), tuple(missing))


class ClassFolders:
    """Finds listed videos by class folder and stem, whatever the suffix; each folder is listed once.

    Args:
        parents: where the class folders may lie below the root; the first that exists is taken, or else the root.
    """

    def __init__(self, root: Path, catalog: str, parents: Iterable[str]) -> None:
        self._root = root
        self._catalog = catalog
        self._prefix = next((f"{parent}/" for parent in parents if (root / parent).is_dir()), "")
        self._names: dict[str, dict[str, list[str]]] = {}

    def find(self, entry: Entry) -> str | None:
        """The path relative to the root, or None. The listed suffix goes before others."""
        name = only_one(entry, self._in_class(entry.class_name).get(entry.stem, []), self._catalog)
        return None if name is None else f"{self._prefix}{entry.class_name}/{name}"

    def _in_class(self, class_name: str) -> dict[str, list[str]]:
        if class_name not in self._names:
            folder = self._root / self._prefix / class_name
            stems: dict[str, list[str]] = {}
            for file in sorted(folder.iterdir()) if folder.is_dir() else []:
                if is_video(file.name):
                    stems.setdefault(file.stem, []).append(file.name)
            self._names[class_name] = stems
        return self._names[class_name]


class Anywhere:
    """Finds listed videos by stem in any folder below the root: for sets whose stems are unique.

    Args:
        parents: where all videos lie below the root; the first that exists is searched, or else the root.
    """

    def __init__(self, root: Path, catalog: str, parents: Iterable[str] = ()) -> None:
        self._catalog = catalog
        self._paths: dict[str, list[str]] = defaultdict(list)
        folder = next((root / parent for parent in parents if (root / parent).is_dir()), root)
        for path in walk_videos(root, folder):
            self._paths[path.rsplit("/", 1)[-1].rsplit(".", 1)[0]].append(path)

    def find(self, entry: Entry) -> str | None:
        """The path relative to the root, or None. The listed suffix goes before others."""
        return only_one(entry, self._paths.get(entry.stem, []), self._catalog)


def only_one(entry: Entry, found: list[str], catalog: str) -> str | None:
    """The file of an entry among those of its stem.

    Raises:
        DataError: several are left after the listed suffix was preferred.
    """
    found = [name for name in found if name.endswith(entry.suffix)] or found
    if len(found) > 1:
        raise DataError(f"{catalog}: {entry.path} has several files ({', '.join(found)}); keep one of them")
    return found[0] if found else None
