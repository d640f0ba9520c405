"""The `folder` catalog: labels from folders, the split rules, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from raysl.config.identity import leaves
from raysl.data.catalog import Catalog
from raysl.data.catalogs.folder import FolderOptions, FolderReader
from raysl.errors import DataError
from raysl.streams import stream
from raysl.testing.data_set import touch

from .catalog_trees import class_tree


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


PERSONS = [f"{name}/{person}_{name}.avi" for name in ("jump", "run", "walk") for person in "abcdefgh"]


def sides(catalog: Catalog) -> dict[str, set[str]]:
    """Group to the splits of its videos."""
    found: dict[str, set[str]] = {}
    for video in catalog.videos:
        assert video.group is not None
        found.setdefault(video.group, set()).add(video.split)
    return found


def test_a_group_is_on_one_side_in_all_classes(tmp_path: Path) -> None:
    catalog = read(touch(tmp_path, *PERSONS), group=r"^([a-z])_")
    assert set(sides(catalog)) == set("abcdefgh")
    assert all(len(splits) == 1 for splits in sides(catalog).values())
    for label in range(3):
        assert sum(video.label == label for video in catalog.split("test")) == 2


def test_groups_of_one_class_each(tmp_path: Path) -> None:
    paths = [f"{name}/v_{name}{group}_c{clip}.mp4" for name in "ab" for group in range(4) for clip in range(3)]
    catalog = read(touch(tmp_path, *paths), group=r"_([ab]\d)_")
    assert len(catalog.split("test")) == 6
    assert {video.label for video in catalog.split("test")} == {0, 1}
    assert all(len(splits) == 1 for splits in sides(catalog).values())


def test_groups_follow_the_seed_and_not_the_order_of_the_files(tmp_path: Path) -> None:
    here, there = touch(tmp_path / "here", *PERSONS), touch(tmp_path / "there", *reversed(PERSONS))
    options = {"group": r"^([a-z])_"}
    assert read(here, **options) == read(there, **options)
    drawn = {
        tuple(sorted({str(video.group) for video in read(here, **options, split_seed=seed).split("test")}))
        for seed in range(8)
    }
    assert len(drawn) > 4, "another seed is another draw"


def test_a_group_may_be_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/{person}/{clip}.avi" for name in ("run", "walk") for person in "abcd" for clip in "12"))
    catalog = read(tmp_path, group=r"^(\w)/")
    assert set(sides(catalog)) == set("abcd")
    assert all(len(splits) == 1 for splits in sides(catalog).values())


@pytest.mark.parametrize("seed", range(10))
def test_whole_groups_come_near_the_share_of_each_class(tmp_path: Path, seed: int) -> None:
    """30 recordings of different lengths, each of one to four of eight classes."""
    draw = stream("recordings", seed)
    paths = []
    for recording in range(30):
        for name in draw.choice(8, size=int(draw.integers(1, 5)), replace=False):
            paths += [f"c{name}/r{recording}_{clip}.avi" for clip in range(int(draw.integers(1, 6)))]
    catalog = read(touch(tmp_path, *paths), group=r"^(r\d+)_", split_seed=seed)
    assert all(len(splits) == 1 for splits in sides(catalog).values())
    for label in range(8):
        held = [video.split for video in catalog.videos if video.label == label]
        assert 0.1 < held.count("test") / len(held) < 0.4
    assert 0.2 < len(catalog.split("test")) / len(catalog.videos) < 0.3


def test_every_class_is_on_both_sides_where_only_one_division_does_it(tmp_path: Path) -> None:
    """A chain: class k lies in groups k and k + 1 alone, so the groups have to alternate."""
    paths = [f"c{name}/g{name + step}_x.avi" for name in range(7) for step in (0, 1)]
    for seed in range(20):
        catalog = read(touch(tmp_path, *paths), group=r"^(g\d)_", split_seed=seed)
        assert len({tuple(sides(catalog)[f"g{group}"]) for group in (0, 2, 4, 6)}) == 1
        assert sides(catalog)["g0"] != sides(catalog)["g1"]
        assert {video.label for video in catalog.split("test")} == set(range(7))


def test_the_split_without_groups_is_the_one_of_old_and_so_are_the_ids(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/{number}.mp4" for name in ("a", "b") for number in range(8)))
    tests = {video.path for video in read(tmp_path).split("test")}
    assert tests == {"a/4.mp4", "a/5.mp4", "b/3.mp4", "b/5.mp4"}, "as version 1 drew it"
    leaf = ("@version",)
    assert leaf not in dict(leaves(FolderOptions()))
    assert dict(leaves(FolderOptions(group="(a)")))[leaf] == 2, "what `group` does has changed"


def folded(root: Path, **options: Any) -> list[Catalog]:
    return [read(root, fold=fold, **options) for fold in range(1, options["folds"] + 1)]


def assert_each_video_is_tested_once(catalogs: list[Catalog]) -> None:
    for video in catalogs[0].videos:
        tested = [fold for fold, catalog in enumerate(catalogs, 1) if catalog.videos[video.index].split == "test"]
        assert tested == [video.fold]
        assert {catalog.videos[video.index].path for catalog in catalogs} == {video.path}, "indices are the same"


def test_folds_are_of_each_class_and_test_each_video_once(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/{number}.mp4" for name, count in (("a", 12), ("b", 7)) for number in range(count)))
    catalogs = folded(tmp_path, split="folds", folds=3)
    assert_each_video_is_tested_once(catalogs)
    for catalog in catalogs:
        assert sum(video.label == 0 for video in catalog.split("test")) == 4
        assert sum(video.label == 1 for video in catalog.split("test")) in (2, 3)
    assert read(tmp_path, split="folds", folds=3, fold=1, split_seed=1) != catalogs[0]


def test_folds_of_equal_classes_are_of_equal_size(tmp_path: Path) -> None:
    """What is left over of each class does not all go to the first folds."""
    touch(tmp_path, *(f"{name}/{number}.mp4" for name in "abcdef" for number in range(7)))
    sizes = [len(catalog.split("test")) for catalog in folded(tmp_path, split="folds", folds=5)]
    assert max(sizes) - min(sizes) <= 1


def test_folds_of_whole_groups(tmp_path: Path) -> None:
    catalogs = folded(touch(tmp_path, *PERSONS), split="folds", folds=4, group=r"^([a-z])_")
    assert_each_video_is_tested_once(catalogs)
    for catalog in catalogs:
        assert all(len(splits) == 1 for splits in sides(catalog).values())
        assert [sum(video.label == label for video in catalog.split("test")) for label in range(3)] == [2, 2, 2]


def test_one_group_is_left_out_in_each_fold(tmp_path: Path) -> None:
    """A person who does not do everything is tested on what there is."""
    catalogs = folded(
        touch(tmp_path, *(path for path in PERSONS if path != "run/c_run.avi")),
        split="leave_one_group_out", folds=8, group=r"^([a-z])_",
    )  # fmt: skip
    assert_each_video_is_tested_once(catalogs)
    assert [{video.group for video in catalog.split("test")} for catalog in catalogs] == [{name} for name in "abcdefgh"]
    assert {video.label for video in catalogs[2].split("test")} == {0, 2}


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
        r"class b has one group \(b/g1_1\.mp4\), which cannot be split",
    ),
    "a class folder without videos": (["a/1.mp4", "a/2.mp4", "b/x.txt"], {}, r"class folder \S+/b holds no video"),
    "one class": (["a/1.mp4", "a/2.mp4"], {}, r"one class folder \(a\).*labels: none"),
    "a video in no class folder": (["a/1.mp4", "a/2.mp4", "loose.mp4"], {}, r"loose\.mp4 is in no class folder"),
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
        r"group g1 is in train and test \(train/a/g1_1\.mp4, test/a/g1_2\.mp4\)",
    ),
    "a group on both sides, in two classes": (
        ["train/a/g1_1.mp4", "train/b/g2_1.mp4", "test/a/g3_1.mp4", "test/b/g1_1.mp4"],
        {"split": "folders", "group": r"^(g\d)"},
        r"group g1 is in train and test \(train/a/g1_1\.mp4, test/b/g1_1\.mp4\)",
    ),
    "groups that cannot be divided": (
        ["a/g1.mp4", "a/g2.mp4", "b/g2.mp4", "b/g3.mp4", "c/g1.mp4", "c/g3.mp4"],
        {"group": r"(g\d)"},
        "no division into 2 sides was found that has every class on every side",
    ),
    "more folds than videos": (
        ["a/1.mp4", "a/2.mp4", "a/3.mp4", "b/1.mp4", "b/2.mp4"],
        {"split": "folds", "folds": 3, "fold": 1},
        r"class b has 2 videos \(b/1\.mp4\), which cannot be in each of 3 folds; add more, or leave the class out",
    ),
    "more folds than groups": (
        ["a/g1.mp4", "a/g2.mp4", "a/g3.mp4", "b/g1_1.mp4", "b/g1_2.mp4", "b/g1_3.mp4"],
        {"split": "folds", "folds": 3, "fold": 1, "group": r"(g\d)"},
        r"class b has one group \(b/g1_1\.mp4\), which cannot be in each of 3 folds",
    ),
    "another number of groups": (
        ["a/g1.mp4", "a/g2.mp4", "a/g3.mp4", "b/g1.mp4", "b/g2.mp4"],
        {"split": "leave_one_group_out", "folds": 2, "fold": 1, "group": r"(g\d)"},
        r"`folds` is 2, and `group` '\(g\\\\d\)' names 3 groups: set `folds: 3`",
    ),
    "a class that one group has alone": (
        ["a/g1.mp4", "a/g2.mp4", "b/g1.mp4"],
        {"split": "leave_one_group_out", "folds": 2, "fold": 1, "group": r"(g\d)"},
        r"class b has one group \(b/g1\.mp4\), without it none is left to learn the class from",
    ),
    "a fold that is left open": (
        ["a/1.mp4", "b/1.mp4"],
        {"split": "folds", "folds": 2},
        "2 folds is chosen for testing",
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
        ({"labels": "none", "split": "folds", "folds": 2}, "takes every video for training"),
        ({"split": "folders", "test_share": 0.5}, "test_share has no effect with split: folders"),
        ({"split": "folds", "folds": 3, "test_share": 0.5}, "test_share has no effect with split: folds"),
        ({"split": "folders", "split_seed": 1}, "split_seed has no effect with split: folders"),
        ({"folds": 3}, "folds has no effect with split: fraction"),
        ({"fold": 3}, "fold has no effect with split: fraction"),
        ({"split": "folds"}, "split: folds needs folds, the number of folds"),
        ({"split": "folds", "folds": 1}, "greater than or equal to 2"),
        ({"split": "folds", "folds": 3, "fold": 0}, "greater than or equal to 1"),
        ({"split": "folds", "folds": 3, "fold": 4}, "fold 4 is out of range: there are 3 folds"),
        ({"split": "leave_one_group_out", "folds": 3}, "needs group"),
        ({"split": "leave_one_group_out", "group": "(a)"}, "the number of groups, which `raysl data check` counts"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FolderOptions(**options)
