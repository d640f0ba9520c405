"""Something-Something V2 (Goyal et al. 2017, Mahdisoltani et al. 2018), read from its official lists.

Layout: ``something-something-v2-labels.json``, ``-train.json`` and ``-validation.json``, or as Qualcomm distributes
them
``labels.json``, ``train.json`` and ``validation.json``, in ``root/labels/``, ``root/annotations/`` or the root; the
videos ``ID.webm`` anywhere in ``root/20bn-something-something-v2/``, else in ``root/videos/``, else in the root. Files
re-encoded to another suffix are found by their stem.

The labels are a JSON object from 174 names to their indices, which are text (``"Bending something until it breaks":
"3"``). A list is an array of ``{id, label, template, placeholders}``: the template has its placeholders in brackets
(``Bending [something] until it breaks``) and is the class's name without them; ``label`` has the objects of this video
instead (``bending pencil until it breaks``) and is not read.

The validation list is the catalog's split ``test``, as papers evaluate on it; the official test list, which has no
templates, is not read. Each video was filmed separately; who filmed it was not published, so there are no groups.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raysl.config.component import Component
from raysl.config.suggest import nearest
from raysl.data.catalog import Catalog, CatalogReader
from raysl.data.catalogs.files import check_root, entries_of, folded
from raysl.data.catalogs.json_lists import read_array, read_json
from raysl.data.catalogs.listed import Entry, ListedOptions, anywhere, chosen_classes, list_folder, listed_catalog
from raysl.errors import DataError

_CLASSES = 174
_LISTS = {"train": "train", "test": "validation"}
"""From the catalog's split to the name of its official list."""
_PREFIXES = ("something-something-v2-", "")
_FOLDERS = ("20bn-something-something-v2", "videos")
_HINT = (
    "put the official lists something-something-v2-labels.json, -train.json and -validation.json into the root, or "
    "give their folder: --root ssv2-lists=PATH"
)


class SSv2Options(ListedOptions):
    """Which classes, named as the official labels are."""


class SSv2Reader(CatalogReader):
    """Reads both lists; classes in the official order of labels, videos by class and number."""

    has_lists = True

    def __init__(self, options: SSv2Options) -> None:
        self.options = options

    def read(self, root: Path) -> Catalog:
        check_root(root, "ssv2")
        lists = list_folder(self.lists or root, ("labels", "annotations"), "*labels.json")
        official = _class_names(_list_file(lists, "labels"))
        classes = chosen_classes(self.options, official, "ssv2")
        chosen, order = set(classes), {name: label for label, name in enumerate(official)}
        entries = [entry for entry in _entries(lists, order) if entry.class_name in chosen]
        return listed_catalog(
            "ssv2",
            root,
            classes,
            sorted(entries, key=lambda entry: (order[entry.class_name], int(entry.stem))),
            anywhere(root, _FOLDERS),
            allow_missing=self.options.allow_missing,
            looked=", ".join(f"{folder}/" for folder in _FOLDERS) + " or the root, for ID",
        )


def _list_file(lists: Path, called: str) -> Path:
    """The only file of a list; if there is none, its official name."""
    names = [f"{prefix}{called}.json" for prefix in _PREFIXES]
    found = [lists / entry.name for entry in entries_of(lists, lists.name) if folded(entry.name) in names]
    if len(found) > 1:
        raise DataError(f"ssv2: several lists of {called}: {', '.join(map(str, found))}; keep one of them")
    return found[0] if found else lists / names[0]


def _class_names(file: Path) -> list[str]:
    """The names by their official indices."""
    entries = read_json(file, "ssv2", _HINT, pairs=list)
    if not isinstance(entries, list) or not all(isinstance(entry, tuple) for entry in entries):
        raise DataError(f"ssv2: the list {file} is not a JSON object of names and indices; {_HINT}")
    names: dict[int, str] = {}
    for number, (name, index) in enumerate(entries, start=1):
        where = f"ssv2: {file.name}, entry {number}"
        if not isinstance(index, str) or not (index.isascii() and index.isdigit()):
            raise DataError(f'{where}: {name!r}: {index!r} is not an index as text, like "3"; {_HINT}')
        if not 0 <= int(index) < _CLASSES or int(index) in names or name in names.values() or not name:
            raise DataError(
                f"{where}: {name!r}: {index!r} is not a new name with a new index below {_CLASSES}; {_HINT}"
            )
        names[int(index)] = name
    if len(names) != _CLASSES:
        raise DataError(f"ssv2: {file} has {len(names)} classes, not {_CLASSES}; {_HINT}")
    return [names[index] for index in range(_CLASSES)]


def _entries(lists: Path, order: dict[str, int]) -> list[Entry]:
    """The entries of both lists, in their order."""
    entries: dict[str, Entry] = {}
    for split, called in _LISTS.items():
        file = _list_file(lists, called)
        for number, row in enumerate(read_array(file, "ssv2", _HINT), start=1):
            where = f"ssv2: {file.name}, entry {number}"
            video, name = _parse(row, where)
            if name not in order:
                raise DataError(f"{where}: there is no label {name!r}{nearest(name, order)}; {_HINT}")
            if video in entries:
                raise DataError(f"{where}: video {video} was listed before, for {entries[video].split}; {_HINT}")
            entries[video] = Entry(name, video, ".webm", split)
    return list(entries.values())


def _parse(row: Any, where: str) -> tuple[str, str]:
    """Id and class name of one entry."""
    video, template = (row.get("id"), row.get("template")) if isinstance(row, dict) else (None, None)
    if not isinstance(video, str) or not isinstance(template, str) or not video or not template:
        raise DataError(f"{where}: {row!r} has not both an id and a template, as text; {_HINT}")
    if not (video.isascii() and video.isdigit()):
        raise DataError(f"{where}: the id {video!r} is no number; {_HINT}")
    if template.count("[") != template.count("]"):
        raise DataError(f"{where}: the template {template!r} has a bracket without another; {_HINT}")
    return video, template.replace("[", "").replace("]", "")


COMPONENT = Component(kind="data set", options=SSv2Options, build=SSv2Reader)
