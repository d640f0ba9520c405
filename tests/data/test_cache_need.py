"""What the cache would take is said before it is filled, from manifests or from headers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from raysl.config.component import Chosen
from raysl.data import cache_need
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.frame_cache import FrameCache
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.notes import heard
from tests.data.rendered import write_set

DATA = Chosen("data set", "folder", FolderOptions(labels="none"))
VIDEO = 30 * 3 * 24 * 32
"""Bytes of the first video of `write_set` at a short side of 24; each of the others has a frame more."""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    write_set(tmp_path / "root", videos=4)
    return Places({"folder": tmp_path / "root"}, tmp_path / "cache")


def notes_of(places: Places, fill: bool = True) -> list[str]:
    notes: list[str] = []
    with heard(notes.append):
        open_source(DATA, places, resize=24, fill=fill)
    return notes


def test_a_set_that_fits_is_not_worth_a_line(places: Places) -> None:
    assert notes_of(places) == []


def test_a_large_set_is_said_before_its_frames_are_decoded(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_need, "SMALL", VIDEO)
    (note,) = notes_of(places)
    assert note == "folder at short side 24: about 0.00029 GB of frames, the cache may have 20 GB: all of the videos"
    (note,) = notes_of(places)
    assert note.startswith("folder at short side 24: 0.00029 GB of frames")


def test_a_set_that_does_not_fit_is_said_with_what_to_do(places: Places) -> None:
    few = replace(places, cache_gigabytes=2.2 * VIDEO / 1e9)
    first, again = notes_of(few), notes_of(few)
    for notes, about in ((first, "about "), (again, "")):
        assert f"folder at short side 24: {about}0.00029 GB of frames, the cache may have 0.00015 GB" in notes[0]
        assert ": 5" in notes[0]
        assert "the others are decoded at every step: give the cache more (--cache-gigabytes), or" in notes[0]
        assert "raysl data prepare folder" in notes[0]
    assert notes_of(few, fill=False) == []
    assert notes_of(replace(places, cache_gigabytes=0)) == []


def test_what_other_sets_take_is_not_left_for_it(places: Places, tmp_path: Path) -> None:
    write_set(tmp_path / "other", videos=1)
    budget = replace(places, cache_gigabytes=2.2 * VIDEO / 1e9)
    (tmp_path / "other" / "some folder" / "v 0.mp4").rename(tmp_path / "other" / "x.mp4")
    source = open_source(DATA, replace(budget, roots={"folder": tmp_path / "other"}), resize=16)
    assert source.cache.holds(source.manifest.rows[0])
    cache = FrameCache(places.cache / "frames", 24, int(budget.cache_gigabytes * 1e9))
    opened = open_source(DATA, replace(places, cache_gigabytes=0), resize=24)
    found = cache_need.cache_need(opened.catalog, opened.root, cache, opened.manifest)
    assert found.exact
    assert found.need == sum(cache.bytes_of(row) for row in opened.manifest.rows)
    assert found.may == cache.budget.budget_bytes - 30 * 3 * 16 * 21
    assert "0.00012 GB of it for this set: 42 %" in found.text()


def test_headers_that_say_nothing_are_left_out(places: Places, tmp_path: Path) -> None:
    (tmp_path / "root" / "some folder" / "broken.mp4").write_bytes(b"no video")
    few = replace(places, cache_gigabytes=1e-6)
    (note, *_) = notes_of(few)
    assert "about 0.00036 GB" in note
