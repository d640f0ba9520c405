"""The `folder` catalog: labels from folders, the split rules, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from raysl.data.catalog import Catalog
from raysl.data.catalogs.folder import FolderOptions, FolderReader
from raysl.errors import DataError

from .catalog_trees import class_tree, touch


def read(root: Path, **options: Any) -> Catalog:
    return FolderReader(FolderOptions(**options)).read(root)


def test_reads_every_depth_and_suffix_and_nothing_else(tmp_path: Path) -> None:
    catalog = read(class_tree(tmp_path))
    assert catalog.classes == ("run", "walk")
    assert [video.path for video in catalog.videos] == [
        "run/a.mkv",
        "run/b.webm",
        "walk/deep/er/v;[1] 'x'.MP4",
        "walk/v_0.avi",
        "walk/v_1.avi",
        "walk/v_2.avi",
        "walk/v_3.avi",
    ]
    assert [video.label for video in catalog.videos] == [0, 0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("share", "tests"), [(0.01, 1), (0.25, 5), (0.3, 6), (0.99, 19)])
def test_fraction_is_of_each_class_and_leaves_one_on_each_side(tmp_path: Path, share: float, tests: int) -> None:
    touch(tmp_path, *(f"{name}/{number}.mp4" for name in ("a", "b") for number in range(20)))
    catalog = read(tmp_path, test_share=share)
    assert [sum(video.label == label for video in catalog.split("test")) for label in (0, 1)] == [tests, tests]


def test_fraction_follows_its_seed_and_not_the_place_of_the_root(tmp_path: Path) -> None:
    paths = [f"{name}/{number}.mp4" for name in ("a", "b") for number in range(20)]
    here, there = touch(tmp_path / "here", *paths), touch(tmp_path / "there", *reversed(paths))
    assert read(here) == read(there)
    assert read(here, split_seed=1).split("test") != read(here).split("test")
    tests = [video.path.split("/")[1] for video in read(here).split("test")]
    assert tests[:5] != tests[5:], "each class is drawn for itself"


def test_groups_are_not_parted(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/v_g{group}_c{clip}.mp4" for name in "ab" for group in range(4) for clip in range(3)))
    catalog = read(tmp_path, group=r"_(g\d+)_")
    assert {video.group for video in catalog.videos} == {f"{name}/g{group}" for name in "ab" for group in range(4)}
    assert len(catalog.split("test")) == 6
    assert len({video.group for video in catalog.split("test")}) == 2


def test_split_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "train/b/x/2.mp4", "test/b/3.mp4", "test/a/4.mp4", "extra/c/5.mp4")
    catalog = read(tmp_path, split="folders")
    assert [(video.path, video.label, video.split) for video in catalog.videos] == [
        ("test/a/4.mp4", 0, "test"),
        ("test/b/3.mp4", 1, "test"),
        ("train/a/1.mp4", 0, "train"),
        ("train/b/x/2.mp4", 1, "train"),
    ]


def test_without_labels_everything_is_for_training(tmp_path: Path) -> None:
    touch(tmp_path, "1.mp4", "a/2.mp4", "a/b/3.avi")
    catalog = read(tmp_path, labels="none")
    assert catalog.classes == ()
    assert [(video.path, video.label) for video in catalog.split("train")] == [
        ("1.mp4", None),
        ("a/2.mp4", None),
        ("a/b/3.avi", None),
    ]


def test_classes_chooses_folders_whatever_their_order(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/{number}.mp4" for name in "abc" for number in range(2)), "lists/x.txt")
    assert read(tmp_path, classes=["c", "a"]).classes == ("a", "c")
    assert FolderOptions(classes=["c", "a"]) == FolderOptions(classes=["a", "c"])


def test_a_linked_folder_is_read_once_and_a_circle_ends(tmp_path: Path) -> None:
    touch(tmp_path / "store", "1.mp4", "2.mp4")
    root = touch(tmp_path / "root", "b/3.mp4", "b/4.mp4")
    (root / "a").symlink_to(tmp_path / "store")
    (root / "b" / "circle").symlink_to(root / "b")
    assert [video.path for video in read(root).videos] == ["a/1.mp4", "a/2.mp4", "b/3.mp4", "b/4.mp4"]


BAD_TREES: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "no videos": (["a/x.txt", "b/y.md"], {}, r"no video below .*\.avi, .*\.mp4"),
    "no videos without labels": (["x.txt"], {"labels": "none"}, r"no video below .*\.mp4"),
    "one video in a class": (["a/1.mp4", "a/2.mp4", "b/only.mp4"], {}, r"class b has one video \(b/only\.mp4\)"),
    "one group in a class": (
        ["a/g1_1.mp4", "a/g2_1.mp4", "b/g1_1.mp4", "b/g1_2.mp4"],
        {"group": r"(g\d)"},
        "class b has one group of videos",
    ),
    "a class folder without videos": (["a/1.mp4", "a/2.mp4", "b/x.txt"], {}, r"class folder \S+/b holds no video"),
    "one class": (["a/1.mp4", "a/2.mp4"], {}, r"one class folder \(a\).*labels: none"),
    "a video in no class folder": (["a/1.mp4", "a/2.mp4", "loose.mp4"], {}, r"loose\.mp4 lies in no class folder"),
    "no train folder": (["test/a/1.mp4", "b/2.mp4"], {"split": "folders"}, "no folder train"),
    "a split that was not asked for": (["train/a/1.mp4", "test/a/1.mp4"], {}, "set `split: folders`"),
    "a class without a test video": (
        ["train/a/1.mp4", "train/b/2.mp4", "train/c/3.mp4", "test/a/4.mp4", "test/b/5.mp4"],
        {"split": "folders"},
        "class c has videos in train/ and none in test/",
    ),
    "a class without a training video": (
        ["train/a/1.mp4", "train/b/2.mp4", "test/c/3.mp4", "test/a/4.mp4", "test/b/5.mp4"],
        {"split": "folders"},
        "class c has videos in test/ and none in train/",
    ),
    "a group on both sides": (
        ["train/a/g1_1.mp4", "train/b/g2_1.mp4", "test/a/g1_2.mp4", "test/b/g3_1.mp4"],
        {"split": "folders", "group": r"^(g\d)"},
        r"group a/g1 is in train and test \(train/a/g1_1\.mp4, test/a/g1_2\.mp4\)",
    ),
    "a name without a group": (["a/g1_1.mp4", "a/x.mp4", "b/g1_1.mp4"], {"group": r"(g\d)"}, r"no group in a/x\.mp4"),
    "an unknown class": (["walk/1.mp4", "walk/2.mp4", "run/1.mp4"], {"classes": ["wlk", "run"]}, "did you mean 'walk'"),
}


@pytest.mark.parametrize("name", BAD_TREES)
def test_bad_trees_are_one_clear_error(tmp_path: Path, name: str) -> None:
    paths, options, message = BAD_TREES[name]
    with pytest.raises(DataError, match=message):
        read(touch(tmp_path, *paths), **options)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/1.mp4", "b/2.mp4")
    try:
        (tmp_path / "a" / "\udcff.mp4").touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(DataError, match=r"\\xff\.mp4.*rename"):
        read(tmp_path)


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        read(touch(tmp_path, "a.mp4") / "a.mp4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "("}, "not a regular expression"),
        ({"group": "g1"}, "in parentheses"),
        ({"labels": "none", "split": "folders"}, "takes every video for training"),
        ({"labels": "none", "classes": ["a", "b"]}, "takes every video for training"),
        ({"classes": ["a", "a"]}, "twice"),
        ({"classes": ["a"]}, "at least 2"),
        ({"test_share": 1.0}, "less than 1"),
        ({"test_share": "0.5"}, "valid number"),
        ({"share": 0.5}, "Extra inputs"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FolderOptions(**options)
