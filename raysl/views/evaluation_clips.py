"""The clips of a video that evaluation reads: no draw in them."""

from __future__ import annotations

import torch
from torch import Tensor

from raysl.config.sections import ClipOptions
from raysl.data.source import VideoSource
from raysl.views.center_crop import center_crop
from raysl.views.clip_input import network_input
from raysl.views.placement import Placement


def evaluation_placements(length: int, clip: ClipOptions, count: int) -> list[Placement]:
    """``count`` clips whose starts are linearly spaced over a video of ``length`` frames (TCLR 4.6), rounded down.

    A single clip lies in the middle. In a video shorter than the clip's span every clip starts at frame 0 and wraps
    around.

    Raises:
        ValueError: ``count`` is below 1.
    """
    if count < 1:
        raise ValueError(f"a video is evaluated on at least one clip, not {count}")
    last = max(length - clip.span, 0)
    starts = [last // 2] if count == 1 else [last * i // (count - 1) for i in range(count)]
    return [Placement(start, clip.raw_frames, clip.stride) for start in starts]


def evaluation_clips(source: VideoSource, video_index: int, clip: ClipOptions, count: int) -> Tensor:
    """Centre crops of the clips of `evaluation_placements`, as the network reads them.

    Frames that several clips share are read and resized once.

    Returns:
        ``[count, 3, clip.frames, clip.size, clip.size]`` float32.

    Raises:
        DataError: the video cannot be read.
    """
    length = source.length(video_index)
    indices = [placement.indices(length) for placement in evaluation_placements(length, clip, count)]
    used = sorted({index for clip_indices in indices for index in clip_indices})
    row = {index: position for position, index in enumerate(used)}
    pixels = center_crop(source.frames(video_index, used), clip.size)
    clips = [pixels[:, [row[index] for index in clip_indices]] for clip_indices in indices]
    return torch.stack([network_input(one, clip.input) for one in clips])
