"""Any tree of class folders: ``root/class/**/video.ext``, or ``root/train/class/…`` and ``root/test/class/…``.

Which files are videos: `raysl.data.catalogs._files.VIDEO_SUFFIXES`; other files, and what is hidden, are left out.
Classes are the names of the folders, in alphabetical order; videos are in the order of their paths.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from pydantic import field_validator, model_validator

from raysl.config.component import Component
from raysl.config.options import Options, option
from raysl.config.suggest import nearest
from raysl.data.catalog import Catalog, CatalogReader, Video
from raysl.data.catalogs._files import VIDEO_SUFFIXES, check_root, is_video, subfolders, walk_videos
from raysl.errors import DataError


class FolderOptions(Options):
    """How class folders become labels, and how videos are split into train and test."""

    labels: Literal["folders", "none"] = option(
        "folders", doc="the class folders' names; none: no labels, and every video is for training", source="[?]"
    )
    split: Literal["fraction", "folders"] = option(
        "fraction",
        doc="fraction: `test_share` of each class, drawn by a hash of the names; folders: root/train/… and root/test/…",
        source="[?]",
    )
    test_share: float = option(
        0.25,
        doc="share of each class's videos (or groups) for testing; at least one is on each side",
        source="[?]",
        gt=0,
        lt=1,
    )
    split_seed: int = option(0, doc="another draw of the fraction", source="[?]", ge=0, le=2**31 - 1)
    group: str | None = option(
        None,
        doc="regular expression whose first group, in the file's name, names the videos of its class not to be parted",
        source="[?]",
    )
    classes: list[str] | None = option(
        None, doc="only these class folders; null: all of them", source="[?]", min_length=2
    )

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
            raise ValueError("classes names a class twice")
        return None if classes is None else sorted(classes)

    @model_validator(mode="after")
    def _all_in_use(self) -> FolderOptions:
        if self.labels == "none" and (self.split != "fraction" or self.group is not None or self.classes is not None):
            raise ValueError("labels: none takes every video for training: remove split, group and classes")
        return self


class FolderReader(CatalogReader):
    """Reads a tree of folders; see `FolderOptions`."""

    def __init__(self, options: FolderOptions) -> None:
        self.options = options

    def read(self, root: Path) -> Catalog:
        check_root(root, "folder")
        if self.options.labels == "none":
            paths = _some(walk_videos(root, root), root)
            return Catalog("folder", (), tuple(Video(i, path, None, "train") for i, path in enumerate(paths)))
        if self.options.split == "folders":
            return self._split_by_folders(root)
        return self._split_by_fraction(root)

    def _split_by_folders(self, root: Path) -> Catalog:
        absent = [name for name in ("train", "test") if not (root / name).is_dir()]
        if absent:
            raise DataError(
                f"folder: {root} has no folder {' and no folder '.join(absent)}; `split: folders` reads "
                "root/train/CLASS/… and root/test/CLASS/…, `split: fraction` reads root/CLASS/…"
            )
        train, test = (self._class_folders(root, root / name) for name in ("train", "test"))
        for name in sorted(train.keys() ^ test.keys()):
            have, lack = ("train", "test") if name in train else ("test", "train")
            raise DataError(f"folder: class {name} has videos in {have}/ and none in {lack}/; each class needs both")
        rows = [
            (path, name, split)
            for split, classes in (("test", test), ("train", train))
            for name, paths in classes.items()
            for path in paths
        ]
        return self._catalog(sorted(train), rows)

    def _split_by_fraction(self, root: Path) -> Catalog:
        classes = self._class_folders(root, root)
        rows = []
        for name, paths in classes.items():
            tests = self._test_groups(name, paths)
            rows += [(path, name, "test" if self._unit(path) in tests else "train") for path in paths]
        return self._catalog(sorted(classes), rows)

    def _class_folders(self, root: Path, parent: Path) -> dict[str, list[str]]:
        """The videos of each class folder in ``parent``, as paths relative to ``root``."""
        loose = sorted(file.name for file in parent.iterdir() if is_video(file.name) and file.is_file())
        if loose:
            raise DataError(
                f"folder: {parent / loose[0]} lies in no class folder (so do {len(loose) - 1} more); "
                "move it into one, or set `labels: none`"
            )
        if parent == root and {"train", "test"} <= set(subfolders(parent)):
            raise DataError(f"folder: {root} has folders train and test; set `split: folders` to read them as a split")
        names = self._chosen(subfolders(parent), parent)
        classes = {name: walk_videos(root, parent / name) for name in names}
        _some([path for paths in classes.values() for path in paths], parent)
        for name, paths in classes.items():
            if not paths:
                raise DataError(
                    f"folder: class folder {parent / name} holds no video ({', '.join(VIDEO_SUFFIXES)}); "
                    "remove it, or list the class folders to read in `classes`"
                )
        if len(classes) < 2:
            raise DataError(f"folder: {parent} has one class folder ({names[0]}); labels need two, or `labels: none`")
        return classes

    def _chosen(self, names: list[str], parent: Path) -> list[str]:
        for name in self.options.classes or []:
            if name not in names:
                raise DataError(f"folder: `classes` names {name!r}, no folder of {parent}{nearest(name, names)}")
        return names if self.options.classes is None else self.options.classes

    def _test_groups(self, name: str, paths: list[str]) -> set[str]:
        """The videos (or groups) of one class that are for testing: those whose hashes come first."""
        units = sorted({self._unit(path) for path in paths}, key=lambda unit: self._rank(name, unit))
        if len(units) < 2:
            what = "video" if self.options.group is None else "group of videos"
            raise DataError(
                f"folder: class {name} has one {what} ({paths[0]}), which cannot be split into train and test; "
                "add another, or leave the class out with `classes`"
            )
        return set(units[: min(max(round(self.options.test_share * len(units)), 1), len(units) - 1)])

    def _rank(self, name: str, unit: str) -> bytes:
        key = f"{self.options.split_seed}\x1f{name}\x1f{unit}"
        return blake2b(key.encode(), digest_size=16).digest()

    def _unit(self, path: str) -> str:
        """What is not parted between train and test: a video's group, or the video."""
        return self._group(path) or path

    def _group(self, path: str) -> str | None:
        if self.options.group is None:
            return None
        found = re.search(self.options.group, path.rsplit("/", 1)[-1])
        if found is None or not found[1]:
            raise DataError(f"folder: `group` {self.options.group!r} names no group in {path}; correct the expression")
        return found[1]

    def _catalog(self, classes: list[str], rows: Iterable[tuple[str, str, str]]) -> Catalog:
        videos = []
        sides: dict[str, dict[str, str]] = defaultdict(dict)
        for index, (path, name, split) in enumerate(sorted(rows)):
            group = self._group(path)
            group = None if group is None else f"{name}/{group}"
            videos.append(Video(index, path, classes.index(name), split, group))
            if group is not None:
                sides[group][split] = path
        for group, paths in sides.items():
            if len(paths) > 1:
                raise DataError(
                    f"folder: group {group} is in train and test ({paths['train']}, {paths['test']}); move its videos "
                    "to one side, or correct `group`"
                )
        return Catalog("folder", tuple(classes), tuple(videos))


def _some(paths: list[str], folder: Path) -> list[str]:
    if not paths:
        raise DataError(f"folder: no video below {folder}; looked for files ending with {', '.join(VIDEO_SUFFIXES)}")
    return paths


COMPONENT = Component(
    kind="data set",
    options=FolderOptions,
    build=FolderReader,
    labelled=lambda options: options.labels != "none",
)
