"""From one video to its named views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.streams import stream
from raysl.views.augmentation import Augmentation, Cropped, TwoStepAugmentation
from raysl.views.augmentation_options import Box
from raysl.views.batch import Unfinished, View
from raysl.views.clip_input import network_input, write_rgb
from raysl.views.kept_memory import KeptMemory
from raysl.views.pair_sampler import PLAYBACK, Pair, draw_rate, pair_samplers, placed_clips
from raysl.views.placement import Placement, uniform_start
from raysl.views.task_views import PixelChange, VideoPlan, check_conflicts, task_views
from raysl.views.temporal import augment_in_time
from raysl.views.window_sampler import window_sampler

PAIR_VIEWS = ("query", "key")
SUPERVISED_VIEWS = ("query",)
"""One clip at a uniform random position, drawn separately: no pair sampler changes it. Tasks may change it."""


class Origin(NamedTuple):
    """Where in its video the clip of a view comes from; as in `View`."""

    video: int
    center: float
    box: tuple[float, float, float, float]
    rate: float
    distortion: float


class LoadedBox(NamedTuple):
    """A person of a clip; as in `raysl.views.batch.Boxes`, with the classes of its actions."""

    box: tuple[float, float, float, float]
    actions: tuple[int, ...]
    key: int


class Loaded(NamedTuple):
    """One video in one epoch.

    Attributes:
        origins: by view.
        targets: answers for pretext tasks, by name.
        unfinished: by view, what `raysl.views.finish` has to do; empty: nothing.
        boxes: of the people in the clip, if boxes are trained on.
        dropped: number of people that the crop left out.
    """

    origins: dict[str, Origin]
    targets: dict[str, int]
    unfinished: dict[str, Unfinished]
    boxes: tuple[LoadedBox, ...] = ()
    dropped: int = 0


class ViewPixels(NamedTuple):
    """One view of one video.

    Attributes:
        name: of the view.
        indices: frames of the video.
        frames: decoded and resized, ``[T, 3, h, w]`` uint8.
        clip: augmented, before subtraction and normalisation, ``[3, T, size, size]`` float32 in [0, 1].
        origin: where it comes from.
    """

    name: str
    indices: tuple[int, ...]
    frames: Tensor
    clip: Tensor
    origin: Origin


class ViewPipeline:
    """Placement, frames, augmentation and normalisation of the requested views.

    Every draw is keyed by (seed, epoch, video, view, purpose): no other video, worker or view changes it.

    Args:
        cell: gives clip, samplers, augmentation and seed.
        source: of the pretraining set.
        view_names: among ``query``, ``key``, those of the windows and those of tasks; supervised pretraining has only
            ``query``.
        finish: False leaves colours and normalisation to `raysl.views.finish`, where the augmentation can.

    Attributes:
        finishes: whether clips are the network's input.

    Raises:
        ConfigError: nothing makes a view of this name, or two tasks set the same of one.
    """

    def __init__(self, cell: CellConfig, source: VideoSource, view_names: Sequence[str], finish: bool = True) -> None:
        self.windows = window_sampler(cell)
        made = SUPERVISED_VIEWS if cell.pretraining == "supervised" else PAIR_VIEWS
        self.tasks = task_views(cell)
        check_conflicts(self.tasks)
        made = (*made, *(() if self.windows is None else self.windows.view_names))
        made = (*made, *(view for task in self.tasks.values() for view in task.own_views))
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
        self._placed_clips, self._temporal = placed_clips(cell), cell.temporal
        self.pairs = pair_samplers(cell)
        if not self.pairs and cell.pretraining != "supervised" and not set(PAIR_VIEWS).isdisjoint(view_names):
            raise ConfigError("sampling.pair is required: it places the two clips of a video")
        self.augmentation: Augmentation = cell.augment.build(cell.clip)
        self._memory = KeptMemory()
        self.finishes = finish or not isinstance(self.augmentation, TwoStepAugmentation)

    def __call__(self, video: int, epoch: int, out: Mapping[str, Tensor]) -> Loaded:
        """Writes the views of one video in one epoch.

        Args:
            out: by view, the row of `empty`. (So the batch is written once: memory new to the process costs as much as
                the normalisation.)

        Raises:
            DataError: the video cannot be read.
        """
        plan, boxes = self._plan(video, epoch, self.source.length(video))
        origins: dict[str, Origin] = {}
        unfinished: dict[str, Unfinished] = {}
        for name, _, frames in self._decoded(plan, video):
            given = frames, stream(self.seed, epoch, video, name, "augmentation"), name, boxes.get(name)
            changes = tuple(plan.pixels.get(name, ()))
            if isinstance(self.augmentation, TwoStepAugmentation):
                cropped = self.augmentation.crop(*given)
                unfinished |= self._write(name, cropped, changes, out[name])
                origins[name] = _origin(video, plan, name, cropped.box)
            else:
                clip, box = self.augmentation(*given)
                network_input(_changed(clip, changes), self.clip.input, out=out[name])
                origins[name] = _origin(video, plan, name, box)
        return Loaded(origins, plan.targets, unfinished)

    def _write(
        self, name: str, cropped: Cropped, changes: tuple[PixelChange, ...], out: Tensor
    ) -> dict[str, Unfinished]:
        """Writes a view's clip, and returns what is left of it, by its name."""
        augmentation = self.augmentation
        assert isinstance(augmentation, TwoStepAugmentation)
        if not self.finishes:
            out.copy_(cropped.pixels)
            return {name: Unfinished(cropped.drawn, changes)}
        if changes or self.clip.input == "difference":
            network_input(_changed(augmentation.augmented(cropped).clip, changes), self.clip.input, out=out)
            return {}
        for part, pixels in augmentation.finished(cropped):
            write_rgb(pixels, out[:, part])
        return {}

    def seen(self, video: int, epoch: int) -> Iterator[ViewPixels]:
        """The views of one video in one epoch, with the pixels before they become the network's input.

        Raises:
            DataError: the video cannot be read.
        """
        plan, boxes = self._plan(video, epoch, self.source.length(video))
        for name, indices, frames in self._decoded(plan, video):
            generator = stream(self.seed, epoch, video, name, "augmentation")
            clip, box = self.augmentation(frames, generator, name, boxes.get(name))
            clip = _changed(clip, plan.pixels.get(name, ()))
            yield ViewPixels(name, indices, frames, clip, _origin(video, plan, name, box))

    def _decoded(self, plan: VideoPlan, video: int) -> Iterator[tuple[str, tuple[int, ...], Tensor]]:
        """Each view's name, its frames' numbers, and the frames."""
        # Each placement once: copies of a clip, and pairs at one position, have the same frames.
        asked = list(dict.fromkeys(plan.placements[name] for name in self.view_names))
        indices = [placement.indices(plan.length) for placement in asked]
        clips = self.source.clips(video, indices)
        decoded = dict(zip(asked, zip(indices, clips, strict=True), strict=True))
        for name in self.view_names:
            used, frames = decoded[plan.placements[name]]
            yield name, tuple(used), frames

    def video_of(self, item: int) -> int:
        """The catalog index of an order's entry: the entry itself."""
        return item

    def _plan(self, video: int, epoch: int, length: int) -> tuple[VideoPlan, dict[str, Box]]:
        """The placements of samplers and tasks, and the crops that they set."""
        pair = self._pair(video, epoch, length)
        placements = dict(pair.placements)
        if self._temporal.buffer_frames:  # an unused stream would take as long as a small crop
            placements = {
                name: augment_in_time(
                    placement, self._temporal, self.clip.raw_frames, stream(self.seed, epoch, video, name, "temporal")
                )
                for name, placement in placements.items()
            }
        if self.windows is not None:
            placements |= self.windows.place(length, stream(self.seed, epoch, video, "windows", "placement"))
        plan = VideoPlan(length, self.clip, placements, targets=dict(pair.targets))
        for name, task in self.tasks.items():
            task.apply(plan, stream(self.seed, epoch, video, name, "task"))
        return plan, pair.boxes

    def _pair(self, video: int, epoch: int, length: int) -> Pair:
        """The clips that augmentation in time takes its frames from."""
        if self.pairs:
            rate = self._rate([sampler.span for sampler in self.pairs], video, epoch, length)
            generator = stream(self.seed, epoch, video, "pair", "placement")
            pair = self.pairs[rate].pair(length, self.source.frame_size(video), generator)
            return pair if len(self.pairs) == 1 else replace(pair, targets={**pair.targets, PLAYBACK: rate})
        clip = self._placed_clips[self._rate([clip.span for clip in self._placed_clips], video, epoch, length)]
        start = uniform_start(length, clip, stream(self.seed, epoch, video, "query", "placement"))
        # Tasks that change the pair change both views, though here nothing reads the key.
        return Pair(dict.fromkeys(PAIR_VIEWS, Placement(start, clip.raw_frames, clip.stride)))

    def _rate(self, spans: Sequence[int], video: int, epoch: int, length: int) -> int:
        """The index of the playback rate."""
        if len(spans) == 1:
            return 0
        return draw_rate(spans, length, stream(self.seed, epoch, video, "pair", "playback"))

    def empty(self, size: int) -> dict[str, Tensor]:
        """By view, room for the clips of a batch, not initialised: `View.clips`, finished or not."""
        side, more = self.clip.size, self.clip.raw_frames - self.clip.frames
        given: dict[str, Tensor] = {}
        for name in self.view_names:
            if self.finishes:
                given[name] = self._memory.empty((size, 3, self._frames(name), side, side), torch.float32)
            else:
                pixels = self._memory.empty((size, self._frames(name) + more, side, side, 3), torch.uint8)
                given[name] = pixels.permute(0, 1, 4, 2, 3)  # as decoded frames lie
        return given

    def _frames(self, view: str) -> int:
        for task in self.tasks.values():
            if view in task.own_views:
                return task.frames(view, self.clip)
        return self.clip.frames


def _changed(clip: Tensor, changes: Iterable[PixelChange]) -> Tensor:
    for change in changes:
        clip = change(clip)
    return clip


def _origin(video: int, plan: VideoPlan, view: str, box: tuple[float, float, float, float]) -> Origin:
    placement = plan.placements[view]
    return Origin(video, placement.center(plan.length), box, placement.rate, placement.distortion)


def collate(clips: Tensor, origins: Sequence[Origin], unfinished: Sequence[Unfinished] = ()) -> View:
    """The clips of a batch and where they come from, as a `View`."""
    return View(
        clips=clips,
        video=torch.tensor([origin.video for origin in origins], dtype=torch.int64),
        center=torch.tensor([origin.center for origin in origins], dtype=torch.float32),
        box=torch.tensor([origin.box for origin in origins], dtype=torch.float32),
        rate=torch.tensor([origin.rate for origin in origins], dtype=torch.float32),
        distortion=torch.tensor([origin.distortion for origin in origins], dtype=torch.float32),
        unfinished=tuple(unfinished),
    )
