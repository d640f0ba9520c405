"""The `hmdb51` catalog: the official lists as published, files as people keep them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from raysl.config.component import find
from raysl.data.catalog import Catalog
from raysl.data.catalogs.hmdb51 import HMDB51Options, HMDB51Reader
from raysl.errors import ConfigError, DataError
from raysl.testing.data_set import touch

from .catalog_trees import HMDB_CLASSES, hmdb_lists, hmdb_tree, hmdb_videos, write_lines


def read(root: Path, **options: Any) -> Catalog:
    return HMDB51Reader(HMDB51Options(**options)).read(root)


@pytest.mark.parametrize("prefix", ["hmdb51_org/", "videos/", ""])
@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_finds_odd_names_by_stem_in_every_layout(tmp_path: Path, suffix: str, prefix: str) -> None:
    catalog = read(hmdb_tree(tmp_path, suffix=suffix, prefix=prefix))
    assert catalog.classes == HMDB_CLASSES
    used = [(name, stem) for name in HMDB_CLASSES for stem, use in sorted(hmdb_videos(name).items()) if use]
    assert [video.path for video in catalog.videos] == [f"{prefix}{name}/{stem}{suffix}" for name, stem in used]
    assert catalog.missing == ()


def test_labels_splits_and_groups(tmp_path: Path) -> None:
    videos = read(hmdb_tree(tmp_path)).videos
    assert [video.label for video in videos] == [0] * 3 + [1] * 3 + [2] * 3
    assert [video.split for video in videos] == ["train", "train", "test"] * 3
    assert [video.group for video in videos[6:]] == 2 * ["climb_stairs/#1_A_(b)!"] + ["climb_stairs/[x];'y',&+"]


def test_clips_of_neither_side_are_left_out_and_not_missed(tmp_path: Path) -> None:
    hmdb_tree(tmp_path)
    (tmp_path / "hmdb51_org/climb/Film.1.5_climb_h_cm_np1_fr_bad_2.avi").unlink()
    catalog = read(tmp_path)
    assert len(catalog.videos) == 9
    assert not any("Film.1.5" in video.path for video in catalog.videos)


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_line_ends_and_lists_in_the_root(tmp_path: Path, newline: str) -> None:
    hmdb_lists(tmp_path, newline=newline)
    touch(tmp_path, *(f"{name}/{stem}.avi" for name in HMDB_CLASSES for stem in hmdb_videos(name)))
    assert len(read(tmp_path).videos) == 9


def test_a_clip_listed_for_one_class_is_not_looked_for_in_another(tmp_path: Path) -> None:
    hmdb_tree(tmp_path)
    stem = next(iter(hmdb_videos("climb")))
    (tmp_path / f"hmdb51_org/climb/{stem}.avi").rename(tmp_path / f"hmdb51_org/climb_stairs/{stem}.avi")
    with pytest.raises(DataError, match=r"1 of 9 listed videos .* in 1 classes, e\.g\. climb/.*allow_missing"):
        read(tmp_path)
    catalog = read(tmp_path, allow_missing=True)
    assert catalog.missing == (f"climb/{stem}.avi",)
    assert [video.index for video in catalog.videos] == list(range(8))


def test_lists_whose_files_are_all_absent_are_an_error(tmp_path: Path) -> None:
    hmdb_lists(tmp_path)
    with pytest.raises(DataError, match=r"9 of 9 .*looked in hmdb51_org/CLASS/, videos/CLASS/ and CLASS/"):
        read(tmp_path, allow_missing=True)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a_climb_0.avi", r"is not NAME\.avi with 0, 1 or 2"),
        ("a_climb_0.avi 3", r"is not NAME\.avi with 0, 1 or 2"),
        ("a b.avi 1", r"is not NAME\.avi with 0, 1 or 2"),
        ("b.avi 2", r"b\.avi was listed before"),
    ],
)
def test_bad_rows_name_file_and_line(tmp_path: Path, row: str, message: str) -> None:
    hmdb_tree(tmp_path)
    write_lines(tmp_path / "testTrainMulti_7030_splits/climb_test_split1.txt", ["b.avi 1 ", row])
    with pytest.raises(DataError, match=rf"climb_test_split1\.txt, line 2: .*{message}"):
        read(tmp_path)


def test_absent_lists_are_one_error(tmp_path: Path) -> None:
    hmdb_tree(tmp_path)
    with pytest.raises(DataError, match=r"holds no list CLASS_test_split2\.txt.*test_train_splits\.rar"):
        read(tmp_path, split=2)


def test_options_and_variants(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'clim'.*did you mean 'climb'"):
        read(hmdb_tree(tmp_path), classes=["clim", "brush_hair"])
    with pytest.raises(ValidationError):
        HMDB51Options(split=0)
    variant = find("data set", "hmdb51").variant
    assert variant is not None
    assert HMDB51Options(**variant("3")).split == 3
    with pytest.raises(ConfigError, match="hmdb51/4"):
        variant("4")


@pytest.mark.slow
@pytest.mark.parametrize("split", [1, 2, 3])
def test_official_lists_have_their_published_counts(shared_data: Path, tmp_path: Path, split: int) -> None:
    lists = shared_data / "splits" / "hmdb51" / "testTrainMulti_7030_splits"
    (tmp_path / "testTrainMulti_7030_splits").symlink_to(lists)
    named = [file for file in sorted(lists.iterdir()) if file.name.endswith(f"_test_split{split}.txt")]
    rows = [(file.name[: -len("_test_split1.txt")], row) for file in named for row in file.read_text().splitlines()]
    touch(tmp_path, *(f"hmdb51_org/{name}/{row.split()[0]}" for name, row in rows))
    catalog = read(tmp_path, split=split)
    assert (len(catalog.split("train")), len(catalog.split("test")), len(catalog.classes)) == (3570, 1530, 51)
    assert all(video.group is not None for video in catalog.videos)
    groups = [{video.group for video in catalog.split(side)} for side in ("train", "test")]
    assert not groups[0] & groups[1]
