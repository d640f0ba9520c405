"""The second step of augmentation, and normalisation, of a whole batch on its device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from raysl.views.augmentation import TwoStepAugmentation
from raysl.views.batch import Batch, Unfinished, View
from raysl.views.clip_input import network_input

VALUES_AT_ONCE = 2**26
"""Float32 values that are changed together: 256 MB of clips, and at most twice that for what an operation needs."""


def finish(batch: Batch, augmentation: TwoStepAugmentation, kind: Literal["rgb", "difference"]) -> Batch:
    """The batch with clips that are the network's input, as `raysl.views.pipeline.ViewPipeline` finishes them.

    Loader processes then only decode and crop, and hand over a byte for each value instead of four. All draws were made
    there. Pixels are those of the CPU within 1e-4 of the input's range, but where a value is next to the threshold of
    solarising: operations are the same, sums are rounded in another order.
    """
    views = {
        name: _finished(view, augmentation, kind) if view.unfinished else view for name, view in batch.views.items()
    }
    return replace(batch, views=views)


@torch.no_grad()
def _finished(view: View, augmentation: TwoStepAugmentation, kind: Literal["rgb", "difference"]) -> View:
    batch, frames, _, height, width = view.clips.shape
    shape = (batch, 3, frames - (kind == "difference"), height, width)
    clips = torch.empty(shape, device=view.clips.device, memory_format=torch.channels_last_3d)
    at_once = max(1, VALUES_AT_ONCE // view.clips[0].numel())
    for first in range(0, batch, at_once):
        some = slice(first, first + at_once)
        pixels = view.clips[some].to(torch.float32, memory_format=torch.contiguous_format).div_(255.0)
        _write(_augmented(pixels, view.unfinished[some], augmentation), view.unfinished[some], kind, clips[some])
    return replace(view, clips=clips, unfinished=())


def _augmented(pixels: Tensor, left: Sequence[Unfinished], augmentation: TwoStepAugmentation) -> Tensor:
    if len(left[0].drawn) == 1:
        return augmentation.finish_all(pixels, [one.drawn[0] for one in left])
    single = [drawn for one in left for drawn in one.drawn]
    return augmentation.finish_all(pixels.flatten(0, 1)[:, None], single).view(pixels.shape)


def _write(pixels: Tensor, left: Sequence[Unfinished], kind: Literal["rgb", "difference"], out: Tensor) -> None:
    """``[B, T, 3, H, W]`` to ``[B, 3, T, H, W]``, changed by tasks and normalised."""
    if not any(one.changes for one in left):
        network_input(pixels.transpose(1, 2), kind, out=out)
        return
    for clip, one, row in zip(pixels.transpose(1, 2), left, out, strict=True):
        for change in one.changes:
            clip = change(clip)
        network_input(clip, kind, out=row)
