"""Similarity of features: of a video's clips by their distance, of copies augmented in time, of different videos.

SSTL's Figures 1 and 2 (OpenReview WEnXA3sAwV7), on the test videos and the pooled features of the frozen backbone.
Every number is a cosine times 100. The paper's appendix calls similarity within a video "inter-video"; here it is
``within``.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field, field_validator

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, Component
from raysl.config.options import NO_UNIT, option
from raysl.config.sections import ClipOptions, TemporalOptions
from raysl.data.catalog import Video
from raysl.errors import DataError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.per_clip_protocol import PerClipOptions, PerClipProtocol
from raysl.evaluation.protocol import EvaluationResult, LabelledVideos, Task, check_finite, percent, prediction_table
from raysl.evaluation.workload import Workload
from raysl.streams import stream
from raysl.views.evaluation_clips import augmented_copy, clips_at, evaluation_placements

if TYPE_CHECKING:
    from torch import Tensor

    from raysl.data.source import VideoSource
    from raysl.evaluation.clip_similarity import ClipSimilarities, Floats


class SimilarityOptions(PerClipOptions):
    """Options of the analysis."""

    videos: int | None = option(
        2000,
        doc="test videos at most, drawn at random and the same for every cell; null: all",
        unit="videos",
        source="ours; printed: SSTL Figure 2: 50 000",
        ge=2,
        le=10**8,
    )
    videos_seed: int = option(0, doc="seed of the draw of videos", unit=NO_UNIT, source="ours", ge=0, le=2**31 - 1)
    distances: tuple[Annotated[float, Field(gt=0, le=1)], ...] = option(
        (0.25, 0.5, 0.75, 1.0),
        doc="upper ends of the bins of the distance of two clips of a video",
        unit="share of the video's length",
        source="ours; SSTL Figure 2 (b)",
    )
    buffers: tuple[Annotated[float, Field(ge=0, le=2)], ...] = option(
        (0.0, 0.25, 0.5, 0.75, 1.0),
        doc="strengths of augmentation in time: buffer_frames of the copies that clips are compared with",
        unit="share of the clip's frames",
        source="printed: SSTL Table 4: 0, 8, 12, 16 of 16 frames",
    )
    dropped_share: float = option(
        0.375,
        doc="share of the buffer that dropped_frames is, rounded down",
        unit="share",
        source="inferred: SSTL Table 4: 4 of 12, 6 of 16",
        ge=0,
        le=0.5,
    )
    max_rate: float = option(
        1.25, doc="playback rate of the copies, 1 to this", unit=NO_UNIT, source="printed: SSTL", ge=1, le=16
    )

    @field_validator("distances", "buffers")
    @classmethod
    def _increasing(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if list(values) != sorted(set(values)):
            raise ValueError(f"must increase: {list(values)}")
        return values

    def temporal(self, strength: float, frames: int) -> TemporalOptions:
        """Augmentation in time of this strength, for clips of ``frames``."""
        buffer = round(strength * frames)
        dropped = int(buffer * self.dropped_share)
        return TemporalOptions(
            buffer_frames=buffer, dropped_frames=dropped, max_rate=self.max_rate if buffer > dropped else 1.0
        )


class Similarity(PerClipProtocol):
    """Similarities within and between videos.

    Metrics: ``apart``, percent of videos whose clips are more alike than they are to those of any other video;
    ``within``, ``between``, mean similarity of two clips of a video, and of clips of two videos; ``distance@0.5``, of
    two clips of a video, whose distance is in the bin that ends there; ``augmented@0.5``, of a clip with its copy taken
    from half as many frames more. Every video counts the same. A bin without a pair has no metric.

    A clip and its copy have the same centre crop and, if the video is long enough, the same middle.
    """

    def __init__(self, options: SimilarityOptions) -> None:
        self.options = options

    def evaluate(self, task: Task) -> EvaluationResult:
        """Predictions have the metrics of each video, missing if it has no such pair."""
        from raysl.distributed import on_first_rank
        from raysl.evaluation.clip_similarity import ClipSimilarities, reduce_clips
        from raysl.evaluation.over_videos import over_videos
        from raysl.models.backbone import pool

        videos, too_short = self._videos(task)

        def features(batch: Tensor) -> Tensor:
            return pool(task.backbone(batch).float())

        values = over_videos(
            features,
            task.backbone,
            task.source,
            videos,
            task.clip,
            self.options.clips * (1 + len(self.options.buffers)),
            batch_clips=task.batch_clips,
            device=task.device,
            precision=task.precision,
            load=partial(_own_and_copies, task.source, task.clip, task.seed, self.options),
            reduce=partial(reduce_clips, clips=self.options.clips),
        )
        check_finite("test", LabelledVideos.of(videos).path, values)
        found = ClipSimilarities.of(values, self.options.clips, len(self.options.buffers))
        return on_first_rank(partial(self._result, task, videos, found, too_short))

    def _videos(self, task: Task) -> tuple[tuple[Video, ...], int]:
        """The test videos in use, in catalog order, and how many are too short to hold two different clips."""
        from raysl.evaluation.features import labelled_videos

        readable = labelled_videos(task.source, "test")
        long = [video for video in readable if task.source.length(video.index) > task.clip.span]
        _check_lengths(len(long), len(readable), task.clip)
        order = stream(self.options.videos_seed, "similarity", "videos").permutation(len(long))
        return tuple(long[row] for row in sorted(order[: self.options.videos].tolist())), len(readable) - len(long)

    def _result(
        self, task: Task, videos: tuple[Video, ...], found: ClipSimilarities, too_short: int
    ) -> EvaluationResult:
        from raysl.evaluation.clip_similarity import BINS, counts, other_videos

        lengths = [task.source.length(video.index) for video in videos]
        distances = np.stack([self._distances(length, task.clip) for length in lengths])
        others = other_videos(found.mean)
        by_video = self._by_video(found, distances) | {"between": others.mean}
        apart = by_video["within"] > others.nearest
        measured = {name: values for name, values in by_video.items() if not np.isnan(values).all()}
        metrics = {"apart": percent(apart)} | {name: float(np.nanmean(values)) for name, values in measured.items()}
        longest = self.options.temporal(max(self.options.buffers, default=0), task.clip.frames)
        details: dict[str, object] = {
            "test_videos": len(videos),
            "too_short": too_short,
            "shorter_than_longest_copy": sum(
                length < task.clip.span + longest.buffer_frames * task.clip.stride for length in lengths
            ),
            "band": {name: _band(values) for name, values in measured.items()},
            "histogram": {
                "edges": BINS.tolist(),
                "within": counts(found.pairs[distances > 0]).tolist(),
                "between": others.histogram.tolist(),
            },
        }
        columns = {**by_video, "nearest_other": others.nearest}
        return EvaluationResult(metrics, prediction_table(LabelledVideos.of(videos), apart, **columns), details)

    def _distances(self, length: int, clip: ClipOptions) -> Floats:
        from raysl.evaluation.clip_similarity import pair_distances

        placements = evaluation_placements(length, clip, self.options.clips)
        return pair_distances([placement.start for placement in placements], length)

    def _by_video(self, found: ClipSimilarities, distances: Floats) -> dict[str, Floats]:
        """From metric to ``[V]``. Clips of a video hardly longer than a clip may be identical: those are no pairs."""
        from raysl.evaluation.clip_similarity import mean_where

        bins = {
            f"distance@{upper:g}": mean_where(found.pairs, (distances > lower) & (distances <= upper))
            for lower, upper in pairwise((0.0, *self.options.distances))
        }
        copies = {f"augmented@{share:g}": found.augmented[:, kind] for kind, share in enumerate(self.options.buffers)}
        return {"within": mean_where(found.pairs, distances > 0), **bins, **copies}


def _own_and_copies(
    source: VideoSource, clip: ClipOptions, seed: int, options: SimilarityOptions, video: Video
) -> Tensor:
    """``[K + E K, 3, T, H, W]``: evenly spaced clips, then the copies of each strength."""
    length = source.length(video.index)
    own = evaluation_placements(length, clip, options.clips)
    copies = [
        augmented_copy(
            placement,
            length,
            clip,
            options.temporal(strength, clip.frames),
            stream(seed, video.index, number, f"{strength:g}", "similarity"),
        )
        for strength in options.buffers
        for number, placement in enumerate(own)
    ]
    return clips_at(source, video.index, clip, [*own, *copies])


def _band(values: Floats) -> list[float]:
    """The interval that holds 95 % of the videos."""
    return [float(end) for end in np.nanpercentile(values, [2.5, 97.5])]


def _check_lengths(long: int, videos: int, clip: ClipOptions) -> None:
    if long < 2:
        raise DataError(
            f"{long} of {videos} test videos are longer than a clip, which spans {clip.span} frames; similarity "
            "compares different clips of two videos or more"
        )


def _check_data(options: SimilarityOptions, cell: CellConfig, splits: LabelledSplits) -> None:
    long = sum(splits.lengths[video.index] > cell.clip.span for video in splits.test)
    _check_lengths(long, len(splits.test), cell.clip)


def _workload(options: SimilarityOptions, cell: CellConfig, data: Chosen, splits: LabelledSplits) -> Workload:
    long = sum(splits.lengths[video.index] > cell.clip.span for video in splits.test)
    videos = long if options.videos is None else min(long, options.videos)
    return Workload(videos, options.clips * (1 + len(options.buffers)), cell.clip)


def _metrics(options: SimilarityOptions) -> tuple[str, ...]:
    """A bin without a pair of clips has no metric."""
    distances = (f"distance@{upper:g}" for upper in options.distances)
    copies = (f"augmented@{share:g}" for share in options.buffers)
    return ("apart", "within", *distances, *copies, "between")


COMPONENT = Component(
    kind="protocol",
    options=SimilarityOptions,
    build=Similarity,
    metrics=_metrics,
    check_data=_check_data,
    workload=_workload,
)
