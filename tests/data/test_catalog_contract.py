"""What holds for every catalog: a new one adds a line to ``CASES``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from raysl.config.component import KINDS, find, names
from raysl.config.options import Options
from raysl.data.catalog import Catalog, CatalogReader
from raysl.errors import ConfigError, DataError

from .catalog_trees import (
    ava_tree,
    class_tree,
    diving_name,
    diving_tree,
    hmdb_tree,
    kinetics_tree,
    ssv2_name,
    ssv2_tree,
    touch,
    ucf_tree,
)

TINY = {"classes": 2, "train_per_class": 2, "test_per_class": 1, "frames": 3, "height": 16, "width": 16}
SPLIT_TREE = ["train/a/1.mp4", "train/b/2.mp4", "test/a/3.mp4", "test/b/4.mp4"]


def _empty(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    return root


def _grouped_tree(root: Path) -> Path:
    """Two persons who both do everything."""
    return touch(root, *(f"{name}/{clip}{person}.mp4" for name in "ab" for person in (1, 2) for clip in "xyz"))


def _split_tree(root: Path) -> Path:
    return touch(root, *SPLIT_TREE)


BOXES = {"train": 2, "test": 1, "seconds": 2, "rate": 2, "height": 16, "width": 16}
"""Films so small that they are rendered at once."""

CASES: dict[str, tuple[str, dict[str, Any], Callable[[Path], Path]]] = {
    "folder-fraction": ("folder", {}, class_tree),
    "folder-folders": ("folder", {"split": "folders"}, _split_tree),
    "folder-folds": ("folder", {"split": "folds", "folds": 2, "fold": 2}, class_tree),
    "folder-groups": ("folder", {"group": r"(\d)\."}, _grouped_tree),
    "folder-leave-one-group-out": (
        "folder",
        {"split": "leave_one_group_out", "folds": 2, "fold": 2, "group": r"(\d)\."},
        _grouped_tree,
    ),
    "folder-without-labels": ("folder", {"labels": "none"}, class_tree),
    "ucf101": ("ucf101", {}, ucf_tree),
    "ucf101-classes": ("ucf101", {"classes": ["HandstandPushups", "Archery"]}, ucf_tree),
    "hmdb51": ("hmdb51", {}, hmdb_tree),
    "hmdb51-classes": ("hmdb51", {"classes": ["climb_stairs", "climb"]}, hmdb_tree),
    "kinetics400": ("kinetics400", {}, kinetics_tree),
    "kinetics400-classes": ("kinetics400", {"classes": ["doing thing 007 (in game)", "abseiling"]}, kinetics_tree),
    "kinetics600": ("kinetics600", {}, partial(kinetics_tree, size=600, validation="validate")),
    "diving48": ("diving48", {}, diving_tree),
    "diving48-classes": ("diving48", {"classes": [diving_name(47), diving_name(2)]}, diving_tree),
    "ssv2": ("ssv2", {}, ssv2_tree),
    "ssv2-classes": ("ssv2", {"classes": [ssv2_name(9), ssv2_name(5)]}, ssv2_tree),
    "ava": ("ava", {}, ava_tree),
    "synthetic_boxes": ("synthetic_boxes", BOXES, _empty),
    "synthetic": ("synthetic", TINY, _empty),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[CatalogReader, Path]:
    """A reader, and a root that it can read and that no test changes."""
    name, options, make = CASES[request.param]
    component = find("data set", name)
    reader = component.build(component.options(**options))
    root = make(tmp_path_factory.mktemp("catalog") / "root")
    reader.prepare(root)
    return reader, root


@pytest.fixture(scope="module")
def catalog(case: tuple[CatalogReader, Path]) -> Catalog:
    reader, root = case
    return reader.read(root)


def test_every_catalog_has_a_case() -> None:
    assert {name for name, _, _ in CASES.values()} == set(names("data set"))


def test_indices_count_the_rows(catalog: Catalog) -> None:
    assert [video.index for video in catalog.videos] == list(range(len(catalog.videos)))
    assert catalog.videos


def test_paths_are_relative_unique_and_there(case: tuple[CatalogReader, Path], catalog: Catalog) -> None:
    _, root = case
    paths = [video.path for video in catalog.videos]
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert not PurePosixPath(path).is_absolute()
        assert "\\" not in path
        assert ".." not in PurePosixPath(path).parts
        assert (root / path).is_file()


def test_labels_are_class_indices(catalog: Catalog) -> None:
    assert len(set(catalog.classes)) == len(catalog.classes)
    if catalog.annotated:
        assert {video.label for video in catalog.videos} == {None}
        people = [person for frame in catalog.annotated for person in frame.people]
        assert {action for person in people for action in person.actions} <= set(range(len(catalog.classes)))
        assert all(0 <= min(person.box) < max(person.box) <= 1 for person in people)
        assert {catalog.videos[frame.video].split for frame in catalog.annotated} == {"train", "test"}
    elif catalog.classes:
        for split in ("train", "test"):
            assert {video.label for video in catalog.split(split)} == set(range(len(catalog.classes)))
    else:
        assert {(video.label, video.split) for video in catalog.videos} == {(None, "train")}


def test_splits_cover_the_videos_and_part_no_group(catalog: Catalog) -> None:
    assert len(catalog.split("train")) + len(catalog.split("test")) == len(catalog.videos)
    groups = {split: {video.group for video in catalog.split(split)} - {None} for split in ("train", "test")}
    assert not groups["train"] & groups["test"]


def test_each_video_is_tested_in_its_fold(case: tuple[CatalogReader, Path], catalog: Catalog) -> None:
    reader, _ = case
    fold = getattr(getattr(reader, "options", None), "fold", None)
    for video in catalog.videos:
        assert (video.fold is None) == (fold is None)
        assert fold is None or (video.split == "test") == (video.fold == fold)


def test_read_twice_is_equal(case: tuple[CatalogReader, Path], catalog: Catalog) -> None:
    reader, root = case
    reader.prepare(root)
    assert reader.read(root) == catalog
    assert str(root) not in catalog.name


def test_an_absent_root_is_one_error(case: tuple[CatalogReader, Path]) -> None:
    reader, root = case
    with pytest.raises(DataError, match="elsewhere"):
        reader.read(root / "elsewhere")


def test_an_empty_root_is_one_error(case: tuple[CatalogReader, Path], tmp_path: Path) -> None:
    reader, _ = case
    with pytest.raises(DataError, match=r"empty-root (is empty|.*)|not rendered"):
        reader.read(_empty(tmp_path / "empty-root"))


@pytest.mark.parametrize("name", names("data set"))
def test_found_by_name_with_documented_options(name: str) -> None:
    component = find("data set", name)
    assert component.kind in KINDS
    assert issubclass(component.options, Options)
    for field in component.options.model_fields.values():
        extra = field.json_schema_extra
        assert field.description
        assert isinstance(extra, dict)
        assert extra["source"]


def test_an_unknown_catalog_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'ucf101'"):
        find("data set", "ucf10")
