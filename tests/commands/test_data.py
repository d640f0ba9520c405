"""``raysl data check``: which data set is meant, what is printed, and what is written."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from raysl.commands.data import chosen_set, clip_span, print_check
from raysl.commands.terminal import PlainConsole
from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.errors import ConfigError, DataError
from tests.data.rendered import moving_square, write_short, write_video
from tests.planning.studies import SEARCH, STUDY, write_study

SETS = """
datasets:
  mine: {name: folder, split: folds, folds: 2, group: '^(.)'}
  other: {name: folder, split_seed: 3}
"""
NAMED = STUDY.replace("linear/synthetic, retrieval/synthetic", "linear/mine, retrieval/other") + SETS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of four clips of two persons each; one is broken, one appears twice."""
    folder = tmp_path / "root"
    for label, name in enumerate(("run", "walk")):
        for number, clip in enumerate(("a1", "a2", "b1", "b2")):
            write_video(folder / name / f"{clip}.mp4", moving_square(8, seed=10 * label + number))
    (folder / "run" / "b2.mp4").write_bytes(b"")
    (folder / "walk" / "b1.mp4").write_bytes((folder / "run" / "a1.mp4").read_bytes())
    return folder


def printed(data: Chosen, root: Path, **given: Any) -> str:
    console = PlainConsole(width=160, record=True, quiet=False, file=(root.parent / "out").open("w"))
    print_check(data, Places({"folder": root}, root.parent / "cache"), 32, 1, console, **given)
    return console.export_text()


def test_the_split_by_class_with_groups(root: Path) -> None:
    text = printed(chosen_set("folder", ["group='^(.)'", "test_share=0.5"], None, None), root)
    assert "8 videos (train 4, test 4), 2 groups" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["class", "train", "test", "groups", "train", "groups", "test"] in lines
    assert ["run", "2", "2", "1", "1"] in lines
    assert ["walk", "2", "2", "1", "1"] in lines


def test_equal_contents_on_both_sides_are_said(root: Path) -> None:
    data = chosen_set("folder", ["group='^(.)'", "test_share=0.5"], None, None)
    text = printed(data, root)
    assert "equal, in two splits   2" in text
    assert "equal contents in two splits:\n  run/a1.mp4 (t" in text
    (root / "walk" / "b1.mp4").unlink()
    write_video(root / "walk" / "b1.mp4", moving_square(9, seed=77))
    assert "equal, in two splits   0" in printed(data, root)


def test_which_video_is_where(root: Path, tmp_path: Path) -> None:
    data = chosen_set("folder", ["group='^(.)'", "test_share=0.5"], None, None)
    assert f"8 videos: listed in {tmp_path / 'videos.csv'}" in printed(data, root, videos=tmp_path / "videos.csv")
    rows = list(csv.DictReader((tmp_path / "videos.csv").open()))
    assert [row["path"] for row in rows] == [f"{c}/{v}.mp4" for c in ("run", "walk") for v in ("a1", "a2", "b1", "b2")]
    assert {(row["group"], row["split"]) for row in rows} in (
        {("a", "test"), ("b", "train")},
        {("b", "test"), ("a", "train")},
    )
    assert [row["class"] for row in rows] == ["run"] * 4 + ["walk"] * 4
    assert [row["readable"] for row in rows] == ["yes"] * 3 + ["no"] + ["yes"] * 4
    assert rows[3]["reason"].startswith("cannot be opened")
    assert (rows[0]["frames"], rows[3]["frames"], rows[0]["fold"]) == ("8", "0", "")
    assert rows[0]["fingerprint"] == rows[6]["fingerprint"]


def test_open_folds_are_listed_by_fold(root: Path, tmp_path: Path) -> None:
    study = write_study(tmp_path, NAMED)
    text = printed(chosen_set("mine", [], study, None), root, videos=tmp_path / "videos.csv")
    assert "data set mine, read by folder: 8 videos (fold 1 4, fold 2 4), 2 groups" in text
    assert ["class", "fold", "1", "fold", "2", "groups", "fold", "1", "groups", "fold", "2"] in [
        line.split() for line in text.splitlines()
    ]
    rows = list(csv.DictReader((tmp_path / "videos.csv").open()))
    assert {(row["group"], row["fold"]) for row in rows} in ({("a", "1"), ("b", "2")}, {("a", "2"), ("b", "1")})
    assert {row["split"] for row in rows} == {""}
    assert "8 videos (train 4, test 4)" in printed(chosen_set("mine/2", [], study, None), root)


def test_many_folds_are_summed_up(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name, clips in (("run", 14), ("walk", 13)):
        for number in range(clips):
            write_video(root / name / f"{number:02d}.mp4", moving_square(2, 16, 16, seed=number))
    text = printed(chosen_set("folder", ["split=folds", "folds=13"], None, None), root)
    lines = [line.split() for line in text.splitlines()]
    assert ["class", "smallest", "fold", "largest", "fold"] in lines
    assert ["run", "1", "2"] in lines
    grouped = ["split=leave_one_group_out", "group='^([0-9]+)'", "classes=[run, walk]", "folds=14"]
    with pytest.raises(DataError, match="class walk"):
        printed(chosen_set("folder", ["split=folds", "folds=14"], None, None), root)
    lines = [line.split() for line in printed(chosen_set("folder", grouped, None, None), root).splitlines()]
    assert ["walk", "0", "1", "13"] in lines


@pytest.mark.slow
def test_many_videos_are_counted_and_not_all_named(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_short(root / "a" / "0.avi")
    for name in ("a", "b"):
        for number in range(15):
            (root / name).mkdir(exist_ok=True)
            (root / name / f"{number}.avi").write_bytes((root / "a" / "0.avi").read_bytes())
    text = printed(chosen_set("folder", [], None, None), root)
    assert text.count(": 24 of 40 frames") == 20
    assert "  and 10 more: --videos FILE has all" in text


def test_a_data_set_by_the_name_that_a_study_gives_it(tmp_path: Path) -> None:
    study = write_study(tmp_path, NAMED)
    mine, other = (chosen_set(name, [], study, None) for name in ("mine", "other"))
    assert (mine.name, mine.bound_name, mine.options.folds) == ("folder", "mine", 2)
    assert (other.bound_name, other.options.split_seed) == ("other", 3)
    assert chosen_set("other", ["split_seed=5"], study, None).options.split_seed == 5
    assert chosen_set("synthetic", [], study, None).options.classes == 4, "the study's own `data`"
    search = write_study(
        tmp_path,
        SEARCH.replace("seed: 7}", "seed: 7, data: mine/1}")
        + SETS.replace("  other: {name: folder, split_seed: 3}\n", ""),
    )
    assert chosen_set("mine", [], search, None).options.fold == 1


def test_videos_shorter_than_a_clip_of_the_study_are_named(tmp_path: Path, root: Path) -> None:
    """Four frames at a stride of two cover seven, and nine where a row's clips are of five."""
    study = write_study(tmp_path, NAMED)
    data = chosen_set("other", [], study, None)
    assert "below    7 frames      0\n" in printed(data, root, span=clip_span(study, None))
    longer = write_study(tmp_path, NAMED.replace("temperature: 0.5", "temperature: 0.5, clip.frames: 5"))
    text = printed(data, root, span=clip_span(longer, None))
    assert "below    9 frames      7\n" in text
    assert "run/a1.mp4: 8 frames" in text
    assert " frames      " not in printed(data, root), "without a study no clip is known"


def test_a_scale_and_its_substitutes(tmp_path: Path) -> None:
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text(
        "datasets: {tiny: {name: synthetic, classes: 3}}\nsubstitute: {mine: tiny}\n"
    )
    study = write_study(tmp_path, NAMED)
    assert chosen_set("tiny", [], study, "small").options.classes == 3
    with pytest.raises(ConfigError, match=r"reads no data set 'mine' \(valid: other, synthetic, tiny\)"):
        chosen_set("mine", [], study, "small")


def test_bad_names_and_files_are_refused(tmp_path: Path, root: Path) -> None:
    study = write_study(tmp_path, NAMED)
    with pytest.raises(ConfigError, match=r"study\.yaml reads no data set 'min' \(did you mean 'mine'\?\)"):
        chosen_set("min", [], study, None)
    with pytest.raises(ConfigError, match="fold 3 is out of range: there are 2 folds"):
        chosen_set("mine/3", [], study, None)
    with pytest.raises(ConfigError, match="unknown data set 'mine'"):
        chosen_set("mine", [], None, None)
    for option in ("videos", "missing"):
        with pytest.raises(DataError, match=rf"--{option} \S+: cannot be written"):
            printed(chosen_set("folder", [], None, None), root, **{option: tmp_path / "absent" / "file"})


def test_a_root_for_another_name_is_refused(root: Path, tmp_path: Path) -> None:
    data = chosen_set("mine", [], write_study(tmp_path, NAMED), None)
    with pytest.raises(ConfigError, match=r"--root min: this data set has another name \(did you mean 'mine'\?\)"):
        print_check(data, Places.find({"min": root}, tmp_path / "cache"), 32, 1, PlainConsole())
