"""UCF101 (Soomro, Zamir, Shah 2012), read from its official lists as published.

Layout: the lists in ``root/ucfTrainTestlist/``; class folders in ``root/UCF-101/`` or directly in the root. Files
re-encoded to another suffix are found by their stem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import field_validator

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.config.suggest import nearest
from raysl.data.catalog import Catalog, CatalogReader, Video
from raysl.data.catalogs._files import check_root, is_video
from raysl.errors import ConfigError, DataError

_LISTS = "ucfTrainTestlist"
_GROUP = re.compile(r"_(g\d+)_c\d+$")
_HINT = "unpack UCF101TrainTestSplits-RecognitionTask.zip, which has the official lists, into the root"


class UCF101Options(Options):
    """Which official split, which classes."""

    split: int = option(1, doc="official split", source="[P] Soomro et al. 2012: three splits", ge=1, le=3)
    classes: list[str] | None = option(
        None, doc="only these classes, labelled anew in the official order; null: all 101", source="[?]", min_length=2
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


@dataclass(frozen=True)
class _Entry:
    """One row of a list: ``class_name/stem.suffix``."""

    class_name: str
    stem: str
    suffix: str
    split: str
    group: str

    @property
    def path(self) -> str:
        return f"{self.class_name}/{self.stem}{self.suffix}"


class UCF101Reader(CatalogReader):
    """Reads the official lists of one split; the order of the videos is the same for all three splits."""

    def __init__(self, options: UCF101Options) -> None:
        self.options = options

    def read(self, root: Path) -> Catalog:
        check_root(root, "ucf101")
        lists = root / _LISTS if (root / _LISTS).is_dir() else root
        official = _read_classes(lists)
        classes = self._chosen(official)
        entries = self._entries(lists, official, classes)
        files = _FileFinder(root)
        videos: list[Video] = []
        missing: list[_Entry] = []
        for entry in entries:
            path = files.find(entry)
            if path is None:
                missing.append(entry)
            else:
                label = classes.index(entry.class_name)
                videos.append(Video(len(videos), path, label, entry.split, f"{entry.class_name}/{entry.group}"))
        self._refuse_missing(root, missing, len(entries))
        return Catalog("ucf101", tuple(classes), tuple(videos), tuple(entry.path for entry in missing))

    def _chosen(self, official: list[str]) -> list[str]:
        for name in self.options.classes or []:
            if name not in official:
                raise DataError(f"ucf101: `classes` names {name!r}, no class of UCF101{nearest(name, official)}")
        return [name for name in official if self.options.classes is None or name in self.options.classes]

    def _entries(self, lists: Path, official: list[str], classes: list[str]) -> list[_Entry]:
        """The rows of both lists that belong to the classes, in the official order of classes, then by stem."""
        entries: dict[tuple[int, str], _Entry] = {}
        for split in ("train", "test"):
            file = lists / f"{split}list{self.options.split:02d}.txt"
            for number, line in _lines(file):
                entry = _parse(line, split, official, f"ucf101: {file.name}, line {number}")
                key = (official.index(entry.class_name), entry.stem)
                if key in entries:
                    raise DataError(
                        f"ucf101: {file.name}, line {number}: {entry.path} was listed before, for "
                        f"{entries[key].split}; {_HINT}"
                    )
                entries[key] = entry
        return [entries[key] for key in sorted(entries) if entries[key].class_name in classes]

    def _refuse_missing(self, root: Path, missing: list[_Entry], listed: int) -> None:
        if not missing or (self.options.allow_missing and len(missing) < listed):
            return
        start = f"ucf101: {len(missing)} of {listed} listed videos have no file below {root}"
        examples = ", ".join(entry.path for entry in missing[:3])
        if len(missing) == listed:
            raise DataError(f"{start} (looked in UCF-101/CLASS/ and CLASS/, any video suffix); correct the root")
        empty = len({entry.class_name for entry in missing})
        raise DataError(
            f"{start}, in {empty} classes, e.g. {examples}; add the files, list the classes you have in `classes`, "
            "or set `allow_missing: true` to go on without them"
        )


class _FileFinder:
    """Finds listed videos by class folder and stem, whatever the suffix."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._prefix = "UCF-101/" if (root / "UCF-101").is_dir() else ""
        self._names: dict[str, dict[str, list[str]]] = {}

    def find(self, entry: _Entry) -> str | None:
        """The path relative to the root, or None. The listed suffix goes before others."""
        names = self._in_class(entry.class_name).get(entry.stem, [])
        if entry.stem + entry.suffix in names:
            names = [entry.stem + entry.suffix]
        if len(names) > 1:
            raise DataError(f"ucf101: {entry.path} has several files ({', '.join(names)}); keep one of them")
        return f"{self._prefix}{entry.class_name}/{names[0]}" if names else None

    def _in_class(self, class_name: str) -> dict[str, list[str]]:
        if class_name not in self._names:
            folder = self._root / self._prefix / class_name
            stems: dict[str, list[str]] = {}
            for file in sorted(folder.iterdir()) if folder.is_dir() else []:
                if is_video(file.name):
                    stems.setdefault(file.stem, []).append(file.name)
            self._names[class_name] = stems
        return self._names[class_name]


def _read_classes(lists: Path) -> list[str]:
    """The class names of ``classInd.txt`` in order; its numbers, from 1 on, are checked."""
    names: list[str] = []
    for number, line in _lines(lists / "classInd.txt"):
        fields = line.split()
        if len(fields) != 2 or fields[0] != str(len(names) + 1) or fields[1] in names:
            raise DataError(
                f"ucf101: classInd.txt, line {number}: {line!r} is not '{len(names) + 1} NAME' with a new name; {_HINT}"
            )
        names.append(fields[1])
    return names


def _lines(file: Path) -> list[tuple[int, str]]:
    """The lines that are not blank with their numbers; CRLF and LF alike."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"ucf101: the list {file} is absent; {_HINT}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"ucf101: the list {file} cannot be read ({error}); {_HINT}") from error
    rows = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not rows:
        raise DataError(f"ucf101: the list {file} is empty; {_HINT}")
    return rows


def _parse(line: str, split: str, official: list[str], where: str) -> _Entry:
    """One row: ``Class/v_Class_gGG_cCC.avi LABEL`` for training, without the label for testing.

    The class is the folder's: the files of HandstandPushups are named ``v_HandStandPushups_*``.
    """
    fields = line.split()
    path = PurePosixPath(fields[0])
    found = _GROUP.search(path.stem)
    if len(fields) > 2 or len(path.parts) != 2 or found is None:
        raise DataError(f"{where}: {line!r} is not CLASS/NAME_gGG_cCC.avi with a label or without; {_HINT}")
    class_name = path.parts[0]
    if class_name not in official:
        raise DataError(f"{where}: class {class_name!r} is not in classInd.txt{nearest(class_name, official)}")
    label = str(official.index(class_name) + 1)
    if (split == "train" and len(fields) == 1) or (len(fields) == 2 and fields[1] != label):
        raise DataError(f"{where}: {line!r} should end with the label {label} that classInd.txt gives; {_HINT}")
    return _Entry(class_name, path.stem, path.suffix, split, found[1])


def _variant(name: str) -> dict[str, Any]:
    """``ucf101/2`` is official split 2."""
    if name not in ("1", "2", "3"):
        raise ConfigError(f"ucf101/{name}: there is no such split{nearest(name, ('1', '2', '3'))}")
    return {"split": int(name)}


COMPONENT = Component(kind="data set", options=UCF101Options, build=UCF101Reader, variant=_variant)
