"""Features of a split under a frozen backbone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from raysl.config.sections import ClipOptions
from raysl.data.catalog import Video
from raysl.data.source import VideoSource
from raysl.errors import DataError
from raysl.evaluation.over_videos import Precision, mean_over_clips, over_videos
from raysl.evaluation.protocol import Features, LabelledVideos
from raysl.models.backbone import Backbone, pool


def labelled_videos(source: VideoSource, split: str) -> tuple[Video, ...]:
    """The videos an evaluation uses: readable by the manifest and labelled, in catalog order.

    Raises:
        DataError: there is none.
    """
    videos = tuple(video for video in source.readable(split) if video.label is not None)
    if not videos:
        raise DataError(
            f"{source.catalog.name} has no readable labelled video in its split {split!r}: nothing to evaluate"
        )
    return videos


def extract_features(
    backbone: Backbone,
    source: VideoSource,
    split: str,
    clip: ClipOptions,
    clips: int,
    *,
    batch_clips: int = 40,
    device: torch.device,
    precision: Precision = "float32",
    crops: int = 1,
    space: bool = False,
    normalize: bool = False,
    projector: nn.Module | None = None,
    each_clip: bool = False,
) -> Features:
    """`features_of` the readable labelled videos of a split.

    Raises:
        DataError: on all ranks: no video, or one that cannot be read; see `over_videos`.
    """
    videos = labelled_videos(source, split)
    values = features_of(
        backbone,
        source,
        videos,
        clip,
        clips,
        batch_clips=batch_clips,
        device=device,
        precision=precision,
        crops=crops,
        space=space,
        normalize=normalize,
        projector=projector,
        each_clip=each_clip,
    )
    rows = LabelledVideos.of(videos)
    if each_clip:
        rows = rows.rows(np.repeat(np.arange(len(videos), dtype=np.int64), clips))
    return Features(**vars(rows), values=values)


def features_of(
    backbone: Backbone,
    source: VideoSource,
    videos: Sequence[Video],
    clip: ClipOptions,
    clips: int,
    *,
    batch_clips: int = 40,
    device: torch.device,
    precision: Precision = "float32",
    crops: int = 1,
    space: bool = False,
    normalize: bool = False,
    projector: nn.Module | None = None,
    each_clip: bool = False,
) -> NDArray[np.float32]:
    """Pooled features of ``clips`` clips a video, averaged, with the backbone frozen and in eval mode; ``[N, D]``.

    Args:
        backbone: on ``device``; its modes are left as they were found.
        videos: of the source, readable; labels are not read.
        clips: a video's clips, spread evenly over its length.
        batch_clips, crops: see `over_videos`.
        space: the mean is over space only, so that a feature is D * T' numbers, those of one channel next to each
            other.
        normalize: each clip's feature has length one before the mean.
        projector: on ``device``; its output is used instead of the pooled features.
        each_clip: a row for each clip, the mean over its crops; those of a video are consecutive, in order.

    Raises:
        NodeFault: on all ranks: a video that cannot be read any more; see `over_videos`.
    """

    def features(batch: Tensor) -> Tensor:
        feature_map = backbone(batch).float()
        values = feature_map.mean(dim=(3, 4)).flatten(1) if space else pool(feature_map)
        values = values if projector is None else projector(values).float()
        return F.normalize(values) if normalize else values

    values = over_videos(
        features,
        backbone if projector is None else nn.ModuleList([backbone, projector]),
        source,
        videos,
        clip,
        clips,
        batch_clips=batch_clips,
        device=device,
        precision=precision,
        crops=crops,
        reduce=partial(_clip_by_clip, clips=clips) if each_clip else mean_over_clips,
    )
    return values.reshape(len(videos) * clips, -1) if each_clip else values


def _clip_by_clip(values: Tensor, clips: int) -> Tensor:
    """``[V, K * crops, D]``, the crops of one clip after another's, to ``[V, K * D]``, means over crops."""
    return values.reshape(len(values), clips, -1, values.shape[2]).mean(dim=2).flatten(1)
