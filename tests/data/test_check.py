from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from raysl.config.component import Chosen
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.check import check_catalog
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from tests.data.rendered import moving_square, write_set, write_short, write_video


@pytest.fixture
def source(tmp_path: Path) -> VideoSource:
    root = tmp_path / "root"
    write_set(root, videos=2, frames=31)
    write_video(root / "brief.mp4", moving_square(5))
    write_short(root / "cut.avi", claimed=40, frames=24)
    (root / "empty.mp4").touch()
    data = Chosen("data set", "folder", FolderOptions(labels="none"))
    return open_source(data, Places({"folder": root}, tmp_path / "cache"), resize=24, fill=False)


def test_counts(source: VideoSource) -> None:
    report = check_catalog(source, span=16)
    assert report.splits == {"train": 5}
    assert report.readable == 4
    assert report.short == {"cut.avi": (24, 40)}
    assert report.long == {}
    assert list(report.unreadable) == ["empty.mp4"]
    assert report.too_short == {"brief.mp4": 5}
    assert report.lengths == (5, 24, 31, 32)
    assert report.histogram == {(4, 7): 1, (8, 15): 0, (16, 31): 2, (32, 63): 1}
    assert report.cache_bytes == sum(report.lengths) * 3 * 24 * 32
    assert report.cached == 0


def test_the_cache_fills_to_the_size_that_was_reckoned(source: VideoSource, tmp_path: Path) -> None:
    data = Chosen("data set", "folder", FolderOptions(labels="none"))
    filled = open_source(data, Places({"folder": source.root}, tmp_path / "cache"), resize=24)
    report = check_catalog(filled)
    assert report.cached == 4
    assert report.cache_bytes == filled.cache.budget.scan()
    assert report.too_short == {}


def test_what_the_cache_cannot_hold_is_said(source: VideoSource) -> None:
    assert check_catalog(source).cache_share == 1
    assert "it may hold" not in check_catalog(source).text()
    source.cache.budget.budget_bytes = check_catalog(source).cache_bytes // 4
    text = check_catalog(source).text()
    assert "0 videos are in it; it may hold 25 % (--cache-gigabytes)" in text
    assert "raysl data prepare makes copies" in text


def test_the_text_names_what_is_wrong(source: VideoSource) -> None:
    source.catalog = replace(source.catalog, missing=("gone.avi",))
    text = check_catalog(source, span=16).text()
    for part in ("5 videos (train 5)", "empty.mp4: cannot be opened", "cut.avi: 24 of 40 frames", "gone.avi"):
        assert part in text
    assert "brief.mp4: 5 frames" in text
    assert "16-31" in text


def test_a_set_without_any_readable_video_has_a_report(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "empty.mp4").touch()
    data = Chosen("data set", "folder", FolderOptions(labels="none"))
    report = check_catalog(open_source(data, Places({"folder": root}, tmp_path / "cache"), resize=24), span=16)
    assert (report.readable, report.lengths, report.histogram) == (0, (), {})
    assert "unreadable             1" in report.text()
