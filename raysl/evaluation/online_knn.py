"""A cheap score of a backbone while it trains: nearest neighbours among the training videos.

It is for choosing between configurations, never for a table: it reads no test video, and only one clip per video.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from raysl.config.sections import ClipOptions
from raysl.data.catalog import Video
from raysl.data.source import VideoSource
from raysl.errors import DataError
from raysl.evaluation.features import labelled_videos
from raysl.evaluation.online_knn_options import OnlineKnnOptions
from raysl.evaluation.over_videos import Precision, over_videos
from raysl.evaluation.protocol import check_finite
from raysl.models.backbone import Backbone, pool


def online_knn(
    backbone: Backbone,
    source: VideoSource,
    clip: ClipOptions,
    options: OnlineKnnOptions,
    *,
    device: torch.device,
    precision: Precision = "float32",
    batch_clips: int = 40,
) -> float:
    """Percent of labelled training videos whose class wins the vote of their neighbours. Collective.

    A video's neighbours are of other groups than its own (UCF101's groups share background and actor); without groups,
    all other videos. One clip a video, from its middle; pooled features, cosine similarity.

    Args:
        backbone: on ``device``; its modes are left as they were found, and no random number is drawn.

    Raises:
        DataError: on every rank: fewer than two groups are labelled, or a video cannot be read.
        CellFailure: on every rank: features that are not finite.
    """
    videos = spread(labelled_videos(source, "train"), options.max_videos)
    values = middle_features(
        backbone, source, videos, clip, device=device, precision=precision, batch_clips=batch_clips
    )
    return knn_accuracy(values, videos, options, of=source.catalog.name)


def middle_features(
    backbone: Backbone,
    source: VideoSource,
    videos: Sequence[Video],
    clip: ClipOptions,
    *,
    device: torch.device,
    precision: Precision,
    batch_clips: int = 40,
) -> NDArray[np.float32]:
    """Pooled features ``[N, D]`` of one clip a video, from its middle, as `online_knn` computes them. Collective.

    Raises:
        NodeFault, CellFailure: on every rank: a video cannot be read; features that are not finite.
    """
    values = over_videos(
        lambda clips: pool(backbone(clips).float()),
        backbone,
        source,
        videos,
        clip,
        1,
        batch_clips=batch_clips,
        device=device,
        precision=precision,
    )
    check_finite("train", tuple(video.path for video in videos), values)
    return values


def spread(videos: Sequence[Video], most: int) -> tuple[Video, ...]:
    """At most ``most`` videos, evenly spaced in catalog order, so that every class keeps its share."""
    count = min(most, len(videos))
    return tuple(videos[index * len(videos) // count] for index in range(count))


def knn_accuracy(
    values: NDArray[np.float32], videos: Sequence[Video], options: OnlineKnnOptions, of: str = "the data set"
) -> float:
    """Percent right of ``[N, D]`` features under the weighted vote; a tie goes to the class of lower index.

    Raises:
        DataError: all videos are of one group.
    """
    names = np.array([video.group if video.group is not None else f"\0{i}" for i, video in enumerate(videos)])
    groups = np.unique(names, return_inverse=True)[1]
    if groups.max() == 0:
        raise DataError(f"{of}: all labelled training videos are of one group: none has a neighbour")
    labels = np.array([video.label for video in videos], dtype=np.int64)
    units = values.astype(np.float64)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    similarity = np.round(units @ units.T, 10)
    similarity[groups[:, None] == groups[None, :]] = -np.inf
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, : options.neighbors]
    near = np.take_along_axis(similarity, nearest, axis=1)
    # Relative to the nearest, so that a low temperature makes no vote zero.
    weights = np.exp((near - near[:, :1]) / options.temperature)
    votes = np.zeros((len(labels), int(labels.max()) + 1))
    np.add.at(votes, (np.arange(len(labels))[:, None], labels[nearest]), weights)
    return float(100.0 * np.mean(votes.argmax(axis=1) == labels))
