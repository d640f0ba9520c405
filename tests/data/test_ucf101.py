"""The `ucf101` catalog: the official lists as published, files as people keep them, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from raysl.config.component import find
from raysl.data.catalog import Catalog
from raysl.data.catalogs.listed import SECOND
from raysl.data.catalogs.ucf101 import UCF101Options, UCF101Reader
from raysl.errors import ConfigError, DataError
from raysl.testing.data_set import touch

from .catalog_trees import UCF_CLASSES, ucf_lists, ucf_tree, ucf_videos, write_lines

FIVE = ["BodyWeightSquats", "BoxingPunchingBag", "JugglingBalls", "JumpingJack", "Lunges"]


def read(root: Path, **options: Any) -> Catalog:
    return UCF101Reader(UCF101Options(**options)).read(root)


@pytest.mark.parametrize("prefix", ["UCF-101/", ""])
@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".webm", ".AVI"])
def test_finds_files_by_stem_in_either_layout(tmp_path: Path, suffix: str, prefix: str) -> None:
    catalog = read(ucf_tree(tmp_path, suffix=suffix, prefix=prefix))
    assert catalog.classes == UCF_CLASSES
    assert [video.path for video in catalog.videos] == [f"{prefix}{stem}{suffix}" for stem in ucf_videos()]
    assert catalog.missing == ()


def test_labels_groups_and_splits(tmp_path: Path) -> None:
    videos = read(ucf_tree(tmp_path)).videos
    assert [video.label for video in videos] == [0] * 8 + [1] * 8 + [2] * 8
    assert [video.split for video in videos] == (["test"] * 4 + ["train"] * 4) * 3
    assert videos[-1].path == "UCF-101/HandstandPushups/v_HandStandPushups_g09_c02.mp4"
    assert videos[-1].group == "HandstandPushups/g09"


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_line_ends_and_lists_in_the_root(tmp_path: Path, newline: str) -> None:
    ucf_lists(tmp_path, newline=newline)
    touch(tmp_path, *(f"{stem}.mp4" for stem in ucf_videos()))
    assert len(read(tmp_path).videos) == 24


def test_the_split_changes_neither_order_nor_index(tmp_path: Path) -> None:
    ucf_tree(tmp_path)
    lists = ucf_lists(tmp_path / "ucfTrainTestlist", split=2)
    write_lines(lists / "testlist02.txt", [f"{stem}.avi" for stem in ucf_videos((8, 9))])
    write_lines(
        lists / "trainlist02.txt",
        [f"{stem}.avi {UCF_CLASSES.index(stem.split('/')[0]) + 1}" for stem in ucf_videos((1, 2))],
    )
    first, second = read(tmp_path, split=1), read(tmp_path, split=2)
    assert [video.path for video in first.videos] == [video.path for video in second.videos]
    assert first.split("train") != second.split("train")
    assert {video.path for video in first.split("train")} == {video.path for video in second.split("test")}


def test_classes_are_labelled_anew_in_the_official_order(tmp_path: Path) -> None:
    catalog = read(ucf_tree(tmp_path), classes=["HandstandPushups", "ApplyEyeMakeup"])
    assert catalog.classes == ("ApplyEyeMakeup", "HandstandPushups")
    assert [video.label for video in catalog.videos] == [0] * 8 + [1] * 8
    assert [video.index for video in catalog.videos] == list(range(16))


def test_the_listed_suffix_goes_before_a_copy(tmp_path: Path) -> None:
    stem = ucf_videos()[0]
    catalog = read(touch(ucf_tree(tmp_path), f"UCF-101/{stem}.avi"))
    assert catalog.videos[0].path == f"UCF-101/{stem}.avi"
    assert catalog.notes[SECOND] == (f"UCF-101/{stem}.mp4 (taken: UCF-101/{stem}.avi)",)
    other = f"UCF-101/{ucf_videos()[1]}"
    catalog = read(touch(ucf_tree(tmp_path), f"{other}.webm"))
    assert catalog.videos[1].path == f"{other}.mp4"
    assert f"{other}.webm (taken: {other}.mp4)" in catalog.notes[SECOND]


def test_missing_files_are_an_error_or_counted(tmp_path: Path) -> None:
    ucf_tree(tmp_path)
    gone = [ucf_videos()[0], ucf_videos()[13]]
    for stem in gone:
        (tmp_path / f"UCF-101/{stem}.mp4").unlink()
    with pytest.raises(
        DataError, match=r"2 of 24 listed videos .* in 2 classes, e\.g\. \S+_g01_c01\.avi.*allow_missing"
    ):
        read(tmp_path)
    catalog = read(tmp_path, allow_missing=True)
    assert catalog.missing == tuple(f"{stem}.avi" for stem in gone)
    assert [video.index for video in catalog.videos] == list(range(22))


@pytest.mark.parametrize("allow_missing", [False, True])
def test_lists_whose_files_are_all_absent_are_an_error(tmp_path: Path, allow_missing: bool) -> None:
    ucf_lists(tmp_path / "ucfTrainTestlist")
    with pytest.raises(DataError, match=r"24 of 24 listed videos .*looked in UCF-101/CLASS/"):
        read(tmp_path, allow_missing=allow_missing)


def test_allow_missing_is_not_part_of_the_identity() -> None:
    extra = UCF101Options.model_fields["allow_missing"].json_schema_extra
    assert isinstance(extra, dict)
    assert extra["identity"] is False


BAD_ROWS = {
    "no label in training": ("trainlist01.txt", "Archery/v_Archery_g08_c01.avi", "the label 2"),
    "another class's label": ("trainlist01.txt", "Archery/v_Archery_g08_c01.avi 3", "the label 2"),
    "an unknown class": ("testlist01.txt", "Archry/v_Archery_g01_c01.avi", "did you mean 'Archery'"),
    "no group": ("testlist01.txt", "Archery/v_Archery.avi", r"is not CLASS/NAME_gGG_cCC\.avi"),
    "no class folder": ("testlist01.txt", "v_Archery_g01_c01.avi", r"is not CLASS/NAME_gGG_cCC\.avi"),
    "in train and test": ("testlist01.txt", "Archery/v_Archery_g08_c01.avi", "was listed before, for train"),
    "a class number out of order": ("classInd.txt", "7 Archery", r"is not '1 NAME'"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_name_file_and_line(tmp_path: Path, name: str) -> None:
    file, row, message = BAD_ROWS[name]
    ucf_tree(tmp_path)
    write_lines(tmp_path / "ucfTrainTestlist" / file, [row])
    with pytest.raises(DataError, match=f"{file}, line 1: .*{message}"):
        read(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"\r\n\r\n", b"\xff\xfe\x00"])
def test_lists_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    file = ucf_tree(tmp_path) / "ucfTrainTestlist" / "testlist01.txt"
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError, match=r"the list \S+testlist01\.txt .*UCF101TrainTestSplits"):
        read(tmp_path)


def test_an_unknown_class_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'Archey'.*did you mean 'Archery'"):
        read(ucf_tree(tmp_path), classes=["Archey", "ApplyEyeMakeup"])


@pytest.mark.parametrize("options", [{"split": 4}, {"split": "1"}, {"classes": ["Lunges"]}, {"classes": ["A", "A"]}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UCF101Options(**options)


def test_variants_are_the_official_splits() -> None:
    variant = find("data set", "ucf101").variant
    assert variant is not None
    assert UCF101Options(**variant("2")).split == 2
    with pytest.raises(ConfigError, match="ucf101/4"):
        variant("4")


@pytest.mark.slow
@pytest.mark.parametrize(("split", "train", "test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)])
def test_official_lists_have_their_published_counts(
    shared_data: Path, tmp_path: Path, split: int, train: int, test: int
) -> None:
    (tmp_path / "ucfTrainTestlist").symlink_to(shared_data / "splits" / "ucf101" / "ucfTrainTestlist")
    rows = [
        line.split()[0]
        for name in ("train", "test")
        for line in (tmp_path / f"ucfTrainTestlist/{name}list{split:02d}.txt").read_text().splitlines()
    ]
    catalog = read(touch(tmp_path, *rows), split=split)
    assert (len(catalog.split("train")), len(catalog.split("test")), len(catalog.classes)) == (train, test, 101)
    assert len({video.group for video in catalog.videos}) == 101 * 25


@pytest.mark.parametrize("split", [1, 2, 3])
def test_real_videos_agree_with_their_manifest(shared_data: Path, split: int) -> None:
    root = shared_data / "ucf101_5class"
    catalog = read(root, split=split, classes=FIVE)
    with (root / "manifest.csv").open(newline="") as file:
        truth = {row["path"]: row for row in csv.DictReader(file)}
    assert {video.path for video in catalog.videos} == set(truth)
    for video in catalog.videos:
        row = truth[video.path]
        assert video.label is not None
        assert (catalog.classes[video.label], video.split) == (row["class"], row[f"split{split}"])
        assert video.group == f"{row['class']}/{row['group']}"
    if split == 1:
        assert (len(catalog.split("train")), len(catalog.split("test"))) == (453, 193)


def test_the_rest_of_real_lists_is_missing(shared_data: Path) -> None:
    root = shared_data / "ucf101_5class"
    with pytest.raises(DataError, match=r"12674 of 13320 .* in 96 classes"):
        read(root)
    assert len(read(root, allow_missing=True).missing) == 12674
