"""The `ssv2` catalog: the official lists in both of their names, files as people keep them, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raysl.config.component import Chosen
from raysl.data.catalog import Catalog
from raysl.data.catalogs.ssv2 import SSv2Options, SSv2Reader
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.errors import DataError
from raysl.testing.data_set import touch

from .catalog_trees import ssv2_lists, ssv2_name, ssv2_tree, ssv2_videos
from .rendered import moving_square, write_video

LABELS, TRAIN, TEST = (f"something-something-v2-{name}.json" for name in ("labels", "train", "validation"))


def read(root: Path, **options: Any) -> Catalog:
    return SSv2Reader(SSv2Options(**options)).read(root)


@pytest.mark.parametrize("prefix", ["20bn-something-something-v2/", "20BN-Something-Something-v2/", "videos/", ""])
@pytest.mark.parametrize("suffix", [".webm", ".mp4"])
def test_finds_files_by_id_in_every_layout(tmp_path: Path, suffix: str, prefix: str) -> None:
    catalog = read(ssv2_tree(tmp_path, suffix=suffix, prefix=prefix))
    listed = sorted((label, int(video)) for split in ("train", "test") for video, label in ssv2_videos(split).items())
    assert [video.path for video in catalog.videos] == [f"{prefix}{video}{suffix}" for _, video in listed]
    assert catalog.missing == ()


def test_labels_are_the_official_ones_of_the_template_without_brackets(tmp_path: Path) -> None:
    catalog = read(ssv2_tree(tmp_path))
    assert catalog.classes == tuple(ssv2_name(label) for label in range(174))
    for split in ("train", "test"):
        assert {Path(video.path).stem: video.label for video in catalog.split(split)} == ssv2_videos(split)


def test_the_order_of_classes_is_that_of_the_indices(tmp_path: Path) -> None:
    expected = read(ssv2_tree(tmp_path))
    labels = json.loads((tmp_path / LABELS).read_text())
    (tmp_path / LABELS).write_text(json.dumps(dict(reversed(labels.items()))))
    assert read(tmp_path) == expected


@pytest.mark.parametrize("folder", ["labels", "annotations", "Labels"])
def test_the_lists_of_the_later_download_have_short_names_and_a_folder(tmp_path: Path, folder: str) -> None:
    expected = read(ssv2_tree(tmp_path / "first"))
    ssv2_lists(tmp_path / "later" / folder, prefix="")
    touch(tmp_path / "later", *(video.path for video in expected.videos))
    assert read(tmp_path / "later") == expected


def test_two_lists_of_one_kind_are_refused(tmp_path: Path) -> None:
    touch(ssv2_tree(tmp_path), "train.json")
    with pytest.raises(DataError, match=r"several lists of train: \S+-train\.json, \S+/train\.json; keep one"):
        read(tmp_path)


def test_classes_are_labelled_anew_in_the_official_order(tmp_path: Path) -> None:
    catalog = read(ssv2_tree(tmp_path), classes=[ssv2_name(100), ssv2_name(5)])
    assert catalog.classes == (ssv2_name(5), ssv2_name(100))
    assert [video.label for video in catalog.videos] == [0] * 3 + [1] * 3
    with pytest.raises(DataError, match=r"`classes` has 'Moving \[something\].*no class of it.*did you mean"):
        read(tmp_path, classes=["Moving [something] and number of something 100 times", ssv2_name(5)])


def test_missing_files_are_an_error_or_counted(tmp_path: Path) -> None:
    ssv2_tree(tmp_path)
    gone = list(ssv2_videos("train"))[:3]
    for video in gone:
        (tmp_path / f"20bn-something-something-v2/{video}.webm").unlink()
    with pytest.raises(DataError, match=r"3 of 522 listed videos .* in 2 classes, e\.g\. .*allow_missing"):
        read(tmp_path)
    catalog = read(tmp_path, allow_missing=True)
    assert {Path(path).stem for path in catalog.missing} == set(gone)


def test_lists_whose_files_are_all_absent_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"522 of 522 listed videos .*20bn-something-something-v2/, videos/ or the ro"):
        read(ssv2_lists(tmp_path), allow_missing=True)


def change(file: Path, edit: Callable[[Any], object]) -> None:
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


BAD_ENTRIES: dict[str, tuple[Callable[[list[Any]], object], str]] = {
    "no template": (lambda rows: rows[1].pop("template"), "has not both an id and a template"),
    "a number for an id": (lambda rows: rows[1].update(id=7), "has not both an id and a template"),
    "no object": (lambda rows: rows.insert(1, "7"), "has not both an id and a template"),
    "a path": (lambda rows: rows[1].update(id="videos/7"), "the id 'videos/7' is no number"),
    "an unknown template": (
        lambda rows: rows[1].update(template="Moving [something] and [number of] [something] 7 times"),
        "there is no label 'Moving something and number of something 7 times'.*did you mean",
    ),
    "half a bracket": (lambda rows: rows[1].update(template="Moving [something"), "a bracket without another"),
    "twice": (lambda rows: rows.insert(1, rows[0]), "was listed before, for test"),
    "in both lists": (lambda rows: rows[1].update(id="1"), "was listed before, for train"),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_bad_entries_name_file_and_number(tmp_path: Path, name: str) -> None:
    edit, message = BAD_ENTRIES[name]
    change(ssv2_tree(tmp_path) / TEST, edit)
    with pytest.raises(DataError, match=rf"{TEST}, entry 2: .*{message}"):
        read(tmp_path)


BAD_LABELS: dict[str, tuple[str, str]] = {
    "a number": ('{"a": "0", "b": 1}', "entry 2: 'b': 1 is not an index as text"),
    "a negative": ('{"a": "-1"}', "entry 1: 'a': '-1' is not an index as text"),
    "too large": ('{"a": "174"}', "entry 1: 'a': '174' is not a new name with a new index below 174"),
    "an index twice": ('{"a": "0", "b": "0"}', "entry 2: 'b'.* is not a new name with a new index"),
    "a name twice": ('{"a": "0", "a": "1"}', "entry 2: 'a'.* is not a new name with a new index"),
    "too few": ('{"a": "0"}', "has 1 classes, not 174"),
    "an array": ('["a"]', "is not a JSON object of names and indices"),
    "cut short": ('{"a": ', "cannot be read"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
def test_bad_labels_are_refused(tmp_path: Path, name: str) -> None:
    content, message = BAD_LABELS[name]
    (ssv2_tree(tmp_path) / LABELS).write_text(content)
    with pytest.raises(DataError, match=rf"{LABELS}.*{message}.*official lists"):
        read(tmp_path)


@pytest.mark.parametrize("name", [LABELS, TRAIN, TEST])
def test_an_absent_list_is_one_error(tmp_path: Path, name: str) -> None:
    (ssv2_tree(tmp_path) / name).unlink()
    with pytest.raises(DataError, match=rf"the list \S+{name} is absent; put the official lists"):
        read(tmp_path)


def decoded(root: Path, suffix: str, write: Callable[[Path, int], object]) -> VideoSource:
    """Two classes, of which each video is written."""
    ssv2_lists(root / "labels", prefix="")
    videos = [video for split in ("train", "test") for video, label in ssv2_videos(split).items() if label in (0, 5)]
    for number, video in enumerate(videos):
        write(root / f"20bn-something-something-v2/{video}{suffix}", number)
    data = Chosen("data set", "ssv2", SSv2Options(classes=[ssv2_name(0), ssv2_name(5)]))
    return open_source(data, Places({"ssv2": root}, root / "cache"), resize=32)


def test_small_videos_are_decoded(tmp_path: Path) -> None:
    source = decoded(tmp_path, ".mp4", lambda file, number: write_video(file, moving_square(9 + number)))
    assert sorted(source.length(video.index) for video in source.catalog.videos) == [9, 10, 11, 12, 13, 14]
    assert source.manifest.unreadable() == {}
    assert source.frames(0, [0, 8]).shape == (2, 3, 32, 42)


def test_a_real_video_is_decoded(shared_data: Path, tmp_path: Path) -> None:
    """VP9 in WebM, whose header says no number of frames. (PyAV cannot write it where decord is loaded.)"""
    clip = shared_data / "clips" / "smth-smth-1.webm"
    (tmp_path / "20bn-something-something-v2").mkdir()
    source = decoded(tmp_path, ".webm", lambda file, number: file.symlink_to(clip))
    assert {source.length(video.index) for video in source.catalog.videos} == {47}


@pytest.mark.slow
def test_official_lists_have_their_published_counts(shared_data: Path, tmp_path: Path) -> None:
    lists = shared_data / "splits" / "ssv2"
    rows = json.loads((lists / TEST).read_text())
    labels = json.loads((lists / LABELS).read_text())
    for name in (LABELS, TEST):
        (tmp_path / name).symlink_to(lists / name)
    (tmp_path / TRAIN).write_text(json.dumps([{**rows[0], "id": "999999"}]))
    touch(tmp_path, "videos/999999.webm", *(f"videos/{row['id']}.webm" for row in rows))
    catalog = read(tmp_path)
    assert (len(catalog.split("test")), len(catalog.classes)) == (24777, 174)
    official = {row["id"]: int(labels[row["template"].replace("[", "").replace("]", "")]) for row in rows}
    assert {Path(video.path).stem: video.label for video in catalog.split("test")} == official
