"""How much the motion differs between the classes of a pretext task (TaCo's Figure 5), by RAFT.

The figure subtracts the optical flows of two cases of a task. Here every case is of the same place in the video, about
its middle, and each two cases count the same (ours). No network of the cell is read: the numbers are the task's and the
videos'.

Shapes: V videos, K pairs of frames of a video, C cases, N pairs of frames of a case, S pixels of height and width.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from raysl.config.cell import CellConfig, Slot
from raysl.config.component import Chosen, Component
from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions
from raysl.data.catalog import Video
from raysl.errors import ConfigError, NodeFault
from raysl.evaluation.protocol import (
    EvaluationResult,
    LabelledVideos,
    Protocol,
    Task,
    check_finite,
    percent,
    prediction_table,
)
from raysl.evaluation.protocols.attention import examples
from raysl.evaluation.raft import SMALLEST, STATE_DICT
from raysl.views.task_cases import Case, task_cases
from raysl.views.task_views import TaskViews

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from raysl.data.source import VideoSource

GRID = 8
"""Places of height and width of the flows that are kept."""
DECIMALS = 3


class MotionDifferenceOptions(Options):
    """Which task, on which videos, by which network."""

    task: Annotated[dict[str, Chosen], Slot("pretext task", many=True)] = option(
        doc="the pretext task, with its options, on its own clips",
        source="printed: TaCo: rotation, reverse, shuffle, speed",
        examples=[{"rotation": {}}],
    )
    weights: str = option(
        doc="name of the file with RAFT's weights, a torchvision state dict; --root NAME=FILE says where it is",
        source="ours: no path enters a configuration",
        min_length=1,
        examples=["raft_large"],
    )
    network: Literal["small", "large"] = option("large", doc="torchvision's raft_small or raft_large", source="ours")
    updates: int = option(
        12, doc="refinements of the estimated flow", unit="updates", source="printed: RAFT trains with 12", ge=1, le=100
    )
    size: int = option(
        128,
        doc="height and width of the frames for RAFT, the centre square",
        unit="pixels",
        source="ours: the smallest that its pyramid takes",
        ge=SMALLEST,
        le=1024,
        multiple_of=8,
    )
    pairs: int = option(
        3,
        doc="consecutive frames of a clip, evenly spread, between which motion is measured",
        unit="pairs",
        source="ours",
        ge=1,
        le=255,
    )
    videos: int = option(
        200, doc="test videos at most, spread evenly over the list", unit="videos", source="ours", ge=1, le=10**8
    )


class MotionDifference(Protocol):
    """See the module.

    Metrics: ``changed``, percent of videos where two cases differ by more than the video moves; ``difference``, length
    of the difference of two cases' flows, and ``motion``, length of a flow, both means over places, pairs of frames and
    (pairs of) cases, in percent of the frame's side from one frame to the next. Every video counts the same.
    """

    reads = "clips"

    def __init__(self, options: MotionDifferenceOptions) -> None:
        self.options = options

    def evaluate(self, task: Task) -> EvaluationResult:
        """Predictions have both lengths of each video; the details the flows of a few, ``motion_difference``.

        Raises:
            NodeFault: the file of weights is not here, or is not of this network; on every rank.
        """
        from raysl.distributed import on_every_rank, on_first_rank
        from raysl.evaluation.features import labelled_videos
        from raysl.evaluation.online_knn import spread
        from raysl.evaluation.over_videos import over_videos

        options = self.options
        videos = spread(labelled_videos(task.source, "test"), options.videos)
        if task.cell is None:
            raise ValueError(f"evaluation {task.label} needs the cell's configuration")
        views = own_views(options, task.cell)
        raft, digest = on_every_rank(lambda: self._raft(task))
        cases = task_cases(views, task.clip, task.source.length(videos[0].index), videos[0].index)
        values = over_videos(
            raft,
            raft,
            task.source,
            videos,
            task.clip,
            len(cases) * len(views.own_views) * options.pairs,
            batch_clips=task.batch_clips,
            device=task.device,
            load=partial(_pairs_of_cases, task.source, task.clip, views, options, len(cases)),
            reduce=partial(compared, cases=len(cases), side=options.size),
        )
        check_finite("test", LabelledVideos.of(videos).path, values, "flows")
        details = {"weights": options.weights, "weights_sha256": digest}
        return on_first_rank(partial(_result, videos, values, cases, details))

    def _raft(self, task: Task) -> tuple[torch.nn.Module, str]:
        from raysl.evaluation.optical_flow import load_raft, raft_hash

        options = self.options
        try:
            raft = load_raft(options.weights, task.files, options.network, options.updates)
            return raft.to(task.device), raft_hash(options.weights, task.files)
        except ConfigError as error:  # no failure of the evaluation: another file may be bound to the name
            raise NodeFault(str(error), unfit=getattr(error, "unfit", ())) from error


def _pairs_of_cases(
    source: VideoSource, clip: ClipOptions, views: TaskViews, options: MotionDifferenceOptions, count: int, video: Video
) -> Tensor:
    """``[K, 3, 2, S, S]`` in [0, 1]: by case, view and pair of frames."""
    import torch

    length = source.length(video.index)
    cases = task_cases(views, clip, length, video.index)
    assert len(cases) == count, f"{len(cases)} cases"
    return torch.stack([pair for case in cases for pair in _pairs(source, options, case, video, length)])


def _pairs(
    source: VideoSource, options: MotionDifferenceOptions, case: Case, video: Video, length: int
) -> list[Tensor]:
    from raysl.views.center_crop import center_crop

    found = []
    for view, placement in case.placements.items():
        clip = center_crop(source.frames(video.index, placement.indices(length)), options.size)
        for change in case.pixels.get(view, ()):
            clip = change(clip)
        starts = np.linspace(0, clip.shape[1] - 2, options.pairs).round().astype(np.int64).tolist()
        found += [clip[:, start : start + 2] for start in starts]
    return found


def compared(flows: Tensor, cases: int, side: int) -> Tensor:
    """``[V, K, 2 S S]`` to ``[V, 2 + C 2 G G]``: difference and motion, then the mean flow of each case on a grid.

    All in percent of the side.
    """
    import torch
    import torch.nn.functional as F

    whole = flows.view(len(flows), cases, -1, 2, side, side) * (100.0 / side)
    motion = whole.norm(dim=3).mean(dim=(1, 2, 3, 4))
    apart = [(whole[:, one] - whole[:, other]).norm(dim=2).mean(dim=(1, 2, 3)) for one, other in _pairs_of(cases)]
    difference = torch.stack(apart).mean(dim=0)
    grid = F.adaptive_avg_pool2d(whole.mean(dim=2).flatten(1, 2), GRID)
    return torch.cat([difference[:, None], motion[:, None], grid.flatten(1)], dim=1)


def _pairs_of(cases: int) -> list[tuple[int, int]]:
    return list(combinations(range(cases), 2))


def own_views(options: MotionDifferenceOptions, cell: CellConfig) -> TaskViews:
    """The changes that the task makes to its own clips.

    Raises:
        ConfigError: there are none, or several tasks.
    """
    if len(options.task) != 1:
        raise ConfigError(f"motion_difference: give one task, not {len(options.task)}: write an evaluation for each")
    ((name, chosen),) = options.task.items()
    views = None if chosen.component.views is None else chosen.component.views(chosen.options, cell)
    if not isinstance(views, TaskViews) or not views.own_views:
        raise ConfigError(f"motion_difference: the task {name} has no own clips to compare; set view: own")
    return views


def _result(
    videos: tuple[Video, ...], values: NDArray[np.float32], cases: list[Case], details: dict[str, Any]
) -> EvaluationResult:
    difference, motion = values[:, 0].astype(np.float64), values[:, 1].astype(np.float64)
    changed = difference > motion
    flows = values[:, 2:].reshape(len(videos), len(cases), 2, GRID, GRID)
    details["motion_difference"] = [
        {
            "video": videos[row].path,
            "difference": float(difference[row]),
            "motion": float(motion[row]),
            "cases": [case.title for case in cases],
            "flow": np.round(flows[row].astype(np.float64), DECIMALS).tolist(),
        }
        for row in examples(len(videos))
    ]
    metrics = {"changed": percent(changed), "difference": float(difference.mean()), "motion": float(motion.mean())}
    table = prediction_table(LabelledVideos.of(videos), changed, difference=difference, motion=motion)
    return EvaluationResult(metrics, table, {**details, "test_videos": len(videos)})


def _check(options: MotionDifferenceOptions, cell: CellConfig) -> None:
    views = own_views(options, cell)
    subtracted = cell.clip.input == "difference"  # of a frame more
    most = min(views.frames(view, cell.clip) for view in views.own_views) - 1 + subtracted
    if options.pairs > most:
        raise ConfigError(
            f"motion_difference: pairs {options.pairs}: a clip of the task has {most} pairs of consecutive frames; "
            f"take at most {most}"
        )


COMPONENT = Component(
    kind="protocol",
    options=MotionDifferenceOptions,
    build=MotionDifference,
    check=_check,
    metrics=lambda options: ("changed", "difference", "motion"),
    file=lambda options: (options.weights, STATE_DICT),
)
