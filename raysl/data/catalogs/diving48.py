"""Diving48 V2 (Li, Li, Vasconcelos 2018, http://www.svcl.ucsd.edu/projects/resound), read from its official lists.

Layout: ``Diving48_V2_train.json``, ``Diving48_V2_test.json`` and ``Diving48_vocab.json`` in the root or in
``root/annotations/``; the videos ``NAME.mp4`` anywhere in ``root/rgb/``, else in ``root/videos/``, else in the root.
Files re-encoded to another suffix are found by their stem. Without the vocabulary, classes are named by their numbers.

A list is a JSON array of ``{vid_name, label, start_frame, end_frame}``. The published videos are cut already, so every
``start_frame`` is 0, and ``end_frame`` is the number of frames, which the manifest determines itself: a list with
another start is refused. Label 30 (Forward, Dive, NoTwis, STR) has no video in V2. Like every class without one it is
left out: 47 classes, 15 027 videos for training and 1 970 for testing; the labels after 30 move down by one. A
classifier with 48 outputs, one of them never right, would be another head and no other task.

Clips of one recording are on both sides of the official split and in many classes, so there are no groups; reports
still test over the recordings of the test clips.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from raysl.config.component import Component
from raysl.data.catalog import Catalog, CatalogReader, Video
from raysl.data.catalogs.files import check_root
from raysl.data.catalogs.json_lists import read_array
from raysl.data.catalogs.listed import Entry, ListedOptions, anywhere, chosen_classes, list_folder, listed_catalog
from raysl.errors import DataError

_LABELS = 48
_FOLDERS = ("rgb", "videos")
_VOCABULARY = "Diving48_vocab.json"
_FIELDS: dict[str, type] = {"vid_name": str, "label": int, "start_frame": int, "end_frame": int}
_HINT = (
    "put the official lists Diving48_V2_train.json, Diving48_V2_test.json and Diving48_vocab.json into the root, "
    "or give their folder: --root diving48-lists=PATH"
)


class Diving48Options(ListedOptions):
    """Which classes, by the names of `class_names`."""


class Diving48Reader(CatalogReader):
    """Reads both lists; classes in the official order of labels, videos by class and name."""

    has_lists = True

    def __init__(self, options: Diving48Options) -> None:
        self.options = options

    def read(self, root: Path) -> Catalog:
        check_root(root, "diving48")
        lists = list_folder(self.lists or root, ("annotations",), _list_name("train"))
        labels = _read_labels(lists)
        names = class_names(lists / _VOCABULARY)
        classes = chosen_classes(self.options, [names[label] for label in sorted(labels)], "diving48")
        chosen = set(classes)
        entries = [
            Entry(names[label], stem, ".mp4", split)
            for label in sorted(labels)
            for stem, split in sorted(labels[label].items())
            if names[label] in chosen
        ]
        return listed_catalog(
            "diving48",
            root,
            classes,
            entries,
            anywhere(root, _FOLDERS),
            allow_missing=self.options.allow_missing,
            looked=", ".join(f"{folder}/" for folder in _FOLDERS) + " or the root, for NAME",
        )

    def recording(self, video: Video) -> str | None:
        """A video's name is its recording and the number of the dive in it."""
        found = _CLIP.fullmatch(PurePosixPath(video.path).stem)
        return None if found is None else found[1]


_CLIP = re.compile(r"(.+)_\d+")


def _list_name(split: str) -> str:
    return f"Diving48_V2_{split}.json"


def class_names(vocabulary: Path) -> list[str]:
    """Name by label: the four parts of the vocabulary (``Back_15som_05Twis_FREE``); without the file ``00`` to ``47``.

    Raises:
        DataError: the file is not the official vocabulary.
    """
    if not vocabulary.exists():
        return [f"{label:02d}" for label in range(_LABELS)]
    rows = read_array(vocabulary, "diving48", _HINT)
    good = all(isinstance(row, list) and row and all(isinstance(part, str) for part in row) for row in rows)
    names = ["_".join(row) for row in rows] if good else []
    if len(set(names)) != _LABELS or len(names) != _LABELS or any("/" in name for name in names):
        raise DataError(f"diving48: {vocabulary} does not hold {_LABELS} different lists of words; {_HINT}")
    return names


def _read_labels(lists: Path) -> dict[int, dict[str, str]]:
    """The split of each video name, by label."""
    labels: dict[int, dict[str, str]] = {}
    seen: dict[str, str] = {}
    for split in ("train", "test"):
        file = lists / _list_name(split)
        for number, row in enumerate(read_array(file, "diving48", _HINT), start=1):
            where = f"diving48: {file.name}, entry {number}"
            name, label = _parse(row, where)
            if name in seen:
                raise DataError(f"{where}: {name} was listed before, for {seen[name]}; {_HINT}")
            seen[name] = split
            labels.setdefault(label, {})[name] = split
    return labels


def _parse(row: Any, where: str) -> tuple[str, int]:
    """Name and label of one entry."""
    # Not isinstance: JSON's true is an int to Python.
    if not isinstance(row, dict) or any(type(row.get(field)) is not kind for field, kind in _FIELDS.items()):
        raise DataError(f"{where}: {row!r} is not {{{', '.join(_FIELDS)}}} with a name and three integers; {_HINT}")
    name, label = row["vid_name"], row["label"]
    if not name or "/" in name:
        raise DataError(f"{where}: {name!r} is not the name of a file; {_HINT}")
    if not 0 <= label < _LABELS:
        raise DataError(f"{where}: label {label} is not one of 0 to {_LABELS - 1}; {_HINT}")
    if row["start_frame"] != 0:
        raise DataError(
            f"{where}: {name} starts at frame {row['start_frame']}; the videos must be cut already; {_HINT}"
        )
    return name, label


COMPONENT = Component(kind="data set", options=Diving48Options, build=Diving48Reader)
