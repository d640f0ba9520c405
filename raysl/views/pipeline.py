"""From one video to its named views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.streams import stream
from raysl.views.augmentation import Augmentation
from raysl.views.batch import View
from raysl.views.clip_input import network_input
from raysl.views.pair_sampler import pair_sampler
from raysl.views.placement import Placement, uniform_start
from raysl.views.temporal import augment_in_time
from raysl.views.window_sampler import window_sampler

PAIR_VIEWS = ("query", "key")
SUPERVISED_VIEWS = ("query",)
"""One clip at a uniform random place, by a draw of its own: no pair sampler moves it."""


class Origin(NamedTuple):
    """Where in its video the clip of a view came from; as in `View`."""

    video: int
    center: float
    box: tuple[float, float, float, float]
    rate: float
    distortion: float


class ViewPipeline:
    """Placement, frames, augmentation and normalisation of the views that were asked for.

    Every draw is keyed by (seed, epoch, video, view, purpose): no other video, worker or view moves it.

    Args:
        cell: gives clip, samplers, augmentation and seed.
        source: of the pretraining set.
        view_names: of ``query``, ``key`` and those of the windows; supervised pretraining has ``query`` alone.

    Raises:
        ConfigError: nothing makes a view of this name.
    """

    def __init__(self, cell: CellConfig, source: VideoSource, view_names: Sequence[str]) -> None:
        self.windows = window_sampler(cell)
        made = SUPERVISED_VIEWS if cell.pretraining == "supervised" else PAIR_VIEWS
        made = (*made, *(() if self.windows is None else self.windows.view_names))
        for name in view_names:
            if name not in made:
                raise ConfigError(
                    f"nothing makes a view {name!r}; there are {', '.join(made)}"
                    + ("" if self.windows is not None else " (sampling.windows makes others)")
                )
        self.seed = cell.training.seed
        self.clip = cell.clip
        self.source = source
        self.view_names = tuple(view_names)
        self._placed_clip, self._temporal = cell.placed_clip, cell.temporal
        self.pair = pair_sampler(cell)
        if self.pair is None and cell.pretraining != "supervised" and not set(PAIR_VIEWS).isdisjoint(view_names):
            raise ConfigError("sampling.pair is required: it says where the two clips of a video come from")
        self.augmentation: Augmentation = cell.augment.build(cell.clip)

    def __call__(self, video: int, epoch: int, out: Mapping[str, Tensor]) -> dict[str, Origin]:
        """Writes the views of one video in one epoch.

        Args:
            out: by view, ``[3, T, size, size]`` float32, the row of the batch that takes the clip as the network
                reads it. (A batch made of such rows is touched once: memory new to the process costs as much as
                the normalisation.)

        Raises:
            DataError: the video cannot be read.
        """
        length = self.source.length(video)
        placements = self._placements(video, epoch, length)
        # Each placement once: copies of a clip, and pairs at one place, have the same frames.
        asked = list(dict.fromkeys(placements[name] for name in self.view_names))
        clips = self.source.clips(video, [placement.indices(length) for placement in asked])
        frames = dict(zip(asked, clips, strict=True))
        origins: dict[str, Origin] = {}
        for name in self.view_names:
            placement = placements[name]
            generator = stream(self.seed, epoch, video, name, "augmentation")
            clip, box = self.augmentation(frames[placement], generator, name)
            network_input(clip, self.clip.input, out=out[name])
            origins[name] = Origin(video, placement.center(length), box, placement.rate, placement.distortion)
        return origins

    def _placements(self, video: int, epoch: int, length: int) -> dict[str, Placement]:
        placements = {
            name: augment_in_time(
                placement, self._temporal, self.clip.raw_frames, stream(self.seed, epoch, video, name, "temporal")
            )
            for name, placement in self._raw_placements(video, epoch, length).items()
        }
        if self.windows is not None:
            placements |= self.windows.place(length, stream(self.seed, epoch, video, "windows", "placement"))
        return placements

    def _raw_placements(self, video: int, epoch: int, length: int) -> dict[str, Placement]:
        """Of the views that augmentation in time takes its frames from."""
        if self.pair is not None:
            return self.pair.place(length, stream(self.seed, epoch, video, "pair", "placement"))
        clip = self._placed_clip
        start = uniform_start(length, clip, stream(self.seed, epoch, video, "query", "placement"))
        return {"query": Placement(start, clip.raw_frames, clip.stride)}

    def empty(self, size: int) -> dict[str, Tensor]:
        """By view, room for the clips of a batch: ``[size, 3, T, size, size]``, not initialised."""
        clip = self.clip
        return {name: torch.empty(size, 3, clip.frames, clip.size, clip.size) for name in self.view_names}


def collate(clips: Tensor, origins: Sequence[Origin]) -> View:
    """``[B, 3, T, size, size]`` and where its rows came from, as a `View`."""
    return View(
        clips=clips,
        video=torch.tensor([origin.video for origin in origins], dtype=torch.int64),
        center=torch.tensor([origin.center for origin in origins], dtype=torch.float32),
        box=torch.tensor([origin.box for origin in origins], dtype=torch.float32),
        rate=torch.tensor([origin.rate for origin in origins], dtype=torch.float32),
        distortion=torch.tensor([origin.distortion for origin in origins], dtype=torch.float32),
    )
