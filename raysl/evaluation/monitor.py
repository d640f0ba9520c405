"""Features while a backbone trains: whether neighbours share a class, and how widely they spread.

No test video is looked at, and no random number is drawn.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from raysl.config.cell import CellConfig
from raysl.config.sections import ClipOptions
from raysl.data.catalog import Video
from raysl.data.source import VideoSource
from raysl.distributed import on_first_rank
from raysl.errors import CellFailure, NodeFault
from raysl.evaluation.neighbours import unit
from raysl.evaluation.online_knn import knn_accuracy, middle_features, spread
from raysl.evaluation.online_knn_options import OnlineKnnOptions
from raysl.evaluation.over_videos import Precision
from raysl.evaluation.protocols.geometry import rankme, sphere_spread
from raysl.models.backbone import Backbone
from raysl.notes import say_once
from raysl.training.monitor import Monitor, is_monitored
from raysl.training.precision import choose_device, resolve_precision


def monitored_videos(source: VideoSource, most: int) -> tuple[Video, ...]:
    """At most ``most`` readable training videos, spread evenly: labelled ones, or any if none has a label."""
    readable = source.readable("train")
    return spread([video for video in readable if video.label is not None] or readable, most)


def can_vote(videos: Sequence[Video]) -> bool:
    """Whether they have labels of several classes, and groups that can be neighbours of each other."""
    labels, groups = ({getattr(video, name) for video in videos} for name in ("label", "group"))
    return None not in labels and len(labels) > 1 and (len(groups) > 1 or groups == {None})


def look(
    backbone: Backbone,
    source: VideoSource,
    videos: Sequence[Video],
    clip: ClipOptions,
    *,
    device: torch.device,
    precision: Precision = "float32",
) -> dict[str, float]:
    """Metrics of pooled features of one clip a video, from its middle; the same on every rank. Collective.

    - ``knn_accuracy``: share of videos whose class wins the weighted vote of their nearest videos (`online_knn`), 0 to
      1; absent if they cannot vote.
    - ``rankme``: effective dimensions, 1 to min(N, D) (`raysl.evaluation.protocols.geometry.rankme`).
    - ``spread``: of features at unit length, 0 if they are one point (`sphere_spread` there).

    Args:
        backbone: on ``device``; its modes are restored.
        videos: N, of the training split.

    Raises:
        NodeFault, CellFailure: on every rank: a video cannot be read; features that are not finite.
    """
    values = middle_features(backbone, source, videos, clip, device=device, precision=precision)

    def measured() -> dict[str, float]:
        knn = {"knn_accuracy": knn_accuracy(values, videos, OnlineKnnOptions()) / 100} if can_vote(videos) else {}
        return knn | {"rankme": rankme(values.astype("float64")), "spread": sphere_spread(unit(values))}

    return on_first_rank(measured)


def monitor_of(cell: CellConfig, source: VideoSource, title: str) -> Monitor | None:
    """The cell's monitor as its option `training.monitor` sets it; None where that is off.

    A measurement that fails does not end the training: it is left out, with one note. It opens the data's files a
    second time, since the training may load clips at the same moment.
    """
    if not is_monitored(cell):
        return None
    reader, videos = copy.copy(source), monitored_videos(source, cell.training.monitor.videos)
    device = choose_device()
    precision = resolve_precision(cell.training.precision, device)
    if not can_vote(videos):
        say_once(
            f"{title}: the training set {source.catalog.name} has no labels of several classes: no kNN vote while it "
            "trains"
        )

    def measure(backbone: Backbone) -> dict[str, float]:
        try:
            return look(backbone, reader, videos, cell.clip, device=device, precision=precision)
        except (NodeFault, CellFailure) as error:
            say_once(f"{title}: a measurement of the representation is left out: {error}")
            return {}

    return Monitor(cell.training.monitor.points, measure, title)
