"""HMDB51 (Kuehne et al. 2011), read from its official lists as published.

Layout: the lists in ``root/testTrainMulti_7030_splits/``, ``root/annotations/`` or the root; class folders in
``root/hmdb51_org/``, ``root/videos/`` or directly in the root (mmaction2 prepares ``annotations`` and ``videos``).
Files re-encoded to another suffix are found by their stem, and names in another letter case if that is unambiguous.

A list belongs to one class and split and is named ``CLASS_test_splitN.txt``; its lines are ``NAME.avi N``, with N = 1
for training, 2 for testing, and 0 for neither: those clips are no part of the catalog of that split. A clip's name is
``SOURCE_CLASS_BODY_CAMERA_PEOPLE_VIEW_QUALITY_NUMBER``; clips cut from one source are a group, which no split divides.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from raysl.config.component import Component
from raysl.data.catalog import Catalog, CatalogReader
from raysl.data.catalogs.files import check_root
from raysl.data.catalogs.listed import (
    Entry,
    ThreeSplitsOptions,
    chosen_classes,
    class_folders,
    list_folder,
    listed_catalog,
    own_lists,
    read_lines,
    three_splits,
)
from raysl.errors import DataError

_LISTS = ("testTrainMulti_7030_splits", "annotations")
_FOLDERS = ("hmdb51_org", "videos")
_SPLITS = {"0": None, "1": "train", "2": "test"}
_DESCRIPTION = r"_[a-z]_(?:cm|nm)_np\d+_[a-z]+_[a-z]+_\d+"
_HINT = (
    "unpack test_train_splits.rar, which has the official lists, into the root, or give their folder: "
    "--root hmdb51-lists=PATH"
)


class HMDB51Options(ThreeSplitsOptions):
    """Which official split, which classes."""


class HMDB51Reader(CatalogReader):
    """Reads the official lists of one split; classes in alphabetical order, videos by class and name."""

    has_lists = True

    def __init__(self, options: HMDB51Options) -> None:
        self.options = options

    def read(self, root: Path) -> Catalog:
        check_root(root, "hmdb51")
        given = self.lists or root
        lists = _find_lists(list_folder(given, _LISTS, f"*_test_split{self.options.number}.txt"), self.options.number)
        classes = chosen_classes(self.options, sorted(lists), "hmdb51")
        entries = [entry for name in classes for entry in _read_list(lists[name], name)]
        return listed_catalog(
            "hmdb51",
            root,
            classes,
            entries,
            class_folders(root, _FOLDERS, entries),
            allow_missing=self.options.allow_missing,
            looked=", ".join(f"{parent}/CLASS/" for parent in _FOLDERS) + " and CLASS/",
        )


def _find_lists(folder: Path, split: int) -> dict[str, Path]:
    """The list of each class; class names may have underscores themselves."""
    pattern = re.compile(rf"(.+)_test_split{split}\.txt")
    named = ((pattern.fullmatch(file.name), file) for file in folder.iterdir())
    lists = {found[1]: file for found, file in named if found is not None}
    if not lists:
        raise DataError(f"hmdb51: {folder} holds no list CLASS_test_split{split}.txt{own_lists(folder)}; {_HINT}")
    return lists


def _read_list(file: Path, class_name: str) -> list[Entry]:
    """The clips of one class that the split uses, by name."""
    entries: dict[str, Entry] = {}
    seen: set[str] = set()
    for number, line in read_lines(file, "hmdb51", _HINT):
        where = f"hmdb51: {file.name}, line {number}"
        fields = line.split()
        if len(fields) != 2 or fields[1] not in _SPLITS:
            raise DataError(f"{where}: {line!r} is not NAME.avi with 0, 1 or 2; {_HINT}")
        path = PurePosixPath(fields[0])
        if path.stem in seen:
            raise DataError(f"{where}: {fields[0]} was listed before; {_HINT}")
        seen.add(path.stem)
        split = _SPLITS[fields[1]]
        if split is not None:
            entries[path.stem] = Entry(class_name, path.stem, path.suffix, split, _group(path.stem, class_name))
    return [entries[stem] for stem in sorted(entries)]


def _group(stem: str, class_name: str) -> str | None:
    found = re.fullmatch(rf"(.+)_{re.escape(class_name)}{_DESCRIPTION}", stem)
    return None if found is None else f"{class_name}/{found[1]}"


COMPONENT = Component(
    kind="data set", options=HMDB51Options, build=HMDB51Reader, variant=lambda name: three_splits(name, "hmdb51")
)
