"""The clips of a video that evaluation reads: nothing is random, except in copies augmented in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from raysl.config.sections import ClipOptions, TemporalOptions
from raysl.views.placement import Placement
from raysl.views.temporal import augment_in_time

if TYPE_CHECKING:
    from torch import Tensor

    from raysl.data.source import VideoSource


def evaluation_placements(length: int, clip: ClipOptions, count: int) -> list[Placement]:
    """``count`` clips whose starts are linearly spaced over a video of ``length`` frames (TCLR 4.6), rounded down.

    A single clip is in the middle. In a video shorter than the clip's span every clip starts at frame 0 and wraps
    around.

    Raises:
        ValueError: ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"a video is evaluated on at least one clip, not {count}")
    last = max(length - clip.span, 0)
    starts = [last // 2] if count == 1 else [last * i // (count - 1) for i in range(count)]
    return [Placement(start, clip.raw_frames, clip.stride) for start in starts]


def augmented_copy(
    placement: Placement, length: int, clip: ClipOptions, temporal: TemporalOptions, generator: np.random.Generator
) -> Placement:
    """The clip at ``placement`` as augmentation in time gives it: from a longer clip that has its buffer around it.

    Half of the buffer is before the clip and half after it, shifted at the ends of the video of ``length`` frames; in a
    video shorter than the longer clip, that clip starts at frame 0 and wraps around.
    """
    longer = clip.model_copy(update={"frames": clip.frames + temporal.buffer_frames})
    start = placement.start - temporal.buffer_frames // 2 * clip.stride
    start = max(min(start, length - longer.span), 0)
    return augment_in_time(Placement(start, longer.raw_frames, clip.stride), temporal, clip.raw_frames, generator)


def evaluation_clips(source: VideoSource, video_index: int, clip: ClipOptions, count: int, crops: int = 1) -> Tensor:
    """`clips_at` for the clips of `evaluation_placements`."""
    return clips_at(source, video_index, clip, evaluation_placements(source.length(video_index), clip, count), crops)


def clips_at(
    source: VideoSource, video_index: int, clip: ClipOptions, placements: Sequence[Placement], crops: int = 1
) -> Tensor:
    """Crops of the clips at these placements, ``clip.raw_frames`` frames each, as the network reads them.

    Frames that several clips share are read and resized once.

    Args:
        crops: 1: the centre crop of each clip; 3: `three_crops`, those of one clip after another.

    Returns:
        ``[len(placements) * crops, 3, clip.frames, clip.size, clip.size]`` float32.

    Raises:
        DataError: the video cannot be read.
    """
    import torch

    from raysl.views.center_crop import center_crop, three_crops
    from raysl.views.clip_input import network_input

    length = source.length(video_index)
    indices = [placement.indices(length) for placement in placements]
    used = sorted({index for clip_indices in indices for index in clip_indices})
    row = {index: position for position, index in enumerate(used)}
    frames = source.frames(video_index, used)
    views = [center_crop(frames, clip.size)] if crops == 1 else three_crops(frames, clip.size)
    clips = [pixels[:, [row[index] for index in clip_indices]] for clip_indices in indices for pixels in views]
    return torch.stack([network_input(one, clip.input) for one in clips])
