"""Clips around annotated frames; the boxes of people follow the augmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.sections import ClipOptions
from raysl.data.resize import resize_frames
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.streams import stream
from raysl.views.augmentation import TwoStepAugmentation
from raysl.views.batch import Boxes
from raysl.views.clip_input import network_input
from raysl.views.pipeline import Loaded, LoadedBox, Origin, ViewPipeline
from raysl.views.placement import Placement
from raysl.views.training_videos import frame_index

VISIBLE = 0.5
"""A person is dropped if a crop leaves less than this share of the box (ours: SlowFast and mmaction2 keep any part)."""
MOST_PEOPLE = 2**16
"""People in one frame at most, for their keys."""

BoxOf = tuple[float, float, float, float]


class BoxPipeline(ViewPipeline):
    """The view ``query`` of annotated frames (by their position in `Catalog.annotated`): the clip around each.

    Augmentation draws from streams keyed by the frame, so that two frames of a video have different draws.

    Raises:
        ConfigError: the augmentation moves pixels other than by a crop and a flip of the whole clip.
    """

    def __init__(self, cell: CellConfig, source: VideoSource, view_names: Sequence[str], finish: bool = True) -> None:
        super().__init__(cell, source, view_names, finish)
        if not (isinstance(self.augmentation, TwoStepAugmentation) and self.augmentation.keeps_boxes):
            raise ConfigError(
                f"augment {cell.augment.name!r} moves pixels other than by one crop and one flip of the whole "
                "clip, which boxes of people cannot follow: use standard, cvrl or none, temporally consistent"
            )

    def video_of(self, item: int) -> int:
        return self.source.catalog.annotated[item].video

    def __call__(self, video: int, epoch: int, out: Mapping[str, Tensor]) -> Loaded:
        """As the base class, for the annotated frame ``video``."""
        frame = self.source.catalog.annotated[video]
        length, (name,) = self.source.length(frame.video), self.view_names
        placement = around(frame_index(self.source, video), self.clip)
        frames = self.source.frames(frame.video, placement.indices(length))
        generator = stream(self.seed, epoch, video, name, "augmentation")
        assert isinstance(self.augmentation, TwoStepAugmentation)
        cropped, flipped = self.augmentation.followed(frames, generator)
        unfinished, crop = self._write(name, cropped, (), out[name]), cropped.box
        moved = [through(person.box, crop, flipped) for person in frame.people]
        boxes = tuple(
            LoadedBox(box, person.actions, video * MOST_PEOPLE + number)
            for number, (person, box) in enumerate(zip(frame.people, moved, strict=True))
            if box is not None
        )
        origin = Origin(frame.video, placement.center(length), crop, placement.rate, placement.distortion)
        return Loaded({name: origin}, {}, unfinished, boxes, len(frame.people) - len(boxes))


def around(frame: int, clip: ClipOptions) -> Placement:
    """The clip with a frame in its middle; frames before the first and after the last are mirrored."""
    return Placement(frame - clip.raw_frames // 2 * clip.stride, clip.raw_frames, clip.stride, "reflect")


def through(box: BoxOf, crop: BoxOf, flipped: bool) -> BoxOf | None:
    """A box of the frame in the clip, cut at the clip's edges; None: less than `VISIBLE` of it is left.

    Args:
        box: (left, top, right, bottom), shares of the frame.
        crop: (top, left, height, width), shares of the frame.
        flipped: left and right were exchanged after the crop.
    """
    top, left, height, width = crop
    whole = ((box[0] - left) / width, (box[1] - top) / height, (box[2] - left) / width, (box[3] - top) / height)
    seen = min(max(whole[0], 0.0), 1.0), min(max(whole[1], 0.0), 1.0), min(whole[2], 1.0), min(whole[3], 1.0)
    if seen[2] <= seen[0] or seen[3] <= seen[1] or _area(seen) < VISIBLE * _area(whole):
        return None
    return (1.0 - seen[2], seen[1], 1.0 - seen[0], seen[3]) if flipped else seen


def _area(box: BoxOf) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def collate_boxes(loaded: Sequence[Loaded], classes: int) -> Boxes:
    """The boxes of a batch's clips, in their order."""
    found = [(row, one) for row, clip in enumerate(loaded) for one in clip.boxes]
    actions = torch.zeros(len(found), classes)
    for number, (_, one) in enumerate(found):
        actions[number, list(one.actions)] = 1.0
    return Boxes(
        row=torch.tensor([row for row, _ in found], dtype=torch.int64),
        box=box_tensor([one.box for _, one in found]),
        actions=actions,
        key=torch.tensor([one.key for _, one in found], dtype=torch.int64),
        dropped=torch.tensor(float(sum(clip.dropped for clip in loaded))),
    )


def box_tensor(boxes: Sequence[BoxOf]) -> Tensor:
    """``[P, 4]`` float32."""
    return torch.tensor(boxes, dtype=torch.float32).reshape(len(boxes), 4)


def frame_clip(source: VideoSource, annotated: int, clip: ClipOptions) -> Tensor:
    """The clip around an annotated frame for evaluation: whole frames with short side ``clip.size``.

    Returns:
        ``[3, clip.frames, H, W]`` float32, as the network reads it.

    Raises:
        DataError: the video cannot be read.
    """
    video = source.catalog.annotated[annotated].video
    indices = around(frame_index(source, annotated), clip).indices(source.length(video))
    pixels = resize_frames(source.frames(video, indices), clip.size)
    return network_input(pixels.to(torch.float32).div_(255.0).transpose(0, 1), clip.input)
