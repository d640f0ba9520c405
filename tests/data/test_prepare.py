"""A folder of copies is a root of the same data set: complete, resumable, and told apart from the originals."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raysl.config.component import Chosen, find
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.catalogs.synthetic_boxes import SyntheticBoxesOptions
from raysl.data.places import Places
from raysl.data.prepare import Report, prepare
from raysl.data.prepare_folder import CopyFolder, prepared, prepared_line
from raysl.data.prepare_video import Copied, CopyOptions
from raysl.data.snapshot import DataHashes
from raysl.data.source import open_source
from raysl.errors import DataError
from raysl.notes import heard
from tests.data.catalog_trees import ucf_lists
from tests.data.rendered import moving_square, write_video

DATA = Chosen("data set", "folder", FolderOptions(test_share=0.5))
SMALL = CopyOptions(short_side=24, keyframe_every=4)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Two classes of three videos, one of them broken, beside a list."""
    root = tmp_path / "root"
    for label, name in enumerate(("run", "walk")):
        for number in range(3):
            write_video(root / name / f"{number}.avi", moving_square(8 + number, seed=10 * label + number), "mpeg4")
    (root / "walk" / "1.avi").write_bytes(b"no video")
    (root / "walk" / "notes.txt").write_text("by hand")
    return Places({"folder": root}, tmp_path / "cache")


def copies(places: Places, to: Path, options: CopyOptions = SMALL, data: Chosen = DATA) -> Report:
    return prepare([data], places, to, options, processes=1)


def test_the_folder_is_a_root_of_the_same_set(places: Places, tmp_path: Path) -> None:
    report = copies(places, tmp_path / "to")
    assert (report.videos, report.written, report.kept, report.lists) == (6, 6, 0, 1)
    assert list(report.as_they_are) == ["walk/1.avi"]
    assert report.bytes_in == sum(path.stat().st_size for path in (tmp_path / "root").rglob("*.avi"))
    assert report.bytes_out == sum(path.stat().st_size for path in (tmp_path / "to").rglob("*.avi"))
    before = open_source(DATA, places, resize=24)
    after = open_source(DATA, replace(places, roots={"folder": tmp_path / "to"}), resize=24)
    assert after.catalog == before.catalog
    assert [row.frames for row in after.manifest.rows] == [row.frames for row in before.manifest.rows]
    assert [row.rate for row in after.manifest.rows] == [row.rate for row in before.manifest.rows]
    assert after.manifest.unreadable() == before.manifest.unreadable()
    assert (tmp_path / "to" / "walk" / "notes.txt").read_text() == "by hand"


def test_results_of_copies_are_other_results(places: Places, tmp_path: Path) -> None:
    """Every hash that a cell's or an evaluation's folder is named by differs from that of the originals."""
    copies(places, tmp_path / "to")
    before = open_source(DATA, places, resize=24, fill=False).snapshot.hashes
    after = open_source(DATA, replace(places, roots={"folder": tmp_path / "to"}), resize=24, fill=False).snapshot.hashes
    for role in DataHashes.__dataclass_fields__:
        assert getattr(before, role) != getattr(after, role)


def test_finished_copies_are_kept(places: Places, tmp_path: Path) -> None:
    to = tmp_path / "to"
    copies(places, to)
    kept = (to / "run" / "0.avi").stat().st_mtime_ns
    (to / "run" / "1.avi").unlink()
    (to / "run" / "2.avi").write_bytes((to / "run" / "2.avi").read_bytes()[:-9])
    (to / "run" / ".77-0.avi.part").write_bytes(b"half")
    write_video(tmp_path / "root" / "walk" / "0.avi", moving_square(15, seed=3), "mpeg4")
    with (to / "prepared.jsonl").open("a") as journal:
        journal.write('{"stamp": [1')
    report = copies(places, to)
    assert (report.written, report.kept) == (3, 3)
    assert (to / "run" / "0.avi").stat().st_mtime_ns == kept
    assert not list(to.rglob("*.part"))
    after = open_source(DATA, replace(places, roots={"folder": to}), resize=24, fill=False)
    assert [row.frames for row in after.manifest.rows] == [8, 9, 10, 15, 0, 10]
    assert copies(places, to).kept == 6


def test_how_they_were_made_stands_in_the_folder(places: Places, tmp_path: Path) -> None:
    copies(places, tmp_path / "to")
    about = json.loads((tmp_path / "to" / "prepared.json").read_text())
    assert (about["dataset"], about["short_side"], about["keyframe_every"], about["quality"]) == ("folder", 24, 4, 20)
    assert about["complete"]
    assert str(tmp_path) not in json.dumps(about)
    ((_, read),) = about["catalogs"].items()
    assert (read["videos"], len(read["catalog"]), len(read["originals"])) == (6, 16, 16)
    found = prepared(tmp_path / "to")
    assert found is not None
    assert "short side 24, a keyframe every 4 frames, quality 20" in prepared_line(found)
    copies(places, tmp_path / "again")
    assert json.loads((tmp_path / "again" / "prepared.json").read_text()) == about
    assert prepared(tmp_path / "root") is None


def test_copies_that_a_study_would_enlarge_are_noted(places: Places, tmp_path: Path) -> None:
    copies(places, tmp_path / "to")
    small, notes = replace(places, roots={"folder": tmp_path / "to"}), list[str]()
    with heard(notes.append):
        open_source(DATA, small, resize=24, fill=False)
        assert notes == []
        open_source(DATA, small, resize=32, fill=False)
    assert [note for note in notes if "enlarged to 32" in note and "--short-side 32" in note]


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("root", "it is the root"),
        ("root/copies", "one of them lies in the other"),
        (".", "one of them lies in the other"),
        ("full", "it has other files"),
        ("file", "it is no folder"),
    ],
)
def test_a_folder_that_is_not_safe_is_refused(places: Places, tmp_path: Path, to: str, message: str) -> None:
    (tmp_path / "full").mkdir()
    for file in ("full/thesis.txt", "file"):
        (tmp_path / file).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=message):
        copies(places, tmp_path / to)
    assert sorted(tmp_path.rglob("*")) == before


def test_copies_are_not_mixed_and_not_copied(places: Places, tmp_path: Path) -> None:
    copies(places, tmp_path / "to")
    with pytest.raises(DataError, match="made with short_side 24, not 16"):
        copies(places, tmp_path / "to", CopyOptions(16, 4))
    with pytest.raises(DataError, match="copies of copies are worse"):
        copies(replace(places, roots={"folder": tmp_path / "to"}), tmp_path / "third")


def test_too_little_space_is_said_before_it_is_filled(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=10))
    with pytest.raises(DataError, match=r"4 more videos of .* need about .* has .* free: make room"):
        copies(places, tmp_path / "to")
    monkeypatch.undo()
    assert not (prepared(tmp_path / "to") or {})["complete"]
    assert copies(places, tmp_path / "to").kept == 2


def test_a_set_with_lists_elsewhere_has_them_in_its_folder(tmp_path: Path) -> None:
    root = tmp_path / "root"
    lists = ucf_lists(tmp_path / "lists", test=(1,), train=(8,))
    for file in ("testlist01.txt", "trainlist01.txt"):
        for line in (lists / file).read_text().splitlines():
            write_video(root / "UCF-101" / line.split()[0], moving_square(4, 16, 16), "mpeg4")
    component = find("data set", "ucf101")
    data = Chosen("data set", "ucf101", component.options())
    places = Places({"ucf101": root, "ucf101_lists": lists}, tmp_path / "cache")
    assert copies(places, tmp_path / "to", CopyOptions(16), data).lists == 3
    alone = Places({"ucf101": tmp_path / "to"}, tmp_path / "cache")
    assert alone.reader(data).read(tmp_path / "to").videos == places.reader(data).read(root).videos


def test_boxes_stay_on_their_frames(tmp_path: Path) -> None:
    options = SyntheticBoxesOptions(train=2, test=1, seconds=2, rate=4, height=48, width=64)
    data, places = Chosen("data set", "synthetic_boxes", options), Places({}, tmp_path / "cache")
    copies(places, tmp_path / "to", data=data)
    before = open_source(data, places, resize=24)
    after = open_source(data, replace(places, roots={"synthetic_boxes": tmp_path / "to"}), resize=24)
    assert after.catalog.annotated == before.catalog.annotated != ()
    rows = zip(after.manifest.rows, before.manifest.rows, strict=True)
    assert all((copy.frames, copy.rate) == (row.frames, row.rate) for copy, row in rows)


def test_two_at_once_are_refused(places: Places, tmp_path: Path) -> None:
    folder = CopyFolder(tmp_path / "to", "folder", SMALL)
    with folder.locked(), pytest.raises(DataError, match="another raysl data prepare works there"):
        copies(places, tmp_path / "to")
    assert copies(places, tmp_path / "to").written == 6


def test_a_folder_that_is_lost_meanwhile_is_said(tmp_path: Path) -> None:
    folder = CopyFolder(tmp_path / "to", "folder", SMALL)

    def lose() -> None:
        with folder.locked():
            shutil.rmtree(tmp_path / "to")
            folder.add((1, 2), 3, Copied("a.mp4", ""))

    with pytest.raises(DataError, match="cannot be written: No such file or directory; finished copies are kept"):
        lose()


def test_a_set_that_is_not_complete_is_said(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of someone else, whose list has a suffix that is not copied."""
    data = Chosen("data set", "folder", FolderOptions(test_share=0.5))
    reader = type(data.build())
    plain = reader.read

    def needs_list(self: Any, root: Path) -> Any:
        if not (root / "names.npy").is_file():
            raise DataError("names.npy is absent")
        return plain(self, root)

    monkeypatch.setattr(reader, "read", needs_list)
    (tmp_path / "root" / "names.npy").touch()
    with pytest.raises(DataError, match=r"not yet a root of 'folder': names.npy is absent; copy the files"):
        copies(places, tmp_path / "to")
    (tmp_path / "to" / "names.npy").touch()
    assert copies(places, tmp_path / "to").kept == 6
