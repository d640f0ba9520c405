"""The `diving48` catalog: the official lists as published, files as people keep them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raysl.data.catalog import Catalog
from raysl.data.catalogs.diving48 import Diving48Options, Diving48Reader
from raysl.errors import DataError
from raysl.testing.data_set import touch

from .catalog_trees import DIVING_LABELS, diving_lists, diving_name, diving_tree, diving_videos

TRAIN, TEST, VOCABULARY = "Diving48_V2_train.json", "Diving48_V2_test.json", "Diving48_vocab.json"


def read(root: Path, **options: Any) -> Catalog:
    return Diving48Reader(Diving48Options(**options)).read(root)


@pytest.mark.parametrize("prefix", ["rgb/", "videos/", "", "some/where/"])
@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_finds_files_by_stem_in_every_layout(tmp_path: Path, suffix: str, prefix: str) -> None:
    catalog = read(diving_tree(tmp_path, suffix=suffix, prefix=prefix))
    listed = sorted((label, name) for split in ("train", "test") for name, label in diving_videos(split).items())
    assert [video.path for video in catalog.videos] == [f"{prefix}{name}{suffix}" for _, name in listed]
    assert catalog.missing == ()


def test_labels_are_the_official_ones_without_the_empty_class(tmp_path: Path) -> None:
    catalog = read(diving_tree(tmp_path))
    assert catalog.classes == tuple(diving_name(label) for label in DIVING_LABELS)
    assert len(catalog.classes) == 47
    for split in ("train", "test"):
        found = {Path(video.path).stem: video.label for video in catalog.split(split)}
        assert found == {name: label - (label > 30) for name, label in diving_videos(split).items()}
    assert {video.group for video in catalog.videos} == {None}


def test_a_label_that_has_videos_is_kept(tmp_path: Path) -> None:
    """What is left out is not the number 30 but what no list uses (V1 has videos of it)."""
    diving_tree(tmp_path)
    change(tmp_path / TRAIN, lambda rows: rows[0].update(label=30))
    assert len(read(tmp_path).classes) == 48


def test_lists_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    expected = read(diving_tree(tmp_path / "flat"))
    diving_tree(tmp_path / "own")
    (tmp_path / "own/annotations").mkdir()
    for name in (TRAIN, TEST, VOCABULARY):
        (tmp_path / "own" / name).rename(tmp_path / "own/annotations" / name)
    assert read(tmp_path / "own") == expected


def test_without_a_vocabulary_classes_are_named_by_number(tmp_path: Path) -> None:
    named = read(diving_tree(tmp_path))
    (tmp_path / VOCABULARY).unlink()
    catalog = read(tmp_path)
    assert catalog.classes == tuple(f"{label:02d}" for label in DIVING_LABELS)
    assert catalog.videos == named.videos


def test_other_folders_do_not_count_where_the_videos_have_their_own(tmp_path: Path) -> None:
    name = next(iter(diving_videos("train")))
    catalog = read(touch(diving_tree(tmp_path), f"flow/{name}.mp4"))
    assert all(video.path.startswith("rgb/") for video in catalog.videos)


def test_classes_are_labelled_anew_in_the_official_order(tmp_path: Path) -> None:
    catalog = read(diving_tree(tmp_path), classes=[diving_name(40), diving_name(3)])
    assert catalog.classes == (diving_name(3), diving_name(40))
    assert [video.label for video in catalog.videos] == [0] * 3 + [1] * 3


@pytest.mark.parametrize("name", [diving_name(30), "Back_03som_NoTwis_FRE"])
def test_an_empty_or_unknown_class_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"`classes` has '{name}', which is no class of it"):
        read(diving_tree(tmp_path), classes=[name, diving_name(3)])


def test_missing_files_are_an_error_or_counted(tmp_path: Path) -> None:
    diving_tree(tmp_path)
    gone = list(diving_videos("train"))[:3]
    for name in gone:
        (tmp_path / f"rgb/{name}.mp4").unlink()
    with pytest.raises(DataError, match=r"3 of 141 listed videos .* in 2 classes, e\.g\. Back_00som.*allow_missing"):
        read(tmp_path)
    catalog = read(tmp_path, allow_missing=True)
    assert {Path(path).stem for path in catalog.missing} == set(gone)
    assert [video.index for video in catalog.videos] == list(range(138))


@pytest.mark.parametrize("allow_missing", [False, True])
def test_lists_whose_files_are_all_absent_are_an_error(tmp_path: Path, allow_missing: bool) -> None:
    with pytest.raises(DataError, match=r"141 of 141 listed videos .*looked in rgb/, videos/ or the root"):
        read(diving_lists(tmp_path), allow_missing=allow_missing)


def change(file: Path, edit: Callable[[list[Any]], object]) -> None:
    rows = json.loads(file.read_text())
    edit(rows)
    file.write_text(json.dumps(rows))


BAD_ENTRIES: dict[str, tuple[Callable[[list[Any]], object], str]] = {
    "no label": (lambda rows: rows[1].pop("label"), "is not {vid_name, label"),
    "a label that is text": (lambda rows: rows[1].update(label="1"), "is not {vid_name, label"),
    "a label that is true": (lambda rows: rows[1].update(label=True), "is not {vid_name, label"),
    "no object": (lambda rows: rows.insert(1, "name"), "is not {vid_name, label"),
    "a label too large": (lambda rows: rows[1].update(label=48), "label 48 is not one of 0 to 47"),
    "a negative label": (lambda rows: rows[1].update(label=-1), "label -1 is not"),
    "a path": (lambda rows: rows[1].update(vid_name="rgb/x"), "'rgb/x' is not the name of a file"),
    "a video not cut": (lambda rows: rows[1].update(start_frame=9), "starts at frame 9"),
    "twice": (lambda rows: rows.insert(1, rows[0]), "was listed before, for test"),
    "in both lists": (
        lambda rows: rows[1].update(vid_name=next(iter(diving_videos("train")))),
        "was listed before, for train",
    ),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_bad_entries_name_file_and_number(tmp_path: Path, name: str) -> None:
    edit, message = BAD_ENTRIES[name]
    change(diving_tree(tmp_path) / TEST, edit)
    with pytest.raises(DataError, match=rf"{TEST}, entry 2: .*{message}"):
        read(tmp_path)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "[1,"])
def test_lists_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    file = diving_tree(tmp_path) / TRAIN
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError, match=rf"the list \S+{TRAIN} .*official lists"):
        read(tmp_path)


@pytest.mark.parametrize(
    "edit",
    [
        lambda rows: rows.pop(),
        lambda rows: rows.append(["Back"]),
        lambda rows: rows.__setitem__(0, rows[1]),
        lambda rows: rows.__setitem__(0, "Back"),
        lambda rows: rows.__setitem__(0, ["Back", 1]),
        lambda rows: rows.__setitem__(0, ["Back/Forward"]),
    ],
)
def test_another_vocabulary_is_refused(tmp_path: Path, edit: Callable[[list[Any]], object]) -> None:
    change(diving_tree(tmp_path) / VOCABULARY, edit)
    with pytest.raises(DataError, match=rf"{VOCABULARY} does not hold 48 different"):
        read(tmp_path)


@pytest.mark.slow
def test_official_lists_have_their_published_counts(shared_data: Path, tmp_path: Path) -> None:
    lists = shared_data / "splits" / "diving48"
    (tmp_path / "annotations").symlink_to(lists)
    rows = {split: json.loads((lists / f"Diving48_V2_{split}.json").read_text()) for split in ("train", "test")}
    (tmp_path / "rgb").mkdir()
    for row in (*rows["train"], *rows["test"]):
        (tmp_path / "rgb" / f"{row['vid_name']}.mp4").touch()
    catalog = read(tmp_path)
    assert (len(catalog.split("train")), len(catalog.split("test")), len(catalog.classes)) == (15027, 1970, 47)
    assert "Forward_Dive_NoTwis_STR" not in catalog.classes
    vocabulary = ["_".join(words) for words in json.loads((lists / VOCABULARY).read_text())]
    official = {row["vid_name"]: row["label"] for side in rows.values() for row in side}
    for video in catalog.videos:
        assert video.label is not None
        assert catalog.classes[video.label] == vocabulary[official[Path(video.path).stem]]
    assert {video.label for video in catalog.split("test")} == set(range(47))
