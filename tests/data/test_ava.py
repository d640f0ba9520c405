"""The `ava` catalog: the official lists, films as people keep them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raysl.data.catalog import AnnotatedFrame, Catalog, Person
from raysl.data.catalogs.ava import EXCLUDED, NOT_EVALUATED, AVAOptions, AVAReader
from raysl.errors import DataError

from .catalog_trees import AVA_IDS, ava_lists, ava_tree, write_lines

ACTIONS = "ava_action_list_v2.2_for_activitynet_2019.pbtxt"


def read(root: Path, **options: Any) -> Catalog:
    return AVAReader(AVAOptions(**options)).read(root)


@pytest.mark.parametrize("prefix", ["videos/", "trimmed_videos/", "videos_15min/", "", "some/where/"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_finds_films_by_name_in_every_layout(tmp_path: Path, suffix: str, prefix: str) -> None:
    catalog = read(ava_tree(tmp_path, suffix=suffix, prefix=prefix))
    names = ["-aaaaaaaaaa", "bbbbbbbbbbb", "_ccccccccc_"]
    assert [video.path for video in catalog.videos] == [f"{prefix}{name}{suffix}" for name in names]
    assert [video.split for video in catalog.videos] == ["train", "train", "test"]
    assert {video.label for video in catalog.videos} == {None}


def test_people_with_several_actions_are_one_and_actions_that_are_not_evaluated_none(tmp_path: Path) -> None:
    catalog = read(ava_tree(tmp_path))
    assert catalog.classes == tuple(f"do (with {id_})" for id_ in AVA_IDS)
    first, second, third, *test = catalog.annotated
    assert first.people == (
        Person((0.002, 0.118, 0.714, 0.977), (AVA_IDS.index(79),)),
        Person((0.444, 0.054, 0.992, 0.990), (AVA_IDS.index(17),)),
    )
    assert (first.second, first.where) == (902.0, "ava: ava_train_v2.2.csv, line 1")
    assert second.people == (Person((0.0, 0.0, 1.0, 1.0), (0,)),)
    assert third.people == (Person((0.1, 0.2, 0.3, 0.4), ()),)
    assert [frame.second for frame in test] == [1797.0, 1798.0]
    assert catalog.notes[NOT_EVALUATED] == ("action 12: 1 boxes", "action 80: 1 boxes")


def test_excluded_timestamps_are_left_out_and_named(tmp_path: Path) -> None:
    assert read(ava_tree(tmp_path)).notes[EXCLUDED] == ("_ccccccccc_, second 950",)


def test_films_may_begin_at_a_second_of_their_own(tmp_path: Path) -> None:
    assert [frame.second for frame in read(ava_tree(tmp_path), first_second=900).annotated] == [2, 3, 4, 897, 898]


def test_detected_boxes_come_with_their_scores_also_where_nobody_is_annotated(tmp_path: Path) -> None:
    catalog = read(ava_tree(tmp_path, detected=True))
    empty, _, found = (frame for frame in catalog.annotated if catalog.videos[frame.video].split == "test")
    assert empty == AnnotatedFrame(2, 1700.0, (), (Person((0.5, 0.5, 0.9, 1.0), (), 0.5),))
    assert found.detected == (Person((0.11, 0.2, 0.3, 0.41), (), 0.95),)
    assert found.people[0].box == (0.1, 0.2, 0.3, 0.4)


def test_films_that_are_absent_are_an_error_or_counted(tmp_path: Path) -> None:
    (ava_tree(tmp_path) / "videos/-aaaaaaaaaa.mkv").unlink()
    with pytest.raises(DataError, match=r"1 of 3 listed films have no file .*e\.g\. train/-aaaaaaaaaa.*allow_missing"):
        read(tmp_path)
    catalog = read(tmp_path, allow_missing=True)
    assert catalog.missing == ("train/-aaaaaaaaaa.mp4",)
    assert next(catalog.videos[frame.video].path for frame in catalog.annotated) == "videos/bbbbbbbbbbb.mkv"
    with pytest.raises(DataError, match="3 of 3 listed films"):
        read(ava_lists(tmp_path / "lists"), allow_missing=True)


BAD_ROWS: dict[str, tuple[str, str]] = {
    "outside": ("x,0902,0.1,0.1,1.01,0.5,1,1", r"the box 0\.1,0\.1,1\.01,0\.5 is outside the frame"),
    "negative": ("x,0902,-0.1,0.1,0.5,0.5,1,1", "is outside the frame"),
    "no width": ("x,0902,0.5,0.1,0.5,0.5,1,1", "is empty"),
    "turned round": ("x,0902,0.1,0.5,0.5,0.1,1,1", "is empty"),
    "no number": ("x,0902,0.1,0.5,0.5,nan,1,1", "are not four numbers"),
    "no action": ("x,0902,0.1,0.1,0.5,0.5,,1", "the action '' is none of 1 to 80"),
    "an unknown action": ("x,0902,0.1,0.1,0.5,0.5,81,1", "the action '81' is none of 1 to 80"),
    "no time": ("x,,0.1,0.1,0.5,0.5,1,1", "is no film and second of it"),
    "no film": (",0902,0.1,0.1,0.5,0.5,1,1", "is no film and second of it"),
    "too few columns": ("x,0902,0.1,0.1,0.5,0.5,1", "has 7 columns, not 8"),
    "on both lists": ("_ccccccccc_,0902,0.1,0.1,0.5,0.5,1,1", "the film _ccccccccc_ is on the other list too"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_bad_rows_name_file_and_line(tmp_path: Path, name: str) -> None:
    row, message = BAD_ROWS[name]
    file = ava_tree(tmp_path) / "annotations/ava_train_v2.2.csv"
    file.write_text(file.read_text() + f"{row}\n")
    place = "ava_val_v2.2.csv, line 1" if name == "on both lists" else "ava_train_v2.2.csv, line 6"
    with pytest.raises(DataError, match=f"^ava: {place}: .*{message}"):
        read(tmp_path)


@pytest.mark.parametrize("score", ["", "1.2", "-0.1", "high"])
def test_bad_scores_name_file_and_line(tmp_path: Path, score: str) -> None:
    file = ava_tree(tmp_path, detected=True) / "annotations/ava_val_predicted_boxes.csv"
    write_lines(file, [f"x,0902,0.1,0.1,0.5,0.5,,{score}"])
    with pytest.raises(DataError, match=r"ava_val_predicted_boxes\.csv, line 1: the score .* no number from 0 to 1"):
        read(tmp_path)


BAD_ACTIONS: dict[str, tuple[Callable[[str], str], str]] = {
    "one less": (lambda text: text[: text.rindex("item")], "has 59 actions, not 60"),
    "no id": (lambda text: text.replace("id: 2\n", "", 1), "entry 2: .*has not both a name and an id"),
    "an id too large": (lambda text: text.replace("id: 2\n", "id: 81\n", 1), "entry 2: .*an id from 1 to 80"),
    "an id twice": (lambda text: text.replace("id: 2\n", "id: 1\n", 1), r"entry 2: do \(with 2\) was listed before"),
    "nothing": (lambda text: "", "has 0 actions"),
}


@pytest.mark.parametrize("name", BAD_ACTIONS)
def test_another_list_of_actions_is_refused(tmp_path: Path, name: str) -> None:
    change, message = BAD_ACTIONS[name]
    file = ava_tree(tmp_path) / "annotations" / ACTIONS
    file.write_text(change(file.read_text()))
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("name", [ACTIONS, "ava_train_v2.2.csv", "ava_val_excluded_timestamps_v2.2.csv"])
def test_an_absent_list_is_one_error(tmp_path: Path, name: str) -> None:
    (ava_tree(tmp_path) / "annotations" / name).unlink()
    with pytest.raises(DataError, match=rf"the list \S+{name} is absent; unpack the official"):
        read(tmp_path)
