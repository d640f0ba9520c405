"""Runs a network on the clips of videos: every video exactly once, on any number of ranks.

Shapes: K clips of a video, V videos of a block, C channels, T frames, H, W, D values of a video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from raysl.config.sections import ClipOptions
from raysl.data.catalog import Video
from raysl.data.source import VideoSource
from raysl.distributed import gather_objects, on_every_rank, rank, world_size
from raysl.errors import NodeFault, RayslError
from raysl.evaluation.clip_loading import ClipGroups, in_order
from raysl.views.evaluation_clips import evaluation_clips

Block = tuple[Video, ...]
LoadClips = Callable[[Video], Tensor]
Precision = Literal["float32", "bfloat16"]


def mean_over_clips(values: Tensor) -> Tensor:
    """``[V, K, D]`` to ``[V, D]``."""
    return values.mean(dim=1)


def over_videos(
    compute: Callable[[Tensor], Tensor],
    network: nn.Module,
    source: VideoSource,
    videos: Sequence[Video],
    clip: ClipOptions,
    clips: int,
    *,
    batch_clips: int = 40,
    device: torch.device,
    precision: Precision = "float32",
    load: LoadClips | None = None,
    reduce: Callable[[Tensor], Tensor] = mean_over_clips,
    crops: int = 1,
) -> NDArray[np.float32]:
    """``[N, D]`` float32, means over a video's clips, in the order of ``videos``, the same on every rank. Collective.

    Videos are cut into blocks in their order and the ranks take blocks in turn, so a forward pass has the same clips on
    any number of ranks: the rows are the same to the last bit on one machine type, and nothing is padded. Clips are
    loaded ahead of the network (`in_order`).

    Args:
        compute: clips ``[V * K, C, T, H, W]`` on ``device`` to ``[V * K, D]``; run without gradients, under autocast.
        network: what ``compute`` runs, on ``device``; in eval mode meanwhile, its modes are restored.
        videos: at least one.
        clips: spread evenly over a video's length unless ``load`` places them.
        batch_clips: about how many clips a forward pass has; whole videos, at least one. Fewer once the device's memory
            has run out (`ClipGroups`).
        load: a video's clips ``[K, C, T, H, W]``, as many of every video; None: `evaluation_clips`. Picklable, or
            processes cannot load them.
        crops: of each clip, 1 or 3 (`raysl.views.evaluation_clips.clips_at`); K counts them all.
        reduce: ``[V, K, D']`` computed values to ``[V, D]``, independently for each video.

    Raises:
        NodeFault: on all ranks, naming the video: it cannot be read any more, though the manifest has it as readable.
            It is not left out, because all rows of a table share one set of test videos.
    """
    size = max(1, batch_clips // (clips * crops))
    blocks = [tuple(videos[start : start + size]) for start in range(0, len(videos), size)]
    mine = range(rank(), len(blocks), world_size())
    loads = partial(_load_block, source, load or partial(_evenly, source, clip, clips, crops))
    groups = ClipGroups(compute, device)

    def run() -> dict[int, NDArray[np.float32]]:
        with frozen(network), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            loaded = in_order(source, loads, [blocks[index] for index in mine], device)
            return {index: _computed(groups, reduce, x) for index, x in zip(mine, loaded, strict=True)}

    gathered: dict[int, NDArray[np.float32]] = {}
    for part in gather_objects(on_every_rank(run)):
        gathered |= part
    return np.concatenate([gathered[index] for index in range(len(blocks))])


def _computed(groups: ClipGroups, reduce: Callable[[Tensor], Tensor], clips: Tensor) -> NDArray[np.float32]:
    """``[V, K, C, T, H, W]`` to ``[V, D]``."""
    values = reduce(groups(clips.flatten(0, 1)).view(clips.shape[0], clips.shape[1], -1))
    return np.asarray(values.cpu().numpy(), dtype=np.float32)


def _evenly(source: VideoSource, clip: ClipOptions, clips: int, crops: int, video: Video) -> Tensor:
    return evaluation_clips(source, video.index, clip, clips, crops)


def _load_block(source: VideoSource, load: LoadClips, block: Block) -> Tensor:
    return torch.stack([_load_video(source, load, video) for video in block])


def _load_video(source: VideoSource, load: LoadClips, video: Video) -> Tensor:
    try:
        return load(video)
    except (RayslError, OSError) as error:
        raise NodeFault(
            f"{source.catalog.name}: {video.path} could be read earlier, and cannot now ({error}): restore the file",
            may_pass=True,
        ) from error


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; every module's own mode is restored, also if they differ (frozen batch norm)."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module in training:
            module.training = True
