"""Attention maps, with a backbone that passes on the pixels themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysl.config.component import find
from raysl.config.sections import ClipOptions
from raysl.data.catalog import Catalog, Video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.protocol import EvaluationResult, Task
from raysl.evaluation.protocols.attention import AttentionOptions, attention, change, correlations
from raysl.models.backbone import Backbone
from tests.cells import tiny_cell
from tests.evaluation.tiny import DATA

RESIZE = 32
BLINKING, STILL = (0, 1), (1, 0)
"""Row and column, of four places, that changes from frame to frame, and that is bright and does not."""


class Blinking(VideoSource):
    """Test videos of 20 frames, of which a quarter blinks and another is bright."""

    def __init__(self, videos: int) -> None:
        listed = tuple(Video(i, f"{i}.mp4", i % 2, "test") for i in range(videos))
        rows = tuple(ManifestRow(f"{i}.mp4", 20, 20, (0,), RESIZE, RESIZE, 25.0, f"{i}", False) for i in range(videos))
        nowhere = Path("nowhere")
        catalog, manifest = Catalog("blinking", ("a", "b"), listed), Manifest("blinking", rows)
        super().__init__(catalog, manifest, nowhere, FrameCache(nowhere, RESIZE, 0))

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        places = torch.full((len(frame_indices), 3, 2, 2), 110, dtype=torch.uint8)
        places[:, :, STILL[0], STILL[1]] = 250
        blinks = torch.tensor([255 if frame % 2 else 0 for frame in frame_indices], dtype=torch.uint8)
        places[:, :, BLINKING[0], BLINKING[1]] = blinks[:, None]
        return places.repeat_interleave(RESIZE // 2, dim=2).repeat_interleave(RESIZE // 2, dim=3)


class Pixels(Backbone):
    """Of each quarter the mean of the clip (``bright``), or of what changes from frame to frame."""

    feature_dim = 3

    def __init__(self, bright: bool) -> None:
        super().__init__()
        self.bright = bright

    def forward(self, clips: Tensor) -> Tensor:
        seen = clips if self.bright else clips[:, :, 1:] - clips[:, :, :-1]
        return torch.nn.functional.adaptive_avg_pool3d(seen if self.bright else seen.abs(), (2, 2, 2))


def measured(network: Backbone, videos: int = 7, kind: Any = "rgb", **options: Any) -> EvaluationResult:
    clip = ClipOptions(frames=8, stride=1, size=RESIZE, resize=RESIZE, input=kind)
    task = Task(network, Blinking(videos), clip, 0, torch.device("cpu"))
    result: EvaluationResult = find("protocol", "attention").build(AttentionOptions(**options)).evaluate(task)
    return result


def test_a_network_that_follows_motion_and_one_that_follows_brightness() -> None:
    moving, bright = (measured(Pixels(bright=one), clips=2) for one in (False, True))
    assert moving.metrics == {"on_motion": 100.0, "motion_correlation": pytest.approx(100, abs=1e-3)}
    assert bright.metrics["on_motion"] == 0
    assert bright.metrics["motion_correlation"] < 0
    np.testing.assert_allclose(moving.predictions["motion_correlation"], 100, atol=1e-3)


def test_the_maps_of_a_few_videos_are_kept_the_same_for_every_network() -> None:
    kept: list[Any] = [measured(Pixels(bright=one)).details["attention"] for one in (False, True)]
    assert [one["video"] for one in kept[0]] == ["0.mp4", "1.mp4", "3.mp4", "4.mp4", "6.mp4"]
    assert [one["video"] for one in kept[1]] == [one["video"] for one in kept[0]]
    for maps, strongest in zip(kept, (BLINKING, STILL), strict=True):
        values, changes = np.array(maps[0]["map"]), np.array(maps[0]["change"])
        assert values[strongest] == values.max() == 1
        assert changes[BLINKING] == changes.max() == 1


def test_differences_are_not_subtracted_again() -> None:
    class Differences(Pixels):
        def forward(self, clips: Tensor) -> Tensor:
            return torch.nn.functional.adaptive_avg_pool3d(clips.abs(), (2, 2, 2))

    assert measured(Differences(True), kind="difference").metrics["motion_correlation"] == pytest.approx(100, abs=1e-3)
    clips = torch.arange(8.0).view(1, 1, 8, 1, 1).expand(1, 3, 8, 2, 2)
    assert change(clips, already=False).unique().tolist() == [1.0]
    assert change(clips, already=True).unique().tolist() == [3.5]


def test_the_map_is_the_mean_of_squares_over_channels_and_time() -> None:
    found = attention(torch.tensor([3.0, -4.0]).view(1, 2, 1, 1, 1).expand(1, 2, 5, 2, 3))
    assert found.shape == (1, 2, 3)
    assert found.unique().tolist() == [12.5]


def test_correlations_are_pearsons_and_none_where_there_is_no_spread() -> None:
    rows = np.random.default_rng(0).normal(size=(2, 4, 9))
    expected = [np.corrcoef(one, other)[0, 1] for one, other in zip(*rows, strict=True)]
    np.testing.assert_allclose(correlations(rows[0], rows[1]), expected)
    assert correlations(np.ones((1, 9)), rows[1][:1]).tolist() == [0.0]
    assert correlations(1e6 + np.zeros((1, 9)), rows[1][:1]).tolist() == [0.0]


def test_a_map_without_places_is_refused() -> None:
    class Pooled(Pixels):
        def forward(self, clips: Tensor) -> Tensor:
            return super().forward(clips).mean(dim=(3, 4), keepdim=True)

    with pytest.raises(ConfigError, match=r"1 position\(s\) to compare"):
        measured(Pooled(True))


def test_its_clips_are_counted() -> None:
    component = find("protocol", "attention")
    assert component.workload is not None
    splits = LabelledSplits.of(Blinking(5).snapshot)
    found = component.workload(AttentionOptions(clips=3), tiny_cell(), DATA, splits)
    assert (found.videos, found.clips) == (5, 3)
