"""Trees as people and other programs keep them: folders named as splits, mmaction2's trees, lists elsewhere, names."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raysl.config.component import Chosen
from raysl.data.catalog import Catalog, CatalogReader
from raysl.data.catalogs.diving48 import Diving48Options, Diving48Reader
from raysl.data.catalogs.folder import ALIKE, ALIKE_VIDEOS, TWINS, FolderOptions, FolderReader
from raysl.data.catalogs.hmdb51 import HMDB51Options, HMDB51Reader
from raysl.data.catalogs.kinetics import KineticsOptions, KineticsReader
from raysl.data.catalogs.listed import RENAMED, SEVERAL
from raysl.data.catalogs.ssv2 import SSv2Options
from raysl.data.catalogs.ucf101 import UCF101Options, UCF101Reader
from raysl.data.places import Places
from raysl.errors import DataError
from raysl.testing.data_set import touch

from .catalog_trees import (
    HMDB_CLASSES,
    diving_lists,
    diving_tree,
    hmdb_lists,
    hmdb_videos,
    kinetics_clips,
    kinetics_list,
    kinetics_tree,
    ssv2_tree,
    ucf_lists,
    ucf_tree,
    ucf_videos,
    write_lines,
)

SIZE = 6
AS_SPLITS = "folders named as splits"


def folder(root: Path, **options: Any) -> Catalog:
    return FolderReader(FolderOptions(**options)).read(root)


def ucf(root: Path, **options: Any) -> Catalog:
    return UCF101Reader(UCF101Options(**options)).read(root)


def sides(root: Path, *names: str) -> Path:
    """Two classes of two videos in each folder of these names."""
    return touch(root, *(f"{name}/{label}/{clip}.mp4" for name in names for label in ("dive", "swim") for clip in "xy"))


NAMED_AS_SPLITS = {
    "Train, Test": (("Train", "Test"), "Train", "Test"),
    "train, val": (("train", "val"), "train", "val"),
    "TRAINING, VALIDATION": (("TRAINING", "VALIDATION"), "TRAINING", "VALIDATION"),
    "training, testing": (("training", "testing"), "training", "testing"),
    "train, valid": (("train", "valid"), "train", "valid"),
    "train, val, test": (("train", "val", "test"), "train", "test"),
    "videos_train, videos_val": (("videos_train", "videos_val"), "videos_train", "videos_val"),
    "train_256, val_256": (("train_256", "val_256"), "train_256", "val_256"),
    "train2017, val2017": (("train2017", "val2017"), "train2017", "val2017"),
    "train01, test01": (("train01", "test01"), "train01", "test01"),
    "TrainVideos, TestVideos": (("TrainVideos", "TestVideos"), "TrainVideos", "TestVideos"),
    "UCFTrain, UCFTest": (("UCFTrain", "UCFTest"), "UCFTrain", "UCFTest"),
    "trainval, test": (("trainval", "test"), "trainval", "test"),
    "raw frames beside": (
        ("rawframes_train", "rawframes_val", "videos_train", "videos_val"), "videos_train", "videos_val"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMED_AS_SPLITS)
def test_folders_named_as_splits_are_splits_and_never_classes(tmp_path: Path, case: str) -> None:
    names, train, test = NAMED_AS_SPLITS[case]
    sides(tmp_path, *names)
    with pytest.raises(DataError, match=rf"has folders .*{names[-1]}.*; set `split: folders`"):
        folder(tmp_path)
    with pytest.raises(DataError, match="set `split: folders`"):
        folder(tmp_path, split="folds", folds=2, fold=1)
    catalog = folder(tmp_path, split="folders")
    assert catalog.classes == ("dive", "swim")
    for split, name in (("train", train), ("test", test)):
        assert {video.path.split("/")[0] for video in catalog.split(split)} == {name}
        assert len(catalog.split(split)) == 4
    (said,) = catalog.notes[AS_SPLITS]
    assert f"{train}/ is for training, {test}/ is for testing" in said
    assert ("val/ is not read" in said) == (len(names) == 3)


def test_a_split_of_old_is_read_as_before(tmp_path: Path) -> None:
    catalog = folder(sides(tmp_path, "train", "test"), split="folders")
    assert [video.path for video in catalog.videos][:2] == ["test/dive/x.mp4", "test/dive/y.mp4"]
    assert catalog.notes == {}


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("train", "Train", "val"), {"split": "folders"}, r"no folder train .*clearly the one .*Train, train, val"),
        (("train_a", "val_a", "train_b", "val_b"), {"split": "folders"}, r"clearly the one .*train_a, train_b"),
        (("val", "test"), {"split": "folders"}, "no folder train;"),
        (("dive/train", "dive/test", "swim/train", "swim/test"), {}, "each class folder of .*move them to root/train"),
        (
            ("dive/train", "dive/test", "swim/train", "swim/test", "run"),
            {},
            r"folders \(dive, swim, …\) of .*move them",
        ),
        (("train1", "test1", "train2", "test2"), {}, "folders test1, test2, train1 and train2; set `split: folders`"),
        (("set/train", "set/val"), {}, r"one class folder \(set\).*give \S+set as the root, with `split: folders`"),
    ],
)
def test_splits_that_cannot_be_read_are_refused_with_what_to_do(
    tmp_path: Path, names: tuple[str, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        folder(sides(tmp_path, *names), **options)


def test_without_labels_splits_are_pooled_and_that_is_said(tmp_path: Path) -> None:
    catalog = folder(sides(tmp_path, "Train", "Val"), labels="none")
    assert len(catalog.split("train")) == 8
    assert len(catalog.notes[AS_SPLITS]) == 2


def test_one_class_folder_may_be_named_as_a_split(tmp_path: Path) -> None:
    assert folder(touch(tmp_path, *(f"{name}/{clip}.mp4" for name in ("train", "bus") for clip in "xy"))).classes == (
        "bus",
        "train",
    )


def _mmaction_ucf(root: Path) -> Path:
    ucf_lists(root / "annotations")
    write_lines(root / "ucf101_train_split_1_videos.txt", ["Archery/v_Archery_g08_c01.avi 2"])
    return touch(root, *(f"videos/{stem}.avi" for stem in ucf_videos()), "rawframes/Archery/x/img_00001.jpg")


def _mmaction_hmdb(root: Path) -> Path:
    hmdb_lists(root / "annotations")
    return touch(root, *(f"videos/{name}/{stem}.avi" for name in HMDB_CLASSES for stem in hmdb_videos(name)))


def _mmaction_kinetics(root: Path) -> Path:
    for split in ("train", "val"):
        touch(root, f"annotations/kinetics_{split}.csv", "annotations/kinetics_test.csv")
        kinetics_list(root / f"annotations/kinetics_{split}.csv", SIZE, split)
        clips = kinetics_clips(SIZE, split).items()
        touch(root, *(f"videos_{split}/{label.replace(' ', '_')}/{stem}.mp4" for stem, (label, _) in clips))
    return root


TREES: dict[str, tuple[Callable[[Path], Path], CatalogReader, int]] = {
    "ucf101": (_mmaction_ucf, UCF101Reader(UCF101Options()), 24),
    "hmdb51": (_mmaction_hmdb, HMDB51Reader(HMDB51Options()), 9),
    "kinetics": (_mmaction_kinetics, KineticsReader(KineticsOptions(), SIZE), 2 * SIZE),
}


@pytest.mark.parametrize("name", TREES)
def test_the_trees_of_mmaction2(tmp_path: Path, name: str) -> None:
    make, reader, videos = TREES[name]
    catalog = reader.read(make(tmp_path))
    assert (len(catalog.videos), catalog.missing) == (videos, ())
    assert all(video.path.startswith("videos") for video in catalog.videos)


@pytest.mark.parametrize("name", TREES)
def test_the_lists_that_mmaction2_makes_are_refused_by_name(tmp_path: Path, name: str) -> None:
    _, reader, _ = TREES[name]
    touch(tmp_path, f"{name}_train_list_videos.txt", "videos/a/b.mp4")
    with pytest.raises(DataError, match=rf"\({name}_train_list_videos\.txt is a list of mmaction2, which is not"):
        reader.read(tmp_path)


def test_lists_in_another_letter_case(tmp_path: Path) -> None:
    kinetics_list(touch(tmp_path, "Annotations/Train.csv") / "Annotations/Train.csv", SIZE, "train")
    touch(tmp_path, *(f"{stem}.mp4" for stem in kinetics_clips(SIZE, "train")))
    assert len(KineticsReader(KineticsOptions(), SIZE).read(tmp_path).videos) == SIZE


def test_class_folders_that_look_the_same_are_named(tmp_path: Path) -> None:
    names = [unicodedata.normalize("NFC", "Café"), unicodedata.normalize("NFD", "Café"), "bar"]
    catalog = folder(touch(tmp_path, *(f"{name}/{clip}.mp4" for name in names for clip in "xy")))
    assert len(catalog.classes) == 3
    assert len(catalog.notes[ALIKE]) == 1


def test_videos_that_look_the_same_are_named(tmp_path: Path) -> None:
    accents = [unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")]
    touch(tmp_path, *(f"kick/{name}.mp4" for name in ("a", "A", *accents)), "kick/b.mp4", "kick/b.MP4")
    catalog = folder(touch(tmp_path, "jump/a.mp4", "jump/Take/1.mp4", "jump/take/1.avi"))
    look_alike = sorted(line.replace(" (train)", "").replace(" (test)", "") for line in catalog.notes[ALIKE_VIDEOS])
    assert look_alike == [
        "jump/Take/1.mp4, jump/take/1.avi",
        "kick/A.mp4, kick/a.mp4",
        f"kick/{accents[1]}.mp4, kick/{accents[0]}.mp4",
    ]
    assert len(catalog.notes[TWINS]) == 1


def test_a_listed_set_that_somebody_split_into_folders_says_how_it_is_read(tmp_path: Path) -> None:
    ucf_lists(tmp_path / "annotations")
    touch(tmp_path, *(f"{side}/{stem}.avi" for side in ("train", "test") for stem in ucf_videos()))
    with pytest.raises(DataError, match=r"24 of 24 .* \(test, train are named as splits: `data: folder` with `split: "):
        ucf(tmp_path)


def test_single_frames_are_refused_by_name(tmp_path: Path) -> None:
    ucf_lists(tmp_path / "annotations")
    touch(tmp_path, *(f"rawframes/{stem}/img_00001.jpg" for stem in ucf_videos()))
    with pytest.raises(DataError, match=r"24 of 24 .*rawframes/ holds single frames, which are not read"):
        ucf(tmp_path)
    touch(tmp_path / "f", "walk/v1/img_1.jpg", "walk/v1/img_2.jpg", "run/a.mp4", "run/b.mp4")
    with pytest.raises(DataError, match=r"walk holds no video .*, but 2 \.jpg; remove it"):
        folder(tmp_path / "f")
    touch(tmp_path / "g", "walk/v1/img_1.jpg", "run/v2/img_1.jpg", "run.zip")
    with pytest.raises(DataError, match=r"no video below \S+g, but 2 \.jpg, 1 \.zip; looked for"):
        folder(tmp_path / "g")


SETS: dict[str, tuple[Any, Callable[[Path], Path], Callable[[Path], Any]]] = {
    "ucf101": (UCF101Options, ucf_tree, lambda root: [*root.glob("ucfTrainTestlist/*")]),
    "diving48": (Diving48Options, diving_tree, lambda root: [*root.glob("*.json")]),
    "ssv2": (SSv2Options, ssv2_tree, lambda root: [*root.glob("*.json")]),
    "kinetics400": (KineticsOptions, kinetics_tree, lambda root: [*root.glob("*.csv")]),
}


@pytest.mark.parametrize("name", SETS)
def test_lists_may_lie_in_another_folder(tmp_path: Path, name: str) -> None:
    options, make, lists_of = SETS[name]
    data = Chosen("data set", name, options())
    make(tmp_path / "videos")
    places = Places({name: tmp_path / "videos"}, tmp_path)
    here = places.reader(data).read(places.root(data))
    for file in lists_of(tmp_path / "videos"):
        (tmp_path / "lists").mkdir(exist_ok=True)
        file.rename(tmp_path / "lists" / file.name)
    apart = Places({**places.roots, f"{name}_lists": tmp_path / "lists"}, tmp_path, given=(f"{name}-lists", "x-lists"))
    assert apart.reader(data).read(apart.root(data)) == here
    assert apart.unused([name]) == ["x-lists"]
    with pytest.raises(DataError):
        places.reader(data).read(places.root(data))


def test_a_folder_of_lists_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    places = Places({"folder": tmp_path, "folder_lists": tmp_path, "ucf101_lists": tmp_path / "no"}, tmp_path)
    with pytest.raises(DataError, match="'folder' has no official lists"):
        places.reader(Chosen("data set", "folder", FolderOptions()))
    with pytest.raises(DataError, match=r"'ucf101': the folder of its lists .*no does not exist"):
        places.reader(Chosen("data set", "ucf101", UCF101Options()))


def test_names_in_another_letter_case_are_matched_and_said(tmp_path: Path) -> None:
    ucf_lists(tmp_path / "ucftraintestlist")
    renamed = {stem: stem.replace("Handstand", "HandStand").replace("v_Archery", "V_archery") for stem in ucf_videos()}
    catalog = ucf(touch(tmp_path, *(f"ucf-101/{name}.avi" for name in renamed.values())))
    assert [video.path for video in catalog.videos] == [f"ucf-101/{name}.avi" for name in renamed.values()]
    assert len(catalog.notes[RENAMED]) == sum(stem != name for stem, name in renamed.items()) == 16
    assert catalog.missing == ()


def test_an_exact_name_goes_before_one_in_another_case_and_two_of_these_are_none(tmp_path: Path) -> None:
    first, second = (f"UCF-101/{stem}" for stem in ucf_videos()[:2])
    touch(ucf_tree(tmp_path), f"{first.lower().replace('ucf-101/applyeyemakeup', 'UCF-101/ApplyEyeMakeup')}.mp4")
    assert ucf(tmp_path).notes == {}
    (tmp_path / f"{second}.mp4").unlink()
    touch(tmp_path, f"{second.replace('v_', 'V_')}.mp4", f"{second.replace('_c', '_C')}.mp4")
    with pytest.raises(
        DataError, match=r"1 of 24 listed .*several files whose names differ .*V_Apply\S+_g01_c02\.mp4, .*_C02"
    ):
        ucf(tmp_path)
    catalog = ucf(tmp_path, allow_missing=True)
    assert (len(catalog.missing), len(catalog.notes[SEVERAL])) == (1, 1)


def test_clips_whose_ids_differ_in_case_alone_are_not_taken_for_each_other(tmp_path: Path) -> None:
    header = "label,youtube_id,time_start,time_end,split"
    write_lines(tmp_path / "train.csv", [header, "a,abcdefghijk,0,10,train", "b,ABCDEFGHIJK,0,10,train"])
    touch(tmp_path, "train/abcdefghijk_000000_000010.mp4")
    catalog = KineticsReader(KineticsOptions(), 2).read(tmp_path)
    assert [video.label for video in catalog.videos] == [0]
    assert catalog.missing == ("b/ABCDEFGHIJK_000000_000010.mp4",)


@pytest.mark.parametrize(("listed", "kept"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_another_unicode_form_are_matched(tmp_path: Path, listed: str, kept: Any) -> None:
    stem = unicodedata.normalize(listed, "Café_Ünder_climb_l_cm_np2_le_med_0")  # type: ignore[arg-type]
    hmdb_lists(tmp_path)
    write_lines(tmp_path / "climb_test_split1.txt", [f"{stem}.avi 1", "x_climb_l_cm_np2_le_med_1.avi 2"])
    found = unicodedata.normalize(kept, stem)
    touch(tmp_path, f"climb/{found}.avi", "climb/x_climb_l_cm_np2_le_med_1.avi")
    touch(tmp_path, *(f"{name}/{clip}.avi" for name in HMDB_CLASSES for clip in hmdb_videos(name)))
    catalog = HMDB51Reader(HMDB51Options()).read(tmp_path)
    assert f"climb/{found}.avi" in {video.path for video in catalog.videos}
    assert len(catalog.notes[RENAMED]) == 1


def test_class_folders_of_both_sides_may_differ_in_letter_case(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *(f"{side}/{clip}.mp4" for side in ("train/Run", "train/walk", "val/run", "val/Walk") for clip in "xy"),
    )
    catalog = folder(tmp_path, split="folders")
    assert catalog.classes == ("Run", "walk")
    assert [len(catalog.split(split)) for split in ("train", "test")] == [4, 4]
    assert catalog.notes[RENAMED] == ("walk: val/Walk/", "Run: val/run/")
    touch(tmp_path, "train/RUN/x.mp4")
    with pytest.raises(DataError, match="each class needs both"):
        folder(tmp_path, split="folders")


def test_classes_are_found_in_another_letter_case(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/{clip}.mp4" for name in ("Run", "Walk", "Sit", "SIT") for clip in "xy"))
    catalog = folder(tmp_path, classes=["run", "Walk"])
    assert (catalog.classes, catalog.notes[RENAMED]) == (("Run", "Walk"), ("run in `classes`: Run/",))
    with pytest.raises(DataError, match="several differ from it only in letter case: SIT, Sit"):
        folder(tmp_path, classes=["sit", "Walk"])


def test_diving_lists_below_annotations(tmp_path: Path) -> None:
    diving_lists(tmp_path / "annotations")
    touch(tmp_path, *(f"Videos/{path.name}" for path in (diving_tree(tmp_path / "other") / "rgb").iterdir()))
    assert Diving48Reader(Diving48Options()).read(tmp_path).missing == ()
