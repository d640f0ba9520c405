"""The `kinetics400` and `kinetics600` catalogs: official CSV files, incomplete folders, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from raysl.data.catalog import Catalog
from raysl.data.catalogs.kinetics import KineticsOptions, KineticsReader
from raysl.data.catalogs.listed import SECOND
from raysl.errors import DataError
from raysl.testing.data_set import touch

from .catalog_trees import kinetics_clips, kinetics_list, kinetics_tree, write_lines

SIZE = 6


def read(root: Path, size: int = SIZE, **options: Any) -> Catalog:
    return KineticsReader(KineticsOptions(**options), size).read(root)


@pytest.mark.parametrize("validation", ["val", "validate"])
def test_training_and_validation_lists_are_train_and_test(tmp_path: Path, validation: str) -> None:
    catalog = read(kinetics_tree(tmp_path, SIZE, validation=validation))
    assert catalog.name == "kinetics6"
    assert catalog.classes == ("abseiling", *(f"doing thing {number:03d} (in game)" for number in range(1, SIZE)))
    for split, called in (("train", "train"), ("test", validation)):
        expected = {f"{called}/{stem}.mp4": label for stem, (label, _) in kinetics_clips(SIZE, called).items()}
        found = {video.path: catalog.classes[video.label or 0] for video in catalog.split(split)}
        assert found == expected
    assert catalog.missing == ()
    assert not any("--6bJUbfpnQ" in video.path for video in catalog.videos)


@pytest.mark.parametrize(
    "place", ["{stem}.mp4", "{label}/{stem}.mp4", "train/{label}/{stem}.mkv", "compress/train_256/{stem}.webm"]
)
def test_clips_lie_anywhere_and_are_found_by_stem(tmp_path: Path, place: str) -> None:
    kinetics_list(tmp_path / "train.csv", SIZE, "train")
    clips = kinetics_clips(SIZE, "train")
    touch(tmp_path, *(place.format(stem=stem, label=label.replace(" ", "_")) for stem, (label, _) in clips.items()))
    catalog = read(tmp_path)
    assert (len(catalog.split("train")), len(catalog.split("test")), catalog.missing) == (SIZE, 0, ())
    assert [video.label for video in catalog.videos] == list(range(SIZE))


@pytest.mark.parametrize(
    "name",
    ["train.csv", "annotations/train.csv", "kinetics-6_train.csv", "kinetics6_train.csv", "kinetics_6_train.csv"],
)
def test_lists_under_their_usual_names(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, *(f"{stem}.mp4" for stem in kinetics_clips(SIZE, "train")))
    kinetics_list(tmp_path / name, SIZE, "train", newline="\r\n", is_cc=True)
    assert len(read(tmp_path).videos) == SIZE


def test_absent_files_are_normal_counted_and_named(tmp_path: Path) -> None:
    kinetics_tree(tmp_path, SIZE)
    stems = list(kinetics_clips(SIZE, "train"))
    for stem in stems[1:3]:
        (tmp_path / f"train/{stem}.mp4").unlink()
    catalog = read(tmp_path)
    assert catalog.missing == tuple(f"doing thing 00{i} (in game)/{stems[i]}.mp4" for i in (1, 2))
    assert [video.index for video in catalog.videos] == list(range(2 * SIZE - 2))
    assert len(catalog.classes) == SIZE
    with pytest.raises(DataError, match=r"2 of 12 listed videos .*, in 2 classes, e\.g\. .*allow_missing: true"):
        read(tmp_path, allow_missing=False)


def test_no_file_at_all_is_an_error(tmp_path: Path) -> None:
    kinetics_list(tmp_path / "train.csv", SIZE, "train")
    with pytest.raises(DataError, match=r"6 of 6 listed videos .*looked in all folders for ID_START_END.*correct the"):
        read(tmp_path)


COPIES = {
    "the listed suffix": (["train/{}.webm", "train/{}.mp4"], "train/{}.mp4"),
    "the replacement of a broken clip": (
        ["a/b/replacement_for_bad/{}.mkv", "train/{}.mp4"],
        "a/b/replacement_for_bad/{}.mkv",
    ),
    "not a replacement of no bytes": (["replacement/{}.mp4 empty", "train/x/{}.mp4"], "train/x/{}.mp4"),
    "the fewest folders": (["compress/train_256/{}.mp4", "train/{}.mp4", "train/x/y/{}.mp4"], "train/{}.mp4"),
    "the first by path": (["small/train/{}.mp4", "large/train/{}.mp4"], "large/train/{}.mp4"),
}


@pytest.mark.parametrize("rule", COPIES)
def test_of_several_copies_of_a_clip_one_is_taken_and_the_others_are_named(tmp_path: Path, rule: str) -> None:
    files, taken = COPIES[rule]
    kinetics_list(tmp_path / "train.csv", SIZE, "train")
    for stem in kinetics_clips(SIZE, "train"):
        for place in files:
            path, _, empty = place.format(stem).partition(" ")
            (touch(tmp_path, path) / path).write_bytes(b"" if empty else b"content")
    catalog = read(tmp_path)
    stems = kinetics_clips(SIZE, "train")
    assert [video.path for video in catalog.videos] == [taken.format(stem) for stem in stems]
    assert len(catalog.notes[SECOND]) == SIZE * (len(files) - 1)
    assert all(f"(taken: {taken.format(stem)})" in "".join(catalog.notes[SECOND]) for stem in stems)


def test_lists_of_another_set_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"name 6 classes, not 400; give the official lists of kinetics400"):
        read(kinetics_tree(tmp_path, SIZE), 400)


HEADER = "label,youtube_id,time_start,time_end,split"
BAD_LISTS = {
    "no label column": (["youtube_id,time_start,time_end,split", "abc,1,2,train"], "has no column label"),
    "a time that is none": ([HEADER, "a,abc,x,2,train"], r"line 2: a,abc,x,2,train is not label,youtube_id"),
    "a row cut short": ([HEADER, "a,abc,1"], r"line 2: split ''"),
    "another split's row": ([HEADER, "a,abc,1,2,val"], r"line 2: split 'val' in the list of split 'train'"),
    "a clip listed twice": (
        [HEADER, "a,abc,1,2,train", "b,abc,1,2,train"],
        r"line 3: clip abc_000001_000002 was listed",
    ),
    "an open quote": ([HEADER, '"a,abc,1,2,train'], r"cannot be read \(unexpected end"),
}


@pytest.mark.parametrize("name", BAD_LISTS)
def test_bad_lists_name_file_and_line(tmp_path: Path, name: str) -> None:
    lines, message = BAD_LISTS[name]
    write_lines(tmp_path / "train.csv", lines)
    with pytest.raises(DataError, match=rf"train\.csv.*{message}"):
        read(tmp_path)


def test_no_list_or_two_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    with pytest.raises(DataError, match=r"has neither train\.csv nor val\.csv"):
        read(tmp_path)
    for name in ("val.csv", "validate.csv"):
        kinetics_list(tmp_path / name, SIZE, "val")
    with pytest.raises(DataError, match=r"several lists for test: \S+val\.csv, \S+validate\.csv"):
        read(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "videos"), [(400, 19906), (600, 30000)])
def test_official_validation_lists_have_their_published_counts(
    shared_data: Path, tmp_path: Path, size: int, videos: int
) -> None:
    lists = shared_data / "splits" / "kinetics"
    (tmp_path / "val.csv").symlink_to(lists / f"kinetics-{size}_val.csv")
    with (tmp_path / "val.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    here = rows[::10]
    stems = [f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}" for row in here]
    touch(tmp_path, *(f"val/{stem}.mp4" for stem in stems))
    catalog = read(tmp_path, size)
    assert (len(catalog.videos), len(catalog.missing), len(catalog.classes)) == (len(here), videos - len(here), size)
    labels = {video.path: catalog.classes[video.label or 0] for video in catalog.split("test")}
    assert labels == {f"val/{stem}.mp4": row["label"] for stem, row in zip(stems, here, strict=True)}
    if size == 400:
        official = (lists / "label_map_k400_i3d.txt").read_text().splitlines()
        assert list(catalog.classes) == official


def test_the_official_test_list_has_no_labels_and_is_not_read(shared_data: Path, tmp_path: Path) -> None:
    kinetics_tree(tmp_path, SIZE)
    (tmp_path / "test.csv").unlink()
    (tmp_path / "test.csv").symlink_to(shared_data / "splits" / "kinetics" / "kinetics-400_test.csv")
    assert len(read(tmp_path).videos) == 2 * SIZE
