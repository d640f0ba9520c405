"""Thumbnails of videos that are on this machine, as an evaluation read them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from raysl.config.component import Chosen
from raysl.data.frame_cache import FrameCache
from raysl.data.places import Places
from raysl.data.resize import resize_frames
from raysl.data.source import VideoSource, known_snapshot
from raysl.errors import RayslError

SHORT_SIDE = 36
"""Pixels."""
LATEST = 24
"""The picture is a video's middle frame, or this one if the middle is later: decoding begins at the start."""
_log = logging.getLogger(__name__)


def known_source(data: Chosen, places: Places, resize: int) -> VideoSource | None:
    """A data set that an earlier run on this machine has read, from the frame cache or decoded; writes nothing.

    Args:
        resize: short side of its frames, pixels.

    Returns:
        None if it was not read here, or its files are not here now.
    """
    known = known_snapshot(data, places)
    if known is None:
        return None
    return VideoSource(known.catalog, known.manifest, places.root(data), FrameCache(places.cache / "frames", resize, 0))


@dataclass
class Thumbnails:
    """Finds videos by evaluation and path. Only the pictures themselves are decoded, and nothing is written.

    Attributes:
        data: from evaluation label to the data sets that rows read under it.
        places: None: no picture is found.
        resize: short side of the frames that runs keep in the cache, pixels.
    """

    data: Mapping[str, Sequence[Chosen]]
    places: Places | None
    resize: int
    _sources: dict[tuple[str, str], tuple[VideoSource, dict[str, int]] | None] = field(default_factory=dict)
    _known: dict[tuple[str, str], NDArray[np.uint8] | None] = field(default_factory=dict)

    def __call__(self, label: str, snapshot: str, path: str) -> NDArray[np.uint8] | None:
        """``[height, width, 3]``; None if this machine does not have the video with the content that was read.

        Args:
            snapshot: hash of the data set as the evaluation read it.
        """
        if (snapshot, path) not in self._known:
            self._known[snapshot, path] = self._read(label, snapshot, path)
        return self._known[snapshot, path]

    def _read(self, label: str, snapshot: str, path: str) -> NDArray[np.uint8] | None:
        if (label, snapshot) not in self._sources:
            self._sources[label, snapshot] = self._open(label, snapshot)
        found = self._sources[label, snapshot]
        if found is None or path not in found[1]:
            return None
        source, index = found[0], found[1][path]
        try:
            frame = source.frames(index, [min(source.length(index) // 2, LATEST)])
        except (RayslError, IndexError) as error:
            _log.warning("picture left out: %s", error)
            return None
        small: NDArray[np.uint8] = resize_frames(frame, SHORT_SIDE)[0].permute(1, 2, 0).numpy()
        return small

    def _open(self, label: str, snapshot: str) -> tuple[VideoSource, dict[str, int]] | None:
        for chosen in self.data.get(label, ()) if self.places is not None else ():
            assert self.places is not None
            source = known_source(chosen, self.places, self.resize)
            if source is not None and source.snapshot.hashes.snapshot == snapshot:
                return source, {video.path: video.index for video in source.catalog.videos}
        return None
