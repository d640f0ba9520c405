"""Long tables that processes share."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.data.catalog import Catalog, Video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.packed import LEAST, TOGETHER, Packed, packed, unpacked
from raysl.data.source import VideoSource


def source_of(count: int) -> VideoSource:
    videos = tuple(Video(index, f"{index}.mp4", index % 7, "train") for index in range(count))
    rows = tuple(
        ManifestRow(video.path, 10 + video.index % 5, 0, (0, 3), 32, 48, 25.0, f"{video.index:x}", True)
        for video in videos
    )
    cache = FrameCache(Path("nowhere"), 32, 0)
    return VideoSource(Catalog("many", ("a",), videos), Manifest("many", rows), Path("nowhere"), cache)


@pytest.mark.parametrize("count", [LEAST, LEAST + TOGETHER - 1])
def test_records_are_what_they_were(count: int) -> None:
    source = source_of(count)
    with packed(source) as content:
        assert len(content) < 100 * count, "the records are not in it"
        found = unpacked(content)
    videos, rows = found.catalog.videos, found.manifest.rows
    assert isinstance(videos, Packed)
    assert tuple(videos) == source.catalog.videos, "the file is gone, and still mapped"
    assert tuple(rows) == source.manifest.rows
    assert found.snapshot.catalog.videos is videos, "one table stays one"
    assert len(videos) == count
    for index in (0, TOGETHER, count - 1, -1, -count):
        assert videos[index] == source.catalog.videos[index]
    assert videos[TOGETHER - 1 : 3 * TOGETHER : 5] == source.catalog.videos[TOGETHER - 1 : 3 * TOGETHER : 5]
    for outside in (count, -count - 1):
        with pytest.raises(IndexError):
            videos[outside]
    assert found.length(3) == source.length(3)
    assert found.readable("train") == source.readable("train")


def test_short_tables_and_other_tuples_are_copied() -> None:
    source = source_of(LEAST - 1)
    with packed((source, tuple(range(LEAST)))) as content:
        found, numbers = unpacked(content)
    assert found.catalog.videos == source.catalog.videos
    assert numbers == tuple(range(LEAST))
