"""Video files as they were named, without a data set: a catalog of one split, without labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from raysl.data.catalog import Catalog, Video
from raysl.data.catalogs.files import VIDEO_SUFFIXES, as_text, walk
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest import Progress, build_manifest
from raysl.data.places import Places
from raysl.data.source import VideoSource
from raysl.errors import DataError

NAME = "videos"
SPLIT = "all"


def open_videos(
    videos: Sequence[str | Path],
    places: Places,
    *,
    resize: int,
    processes: int | None = 1,
    progress: Progress | None = None,
) -> tuple[VideoSource, list[str]]:
    """Reads files and folders of videos. Frames are as data sets give them, and none is put into the cache.

    Args:
        videos: files, and folders of which every video is read, in the order of their paths; a file that is named
            twice counts once.
        places: the cache keeps what decoding found out of each file.
        resize: short side of the frames in pixels.
        processes: that decode; None: as many as this process may use CPUs.
        progress: called with the number of videos done and of all.

    Returns:
        The source, whose catalog has one split, `SPLIT`; and each video's path as it was given, below its folder.

    Raises:
        DataError: a path that is neither a file nor a folder, a folder without videos, or no path at all.
    """
    named: dict[Path, str] = {}
    for given in videos:
        for file, shown in _files(Path(given).expanduser()):
            named.setdefault(file, shown)
    if not named:
        raise DataError("no video is given: name files, or folders of them")
    root = Path(os.path.commonpath([file.parent for file in named]))
    listed = (Video(index, file.relative_to(root).as_posix(), None, SPLIT) for index, file in enumerate(named))
    catalog = Catalog(NAME, (), tuple(listed))
    manifest = build_manifest(
        catalog, root, folder=places.cache / "manifests", processes=processes, fill=None, progress=progress
    )
    cache = FrameCache(places.cache / "frames", resize, 0)
    return VideoSource(catalog, manifest, root, cache), list(named.values())


def _files(given: Path) -> list[tuple[Path, str]]:
    """The files that a path stands for: where each lies, and how it is called."""
    place = given.absolute()
    if place.is_file():
        return [(place, str(given))]
    if not place.is_dir():
        raise DataError(f"{as_text(str(given))}: there is no such file or folder of videos")
    found = walk(place, place).videos
    if not found:
        suffixes = ", ".join(VIDEO_SUFFIXES[:6])
        raise DataError(f"{as_text(str(given))}: there is no video in this folder (a file called *{suffixes}, ...)")
    return [(place / path, str(given / path)) for path in found]
