"""UCF101 (Soomro, Zamir, Shah 2012), read from its official lists as published.

Layout: the lists in ``root/ucfTrainTestlist/``, ``root/annotations/`` or the root; class folders in ``root/UCF-101/``,
``root/UCF101/``, ``root/videos/`` or directly in the root (mmaction2 prepares ``annotations`` and ``videos``). Files
re-encoded to another suffix are found by their stem, and names in another letter case if that is unambiguous.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from raysl.config.component import Component
from raysl.config.suggest import nearest
from raysl.data.catalog import Catalog, CatalogReader, Video
from raysl.data.catalogs.files import check_root
from raysl.data.catalogs.listed import (
    Entry,
    ThreeSplitsOptions,
    chosen_classes,
    class_folders,
    list_folder,
    listed_catalog,
    read_lines,
    three_splits,
)
from raysl.errors import DataError

_LISTS = ("ucfTrainTestlist", "annotations")
_FOLDERS = ("UCF-101", "UCF101", "videos")
_GROUP = re.compile(r"_(g\d+)_c\d+$")
_HINT = (
    "unpack UCF101TrainTestSplits-RecognitionTask.zip, which has the official lists, into the root, or give their "
    "folder: --root ucf101-lists=PATH"
)


class UCF101Options(ThreeSplitsOptions):
    """Which official split, which classes."""


class UCF101Reader(CatalogReader):
    """Reads the official lists of one split; the order of the videos is the same for all three splits."""

    has_lists = True

    def __init__(self, options: UCF101Options) -> None:
        self.options = options

    def read(self, root: Path) -> Catalog:
        check_root(root, "ucf101")
        lists = list_folder(self.lists or root, _LISTS, "classInd.txt")
        official = _read_classes(lists)
        classes = chosen_classes(self.options, official, "ucf101")
        entries = self._entries(lists, official, classes)
        return listed_catalog(
            "ucf101",
            root,
            classes,
            entries,
            class_folders(root, _FOLDERS, entries),
            allow_missing=self.options.allow_missing,
            looked=", ".join(f"{parent}/CLASS/" for parent in _FOLDERS) + " and CLASS/",
        )

    def recording(self, video: Video) -> str | None:
        """The recording of a clip: its class and group; equal numbers of two classes are two recordings."""
        path = PurePosixPath(video.path)
        found = _GROUP.search(path.stem)
        return video.group if found is None else f"{path.parent.name}/{found[1]}"

    def _entries(self, lists: Path, official: list[str], classes: list[str]) -> list[Entry]:
        """The rows of both lists that belong to the classes, in the official order of classes, then by stem."""
        entries: dict[tuple[int, str], Entry] = {}
        for split in ("train", "test"):
            file = lists / f"{split}list{self.options.number:02d}.txt"
            for number, line in read_lines(file, "ucf101", _HINT):
                entry = _parse(line, split, official, f"ucf101: {file.name}, line {number}")
                key = (official.index(entry.class_name), entry.stem)
                if key in entries:
                    raise DataError(
                        f"ucf101: {file.name}, line {number}: {entry.path} was listed before, for "
                        f"{entries[key].split}; {_HINT}"
                    )
                entries[key] = entry
        return [entries[key] for key in sorted(entries) if entries[key].class_name in classes]


def _read_classes(lists: Path) -> list[str]:
    """The class names of ``classInd.txt`` in order; its numbers, from 1, are checked."""
    names: list[str] = []
    for number, line in read_lines(lists / "classInd.txt", "ucf101", _HINT):
        fields = line.split()
        if len(fields) != 2 or fields[0] != str(len(names) + 1) or fields[1] in names:
            raise DataError(
                f"ucf101: classInd.txt, line {number}: {line!r} is not '{len(names) + 1} NAME' with a new name; {_HINT}"
            )
        names.append(fields[1])
    return names


def _parse(line: str, split: str, official: list[str], where: str) -> Entry:
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
    return Entry(class_name, path.stem, path.suffix, split, f"{class_name}/{found[1]}")


COMPONENT = Component(
    kind="data set", options=UCF101Options, build=UCF101Reader, variant=lambda name: three_splits(name, "ucf101")
)
