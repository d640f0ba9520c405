"""Similarity between the time steps of one clip: how well a feature map distinguishes them (TCLR's Figure 13).

The middle clip of each test video passes the frozen backbone; its last feature map is averaged over space. Every
number is a cosine times 100. TCLR draws the outputs of the projector for one long clip; an evaluation has only the
backbone, so this compares the input of the projector.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, Component
from raysl.config.options import option
from raysl.data.catalog import Video
from raysl.errors import ConfigError, DataError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.per_clip_protocol import PerClipOptions, PerClipProtocol
from raysl.evaluation.protocol import EvaluationResult, LabelledVideos, Task, check_finite, percent, prediction_table
from raysl.evaluation.workload import Workload
from raysl.objectives.temporal.window_checks import timesteps_left

if TYPE_CHECKING:
    from torch import Tensor

    from raysl.evaluation.clip_similarity import ClipSimilarities, Floats


class TimestepsOptions(PerClipOptions):
    """Options of the analysis."""

    clips: int = option(
        1,
        doc="clips of a video, spread evenly over its length",
        unit="clips",
        source="inferred: TCLR Figure 13",
        ge=1,
        le=100,
    )
    steps: int = option(
        4,
        doc="time steps of a clip; they divide those of the last feature map",
        unit="time steps",
        source="printed: TCLR: N_T",
        ge=2,
        le=64,
    )


class Timesteps(PerClipProtocol):
    """Similarities between time steps.

    Metrics: ``apart``, percent of videos whose time steps are more alike, on average, than they are to those of any
    other video; ``within``, mean similarity of two time steps of a clip; ``steps@2``, of two that are two steps
    apart; ``between``, of time steps of two videos. Every video counts the same.

    Videos shorter than a clip are left out: its last time steps would repeat the video's beginning.
    """

    def __init__(self, options: TimestepsOptions) -> None:
        self.options = options

    def evaluate(self, task: Task) -> EvaluationResult:
        """Predictions have the metrics of each video; the details the mean matrix ``timesteps``.

        Raises:
            ConfigError: the time steps do not divide those of the feature map; on every rank.
        """
        import torch

        from raysl.distributed import on_first_rank
        from raysl.evaluation.clip_similarity import ClipSimilarities
        from raysl.evaluation.features import labelled_videos
        from raysl.evaluation.over_videos import over_videos
        from raysl.objectives.temporal.window_features import pooled_in_space, timestep_rows

        steps, readable = self.options.steps, labelled_videos(task.source, "test")
        videos = tuple(video for video in readable if task.source.length(video.index) >= task.clip.span)
        _check_lengths(len(videos), len(readable), task.clip.span)

        def features(batch: Tensor) -> Tensor:
            in_time = pooled_in_space(task.backbone(batch).float())
            _check_steps(steps, in_time.shape[2])
            return torch.cat(timestep_rows(in_time, steps), dim=1)

        values = over_videos(
            features,
            task.backbone,
            task.source,
            videos,
            task.clip,
            self.options.clips,
            batch_clips=task.batch_clips,
            device=task.device,
            precision=task.precision,
            reduce=partial(reduce_timesteps, steps=steps),
        )
        check_finite("test", LabelledVideos.of(videos).path, values)
        found = ClipSimilarities.of(values, steps, 0)
        return on_first_rank(partial(self._result, videos, found, len(readable) - len(videos)))

    def _result(self, videos: tuple[Video, ...], found: ClipSimilarities, too_short: int) -> EvaluationResult:
        from raysl.evaluation.clip_similarity import other_videos

        steps = self.options.steps
        first, second = np.triu_indices(steps, k=1)
        distances = {f"steps@{apart}": found.pairs[:, second - first == apart] for apart in range(1, steps)}
        others = other_videos(found.mean)
        by_video: dict[str, Floats] = {
            "within": found.pairs.mean(axis=1),
            **{name: pairs.mean(axis=1) for name, pairs in distances.items()},
            "between": others.mean,
        }
        apart = by_video["within"] > others.nearest
        details: dict[str, object] = {
            "test_videos": len(videos),
            "too_short": too_short,
            "timesteps": matrix(found.pairs.mean(axis=0), steps).tolist(),
        }
        metrics = {"apart": percent(apart)} | {name: float(values.mean()) for name, values in by_video.items()}
        columns = {**by_video, "nearest_other": others.nearest}
        return EvaluationResult(metrics, prediction_table(LabelledVideos.of(videos), apart, **columns), details)


def reduce_timesteps(values: Tensor, steps: int) -> Tensor:
    """Reduces each video's clips ``[V, K, N D]``, N time steps of D channels, to means over clips ``[V, P + D]``.

    As `raysl.evaluation.clip_similarity.reduce_clips` keeps it of clips: P = N (N - 1) / 2 similarities of a clip's
    time steps, and the mean of their features at unit length.
    """
    from raysl.evaluation.clip_similarity import reduce_clips

    videos, clips = values.shape[:2]
    kept = reduce_clips(values.reshape(videos * clips, steps, -1), steps)
    return kept.reshape(videos, clips, -1).mean(dim=1)


def matrix(pairs: Floats, steps: int) -> Floats:
    """``[N, N]`` of ``[P]`` pairs in the order of `reduce_clips`; a time step has similarity 100 with itself."""
    found = np.full((steps, steps), 100.0)
    first, second = np.triu_indices(steps, k=1)
    found[first, second] = found[second, first] = pairs
    return found


def _check_steps(steps: int, left: int) -> None:
    if left % steps:
        raise ConfigError(
            f"steps {steps} does not divide the {left} time step(s) that the backbone leaves of a clip; change steps, "
            "clip.frames or backbone.last_stage_time"
        )


def _check_lengths(long: int, videos: int, span: int) -> None:
    if long < 2:
        raise DataError(
            f"{long} of {videos} test videos are as long as a clip, which spans {span} frames; time steps are compared "
            "with those of other videos, so there must be two or more"
        )


def _check(options: TimestepsOptions, cell: CellConfig) -> None:
    _check_steps(options.steps, timesteps_left(cell))


def _long_enough(cell: CellConfig, splits: LabelledSplits) -> int:
    return sum(splits.lengths[video.index] >= cell.clip.span for video in splits.test)


def _check_data(options: TimestepsOptions, cell: CellConfig, splits: LabelledSplits) -> None:
    _check_lengths(_long_enough(cell, splits), len(splits.test), cell.clip.span)


def _workload(options: TimestepsOptions, cell: CellConfig, data: Chosen, splits: LabelledSplits) -> Workload:
    return Workload(_long_enough(cell, splits), options.clips, cell.clip)


def _metrics(options: TimestepsOptions) -> tuple[str, ...]:
    return ("apart", "within", *(f"steps@{apart}" for apart in range(1, options.steps)), "between")


COMPONENT = Component(
    kind="protocol",
    options=TimestepsOptions,
    build=Timesteps,
    check=_check,
    metrics=_metrics,
    check_data=_check_data,
    workload=_workload,
)
