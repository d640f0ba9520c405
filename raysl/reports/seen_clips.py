"""The clips that networks see in training, of a video that is on this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raysl.config.cell import CellConfig
from raysl.data.places import Places
from raysl.data.resize import resize_frames
from raysl.errors import RayslError
from raysl.reports.thumbnails import known_source
from raysl.views.training_videos import training_videos, trains_boxes

if TYPE_CHECKING:
    from torch import Tensor

    from raysl.data.source import VideoSource
    from raysl.views.pipeline import ViewPixels

SHORT_SIDE = 40
"""Pixels; larger frames are reduced."""
SHOWN = 8
"""Frames shown of a clip, evenly spaced: enough to see motion; a picture takes some kB."""
FIRST_EPOCH = 0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeenClip:
    """One view of a video.

    Attributes:
        view: its name.
        indices: of the video's frames that are shown.
        decoded: these frames, ``[n, h, w, 3]`` uint8.
        augmented: the same, after augmentation and pretext tasks, ``[n, size, size, 3]`` uint8; a task may change their
            order. Before frames are subtracted and normalised.
        box: the crop, (top, left, height, width) as shares of the frame.
    """

    view: str
    indices: tuple[int, ...]
    decoded: NDArray[np.uint8]
    augmented: NDArray[np.uint8]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class SeenVideo:
    """The first training video of a cell, as its network sees it in the first epoch."""

    path: str
    seed: int
    clips: tuple[SeenClip, ...]


@dataclass
class SeenClips:
    """Finds the clips that rows of a study see, by the draws of training; nothing is written.

    Attributes:
        cells: from row to its configuration and the name of its folder in the store, ``<id>-<hash of its data>``.
        places: None: no video is found.
    """

    cells: Mapping[str, tuple[CellConfig, str]]
    places: Places | None
    _sources: dict[tuple[str, int], VideoSource | None] = field(default_factory=dict)

    def __call__(self, row: str) -> SeenVideo | None:
        """None if the row trains on no clips, or if this machine does not have its data as it was in training."""
        config, folder = self.cells.get(row, (None, ""))
        if self.places is None or config is None or config.pretraining == "none" or trains_boxes(config):
            return None
        source = self._source(config, folder.rpartition("-")[2])
        if source is None:
            return None
        from raysl.planning.cost import objective_on_meta  # import PyTorch
        from raysl.views.pipeline import ViewPipeline

        try:
            videos = training_videos(config, source)
            names = objective_on_meta(config, len(videos), max(2, len(source.catalog.classes))).view_names
            clips = tuple(map(_shown, ViewPipeline(config, source, names).seen(videos[0], FIRST_EPOCH)))
        except RayslError as error:
            _log.warning("pictures of clips left out: %s", error)
            return None
        return SeenVideo(source.catalog.videos[videos[0]].path, config.training.seed, clips)

    def _source(self, config: CellConfig, data_hash: str) -> VideoSource | None:
        key = (data_hash, config.clip.resize)
        if key not in self._sources:
            assert self.places is not None
            source = known_source(config.data, self.places, config.clip.resize)
            fits = source is not None and source.snapshot.hashes.pretraining(config.pretraining) == data_hash
            self._sources[key] = source if fits else None
        return self._sources[key]


def _shown(seen: ViewPixels) -> SeenClip:
    frames = len(seen.indices)
    chosen = [round(index * (frames - 1) / max(1, min(SHOWN, frames) - 1)) for index in range(min(SHOWN, frames))]
    augmented = (seen.clip[:, chosen].transpose(0, 1) * 255).round().clamp(0, 255).byte()
    indices = tuple(seen.indices[index] for index in chosen)
    return SeenClip(seen.name, indices, _picture(seen.frames[chosen]), _picture(augmented), seen.origin.box)


def _picture(frames: Tensor) -> NDArray[np.uint8]:
    """``[n, 3, h, w]`` uint8 as ``[n, h, w, 3]``, no larger than `SHORT_SIDE`."""
    small = frames if min(frames.shape[-2:]) <= SHORT_SIDE else resize_frames(frames, SHORT_SIDE)
    found: NDArray[np.uint8] = small.permute(0, 2, 3, 1).contiguous().numpy()
    return found
