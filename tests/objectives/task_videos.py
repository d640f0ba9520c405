"""Videos and batches for tests of pretext tasks, from the pipeline that training reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.identity import resolved
from raysl.config.load import cell_from
from raysl.data.source import VideoSource
from raysl.streams import stream
from raysl.testing.videos import MovingSource, in_float64, loaded_batches
from raysl.views.pipeline import ViewPipeline
from raysl.views.task_views import TaskViews, VideoPlan, task_views
from tests.views.numbered import numbered_cell

__all__ = [
    "MovingSource",
    "assert_balanced",
    "assert_same_law",
    "delivered",
    "in_float64",
    "loaded_batches",
    "plans",
    "with_tasks",
]


def with_tasks(tasks: Mapping[str, Mapping[str, Any]], **changes: Any) -> CellConfig:
    """`numbered_cell` with pretext tasks beside SimCLR; ``changes`` as there."""
    data = resolved(numbered_cell(**changes))
    data["objective"]["pretext"] = {name: dict(options) for name, options in tasks.items()}
    return cell_from(data, "a test's cell")


def delivered(
    cell: CellConfig, source: VideoSource, views: Sequence[str], draws: int
) -> Iterator[tuple[dict[str, Tensor], dict[str, int], dict[str, float]]]:
    """Clips by view, answers, and centres by view, of video 0 in as many epochs."""
    pipeline = ViewPipeline(cell, source, tuple(views))
    for epoch in range(draws):
        rows = pipeline.empty(1)
        loaded = pipeline(0, epoch, {name: clips[0] for name, clips in rows.items()})
        centers = {name: origin.center for name, origin in loaded.origins.items()}
        yield {name: clips[0].clone() for name, clips in rows.items()}, loaded.targets, centers


def plans(cell: CellConfig, task: str, length: int, draws: int) -> Iterator[VideoPlan]:
    """What a task decides for a video of ``length`` frames, without pixels."""
    views: TaskViews = task_views(cell)[task]
    for draw in range(draws):
        plan = VideoPlan(length, cell.clip, {})
        views.apply(plan, stream(0, draw, task))
        yield plan


def assert_balanced(counts: Sequence[int]) -> None:
    """All equally likely: no count is four standard deviations from its mean."""
    draws, share = sum(counts), 1 / len(counts)
    assert draws > 0
    off = (torch.tensor(counts) - draws * share).abs() / (draws * share * (1 - share)) ** 0.5
    assert off.max() < 4, counts


def assert_same_law(samples: Sequence[Sequence[float]]) -> None:
    """Kolmogorov-Smirnov for every two of the samples, at about one in a thousand."""
    for index, one in enumerate(samples):
        for other in samples[:index]:
            points = np.concatenate([one, other])
            shares = [np.searchsorted(np.sort(sample), points, side="right") / len(sample) for sample in (one, other)]
            bound = 1.95 * (1 / len(one) + 1 / len(other)) ** 0.5
            assert np.abs(shares[0] - shares[1]).max() < bound
