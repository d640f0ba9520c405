"""What looks at a cell's backbone while it is pretrained."""

from __future__ import annotations

import copy

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import CellFailure, NodeFault
from raysl.evaluation.monitor import can_vote, look, monitored_videos
from raysl.models.backbone import Backbone
from raysl.notes import say_once
from raysl.training.monitor import Monitor, is_monitored
from raysl.training.precision import choose_device, resolve_precision


def monitor_of(cell: CellConfig, source: VideoSource, title: str) -> Monitor | None:
    """The cell's monitor, as `training.monitor` says; None where nobody looks.

    A look that fails fails nothing: it is left out, and said once. It reads by maps of its own, since the training
    may load clips beside it.
    """
    if not is_monitored(cell):
        return None
    own, videos = copy.copy(source), monitored_videos(source, cell.training.monitor.videos)
    device = choose_device()
    precision = resolve_precision(cell.training.precision, device)
    if not can_vote(videos):
        say_once(
            f"{title}: the training set {source.catalog.name} has no labels of several classes: no kNN vote while it "
            "trains"
        )

    def measure(backbone: Backbone) -> dict[str, float]:
        try:
            return look(backbone, own, videos, cell.clip, device=device, precision=precision)
        except (NodeFault, CellFailure) as error:
            say_once(f"{title}: a look at the representation is left out: {error}")
            return {}

    return Monitor(cell.training.monitor.points, measure, title)
