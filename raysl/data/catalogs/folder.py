"""Any tree of class folders: ``root/class/**/video.ext``, or ``root/train/class/…`` and ``root/test/class/…``.

Which files are videos: `raysl.data.catalogs.files.VIDEO_SUFFIXES`; other files, and hidden ones, are left out and
counted by ``raysl data check``. Classes are the names of the folders, in alphabetical order; videos are in the order of
their paths. Folders named as splits (train and val, Training and Testing, videos_train and videos_val, …:
`raysl.data.catalogs.split_folders`) are never classes: `split: folders` reads them.

Splits depend only on names, so they are the same on every machine: a share of each class (`fraction`), K folds
(`folds`), or one fold for each group (`leave_one_group_out`). Of folds one is chosen (``fold: 3``, or ``folder/3``);
if ``fold`` is null, planning makes every fold a part of the row (`raysl.data.folds`).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator, model_validator

from raysl.config.component import Component
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.suggest import nearest
from raysl.data.catalog import Catalog, CatalogReader, Video
from raysl.data.catalogs.files import (
    VIDEO_SUFFIXES,
    Walk,
    check_root,
    entries_of,
    folded,
    is_plain_video,
    subfolders,
    walk,
)
from raysl.data.catalogs.listed import NO_FILES, RENAMED
from raysl.data.catalogs.split_folders import find_sides, refuse_sides
from raysl.data.catalogs.splits import Divisible
from raysl.errors import ConfigError, DataError

ALIKE = "class folders whose names differ in letter case or Unicode form alone"
TWINS = "of one name except for the suffix"
ALIKE_VIDEOS = "videos whose names differ in letter case or Unicode form alone"
FOLDED = ("folds", "leave_one_group_out")


class FolderOptions(Options):
    """How class folders become labels, and how videos are split into train and test."""

    labels: Literal["folders", "none"] = option(
        "folders", doc="the class folders' names; none: no labels, and every video is for training", source="ours"
    )
    split: Literal["fraction", "folders", "folds", "leave_one_group_out"] = option(
        "fraction",
        doc="fraction: `test_share` of each class, drawn by a hash of the names; folders: root/train/… and "
        "root/test/… (without it root/val/…), also Training, videos_val and the like; folds: `folds` parts, each for "
        "testing once; leave_one_group_out: each `group` for testing once",
        source="ours",
    )
    test_share: float = option(
        0.25,
        doc="share of each class's videos for testing, with `group` as near as whole groups come; at least one is on "
        "each side",
        unit="share",
        source="ours",
        gt=0,
        lt=1,
    )
    split_seed: int = option(
        0, doc="another draw of the fraction or folds", unit=NO_UNIT, source="ours", ge=0, le=2**31 - 1
    )
    group: str | None = option(
        None,
        doc="regular expression with a (group) that names a video's recording, person or scene, never divided, "
        "whatever its classes; searched in the file's name or, if it has a /, in the path below the class folder",
        source="ours",
    )
    folds: int | None = option(
        None,
        doc="number of folds; of leave_one_group_out the number of groups, so that a plan can be made without the data",
        unit="folds",
        source="ours",
        ge=2,
        le=10_000,
    )
    fold: int | None = option(
        None,
        doc="the fold for testing, from 1; null: each of them, averaged in the table",
        unit=NO_UNIT,
        source="ours",
        ge=1,
        le=10_000,
    )
    classes: list[str] | None = option(
        None, doc="only these class folders; null: all of them", source="ours", min_length=2
    )

    @property
    def version_in_use(self) -> int:
        """2 with `group`: whole groups across classes; 1 divided the videos of a group by class."""
        return self.version if self.group is None else 2

    @property
    def open_folds(self) -> int:
        """How many folds there are to choose from; 0 if one is chosen, or there are none (`raysl.data.folds`)."""
        return self.folds or 0 if self.fold is None else 0

    @field_validator("group")
    @classmethod
    def _is_pattern(cls, group: str | None) -> str | None:
        if group is not None:
            try:
                groups = re.compile(group).groups
            except re.error as error:
                raise ValueError(f"group {group!r} is not a regular expression: {error}") from error
            if groups < 1:
                raise ValueError(f"group {group!r} has no (group) in parentheses that would name the videos' group")
        return group

    @field_validator("classes")
    @classmethod
    def _in_order(cls, classes: list[str] | None) -> list[str] | None:
        if classes is not None and len(set(classes)) != len(classes):
            raise ValueError("classes has a class twice")
        return None if classes is None else sorted(classes)

    @model_validator(mode="after")
    def _all_in_use(self) -> FolderOptions:
        """Refuses options that the split does not read, or that it lacks."""
        split, folded = self.split, self.split in FOLDED
        if self.labels == "none" and (split != "fraction" or self.group is not None or self.classes is not None):
            raise ValueError("labels: none takes every video for training: remove split, group and classes")
        if split != "fraction" and self.test_share != 0.25:
            raise ValueError(f"test_share has no effect with split: {split}: remove it, or set split: fraction")
        if split in ("folders", "leave_one_group_out") and self.split_seed:
            raise ValueError(f"split_seed has no effect with split: {split}: nothing is drawn; remove it")
        if not folded and (self.folds is not None or self.fold is not None):
            name = "folds" if self.folds is not None else "fold"
            raise ValueError(f"{name} has no effect with split: {split}: set split: folds or leave_one_group_out")
        if split == "leave_one_group_out" and self.group is None:
            raise ValueError("split: leave_one_group_out needs group, the expression that names a video's group")
        if folded and self.folds is None:
            groups = " (here the number of groups, which `raysl data check` counts)" if split != "folds" else ""
            raise ValueError(f"split: {split} needs folds, the number of folds{groups}")
        if self.folds is not None and self.fold is not None and self.fold > self.folds:
            raise ValueError(f"fold {self.fold} is out of range: there are {self.folds} folds")
        return self


class FolderReader(CatalogReader):
    """Reads a tree of folders; see `FolderOptions`."""

    def __init__(self, options: FolderOptions) -> None:
        self.options = options
        self._walks: list[Walk] = []
        self._renamed: list[str] = []
        self._alike: list[str] = []

    def read(self, root: Path) -> Catalog:
        check_root(root, "folder")
        self._walks, self._renamed, self._alike = [], [], []
        catalog = self._read(root)
        absent = {path: why for found in self._walks for path, why in found.absent.items()}
        notes = dict(catalog.notes) | {
            RENAMED: tuple(dict.fromkeys(self._renamed)),
            NO_FILES: tuple(f"{path}: {why}" for path, why in absent.items()),
            **_twins(catalog),
            ALIKE: tuple(self._alike),
        }
        told = {heading: lines for heading, lines in notes.items() if lines}
        return replace(catalog, missing=tuple(absent), notes=told)

    def _read(self, root: Path) -> Catalog:
        if self.options.labels == "none":
            sides = find_sides(root)
            paths = self._some(self._walk(root, root), root, root)
            videos = tuple(Video(i, path, None, "train") for i, path in enumerate(paths))
            pooled = tuple(f"{name}/: for training, since `labels: none` is" for name in sides.names)
            return Catalog("folder", (), videos, notes={"folders named as splits": pooled})
        if self.options.split == "folders":
            return self._split_by_folders(root)
        classes = self._class_folders(root, root)
        labels = {path: name for name, paths in classes.items() for path in paths}
        if self.options.split == "fraction":
            tests = self._tests(classes, labels)
            return self._catalog(labels, {path: "test" if path in tests else "train" for path in labels})
        if self.options.fold is None:
            raise DataError(
                f"folder: none of the {self.options.folds} folds is chosen for testing: choose one with `fold: 1`, "
                "or write folder/1 instead of folder"
            )
        folds = self._folds(self._divisible(labels))
        splits = {path: "test" if fold == self.options.fold else "train" for path, fold in folds.items()}
        return self._catalog(labels, splits, folds)

    def _split_by_folders(self, root: Path) -> Catalog:
        sides = find_sides(root)
        if sides.train is None or sides.test is None:
            absent = [name for name, side in (("train", sides.train), ("test", sides.test)) if side is None]
            raise DataError(
                f"folder: {root} has no folder {' and no folder '.join(absent)}{sides.unclear}; `split: folders` reads "
                "root/train/CLASS/… and root/test/CLASS/… (or root/val/CLASS/…), `split: fraction` reads root/CLASS/…"
            )
        train, test = (self._class_folders(root, root / name) for name in (sides.train, sides.test))
        test = self._same_names(train, test, sides.test)
        for name in sorted(train.keys() ^ test.keys()):
            have, lack = (sides.train, sides.test) if name in train else (sides.test, sides.train)
            raise DataError(f"folder: class {name} has videos in {have}/ and none in {lack}/; each class needs both")
        labels = {path: name for side in (train, test) for name, paths in side.items() for path in paths}
        splits = {path: "train" for paths in train.values() for path in paths}
        catalog = self._catalog(labels, {path: splits.get(path, "test") for path in labels})
        return replace(catalog, notes={"folders named as splits": sides.account()})

    def _same_names(
        self, train: Mapping[str, list[str]], test: dict[str, list[str]], side: str
    ) -> dict[str, list[str]]:
        """The classes for testing, by their names in training, if a unique name differs only in letter case or form."""
        own = [name for name in train if name not in test]
        named = {}
        for name, paths in test.items():
            like = [other for other in own if name not in train and folded(other) == folded(name)]
            rivals = [other for other in test if other not in train and folded(other) == folded(name)]
            same = like[0] if len(like) == len(rivals) == 1 else name
            if same != name:
                self._renamed.append(f"{same}: {side}/{name}/")
            named[same] = paths
        return named

    def _class_folders(self, root: Path, parent: Path) -> dict[str, list[str]]:
        """The videos of each class folder in ``parent``, as paths relative to ``root``."""
        if parent == root:
            refuse_sides(root)
        loose = [entry.name for entry in entries_of(parent, parent.name) if is_plain_video(entry)]
        if loose:
            raise DataError(
                f"folder: {parent / loose[0]} is in no class folder (and so are {len(loose) - 1} more); "
                "move it into one, or set `labels: none`"
            )
        names = self._chosen(subfolders(parent), parent)
        self._alike += _alike(names, parent.relative_to(root).as_posix())
        classes = self._walk_classes(root, parent, names)
        self._some([path for paths in classes.values() for path in paths], root, parent)
        for name, paths in classes.items():
            if not paths:
                raise DataError(
                    f"folder: class folder {parent / name} holds no video ({', '.join(VIDEO_SUFFIXES)})"
                    f"{self._instead(root, parent / name)}; remove it, or list the class folders to read in `classes`"
                )
        if len(classes) < 2:
            inside = find_sides(parent / names[0])
            better = f" (give {parent / names[0]} as the root, with `split: folders`)" if inside.are_split else ""
            raise DataError(
                f"folder: {parent} has one class folder ({names[0]}); labels need two, or `labels: none`{better}"
            )
        return classes

    def _walk_classes(self, root: Path, parent: Path, names: Sequence[str]) -> dict[str, list[str]]:
        classes: dict[str, list[str]] = {}
        held: dict[Path, str] = {}
        for name in names:
            classes[name] = self._walk(root, parent / name, [parent / other for other in names if other != name])
            for place in sorted(self._walks[-1].places):
                if place in held:
                    raise DataError(
                        f"folder: class folders {held[place]} and {name} are linked: both hold the folder "
                        f"{_below(place, root)}; remove the link, or list the class folders to read in `classes`"
                    )
            held |= dict.fromkeys(self._walks[-1].places, name)
        return classes

    def _walk(self, root: Path, folder: Path, others: Sequence[Path] = ()) -> list[str]:
        self._walks.append(walk(root, folder, others=others))
        return self._walks[-1].videos

    def _some(self, paths: list[str], root: Path, folder: Path) -> list[str]:
        if not paths:
            raise DataError(
                f"folder: no video below {folder}{self._instead(root, folder)}; looked for files ending with "
                f"{', '.join(VIDEO_SUFFIXES)}"
            )
        return paths

    def _instead(self, root: Path, folder: Path) -> str:
        """What a folder without videos has instead."""
        found = walk(root, folder)
        held = [f"{count} {suffix or 'without suffix'}" for suffix, count in found.others.most_common(3)]
        held += [f"{path}, {why}" for path, why in list(found.absent.items())[:1]]
        return f", but {', '.join(held)}" if held else ""

    def _chosen(self, names: list[str], parent: Path) -> list[str]:
        """The class folders in use, as they are written on the disk."""
        chosen = []
        for name in self.options.classes or []:
            like = [name] if name in names else [other for other in names if folded(other) == folded(name)]
            if len(like) != 1:
                several = f"; several differ from it only in letter case: {', '.join(like)}"
                hint = several if like else nearest(name, names)
                raise DataError(f"folder: `classes` has {name!r}, which is no folder of {parent}{hint}")
            if like[0] != name:
                self._renamed.append(f"{name} in `classes`: {like[0]}/")
            chosen.append(like[0])
        return names if self.options.classes is None else chosen

    def _tests(self, classes: Mapping[str, list[str]], labels: Mapping[str, str]) -> set[str]:
        """The videos for testing: whole groups, or the videos of each class whose hashes come first."""
        share, seed, videos = self.options.test_share, self.options.split_seed, self._divisible(labels)
        why = "which cannot be split into train and test"
        if self.options.group is not None:
            return {path for path, side in videos.divide((share, 1 - share), seed, why).items() if side == 0}
        videos.refuse_few(2, why)
        tests: set[str] = set()
        for name, paths in classes.items():
            ranks = {path: blake2b(f"{seed}\x1f{name}\x1f{path}".encode(), digest_size=16).digest() for path in paths}
            tests.update(sorted(paths, key=ranks.__getitem__)[: min(max(round(share * len(paths)), 1), len(paths) - 1)])
        return tests

    def _folds(self, videos: Divisible) -> dict[str, int]:
        """From path to fold, from 1."""
        count = self.options.folds
        assert count is not None  # the options' validator
        if self.options.split == "folds":
            shares, why = [1 / count] * count, f"which cannot be in each of {count} folds"
            return {path: side + 1 for path, side in videos.divide(shares, self.options.split_seed, why).items()}
        groups = {group: fold for fold, group in enumerate(sorted(videos.units), 1)}
        if len(groups) != count:
            raise DataError(
                f"folder: `folds` is {count}, and `group` {self.options.group!r} names {len(groups)} groups: set "
                f"`folds: {len(groups)}`, or correct the expression"
            )
        videos.refuse_few(2, "without it none is left to learn the class from")
        return {path: groups[group] for path, group in videos.unit_of.items()}

    def _divisible(self, labels: Mapping[str, str]) -> Divisible:
        noun = "video" if self.options.group is None else "group"
        return Divisible("folder", noun, labels, {path: self._group(path) or path for path in labels})

    def _group(self, path: str) -> str | None:
        pattern = self.options.group
        if pattern is None:
            return None
        folders = 2 if self.options.split == "folders" else 1
        name = path.split("/", folders)[-1] if "/" in pattern else path.rsplit("/", 1)[-1]
        found = re.search(pattern, name)
        if found is None or not found[1]:
            raise DataError(f"folder: `group` {pattern!r} names no group in {path}; correct the expression")
        return found[1]

    def _catalog(
        self, labels: Mapping[str, str], splits: Mapping[str, str], folds: Mapping[str, int] | None = None
    ) -> Catalog:
        classes = sorted(set(labels.values()))
        videos = []
        sides: dict[str, dict[str, str]] = defaultdict(dict)
        for index, path in enumerate(sorted(labels)):
            group = self._group(path)
            label = classes.index(labels[path])
            videos.append(Video(index, path, label, splits[path], group, (folds or {}).get(path)))
            if group is not None:
                sides[group][splits[path]] = path
        for group, paths in sides.items():
            if len(paths) > 1:
                raise DataError(
                    f"folder: group {group} is in train and test ({paths['train']}, {paths['test']}); move its videos "
                    "to one side, or correct `group`"
                )
        return Catalog("folder", tuple(classes), tuple(videos))


def _alike(names: Sequence[str], parent: str) -> list[str]:
    same: dict[str, list[str]] = defaultdict(list)
    for name in names:
        same[folded(name)].append(f"{name}/")
    return [f"{parent}: {', '.join(alike)}" for alike in same.values() if len(alike) > 1]


def _twins(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    """Videos in one folder with names that differ only in the suffix, or look the same: mostly copies of one."""
    alike: dict[str, list[Video]] = defaultdict(list)
    for video in catalog.videos:
        alike[folded(_stem(video))].append(video)
    found: dict[str, list[str]] = {TWINS: [], ALIKE_VIDEOS: []}
    for videos in alike.values():
        if len(videos) > 1:
            same = len({_stem(video) for video in videos}) == 1
            found[TWINS if same else ALIKE_VIDEOS].append(
                ", ".join(f"{video.path} ({video.split})" for video in videos)
            )
    return {heading: tuple(lines) for heading, lines in found.items()}


def _stem(video: Video) -> str:
    return video.path.rsplit(".", 1)[0]


def _below(place: Path, root: Path) -> str:
    """A real folder in messages: relative to the root if it is below it."""
    real = Path(os.path.realpath(root))
    return place.relative_to(real).as_posix() if place.is_relative_to(real) else str(place)


def _variant(name: str) -> dict[str, Any]:
    """``folder/3`` is fold 3."""
    if not re.fullmatch(r"[1-9]\d{0,4}", name):
        raise ConfigError(f"folder/{name}: there is no such variant; folder/1 is fold 1 of `split: folds`, and so on")
    return {"fold": int(name)}


COMPONENT = Component(
    kind="data set",
    options=FolderOptions,
    build=FolderReader,
    variant=_variant,
    labelled=lambda options: options.labels != "none",
)
