"""Similarity of clips, with a backbone whose feature is an angle that follows the frame's number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysl.config.component import find
from raysl.config.sections import ClipOptions, TemporalOptions
from raysl.data.catalog import Catalog, Video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.source import VideoSource
from raysl.errors import DataError
from raysl.evaluation.clip_similarity import BINS, ClipSimilarities, other_videos, reduce_clips
from raysl.evaluation.protocol import EvaluationResult, Task
from raysl.evaluation.protocols.similarity import SimilarityOptions
from raysl.models.backbone import Backbone
from raysl.streams import stream
from raysl.views.clip_input import MEAN, STD
from raysl.views.evaluation_clips import augmented_copy, evaluation_placements

CLIP = ClipOptions(frames=8, stride=2, size=16, resize=16)
"""Spans 15 frames."""
LENGTHS = (120, 60, 200, 31)
EXACT = 1e-3
"""Of 100: pixels of 8 bits come back from normalisation in float32."""


class NumberedTest(VideoSource):
    """Test videos; frame i of video v has the red value i and the green value v."""

    def __init__(self, *lengths: int) -> None:
        videos = tuple(Video(i, f"{i}.mp4", i % 2, "test") for i in range(len(lengths)))
        rows = tuple(ManifestRow(f"{i}.mp4", n, n, (0,), 16, 16, 25.0, f"{i}", False) for i, n in enumerate(lengths))
        nowhere = Path("nowhere")
        super().__init__(
            Catalog("numbered", ("a", "b"), videos), Manifest("numbered", rows), nowhere, FrameCache(nowhere, 16, 0)
        )

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        pixels = torch.zeros(len(frame_indices), 3, 16, 16, dtype=torch.uint8)
        pixels[:, 0] = torch.tensor(frame_indices, dtype=torch.uint8)[:, None, None]
        pixels[:, 1] = index
        return pixels


class Clock(Backbone):
    """The clip's mean frame number as an angle in a plane of the video's own, degrees; of any length.

    Args:
        shared: the cosine with which the planes of two videos are alike.
    """

    feature_dim = 16

    def __init__(self, shared: float = 0.0) -> None:
        super().__init__()
        self.shared = shared

    def forward(self, clips: Tensor) -> Tensor:
        value = clips.mean(dim=(2, 3, 4)) * torch.tensor(STD) + torch.tensor(MEAN)
        frame, video = 255 * value[:, 0], (255 * value[:, 1]).round().long()
        angle = torch.deg2rad(frame)
        features = torch.zeros(len(clips), 16)
        rows = torch.arange(len(clips))
        features[rows, 2 * video] = torch.cos(angle) * math.sqrt(1 - self.shared)
        features[rows, 2 * video + 1] = torch.sin(angle) * math.sqrt(1 - self.shared)
        features[:, 15] = math.sqrt(self.shared)
        return (7.0 * features)[:, :, None, None, None]


def measured(source: VideoSource, network: Backbone | None = None, **options: Any) -> EvaluationResult:
    chosen = SimilarityOptions(**options)
    task = Task(network or Clock(), source, CLIP, 5, torch.device("cpu"), batch_clips=30)
    result: EvaluationResult = find("protocol", "similarity").build(chosen).evaluate(task)
    return result


def cosine(first: float, second: float) -> float:
    return 100 * math.cos(math.radians(first - second))


def clips_of(length: int, count: int) -> list[list[int]]:
    return [placement.indices(length) for placement in evaluation_placements(length, CLIP, count)]


def test_within_between_and_apart() -> None:
    result = measured(NumberedTest(*LENGTHS), clips=4)
    expected = []
    for length in LENGTHS:
        middles = [float(np.mean(clip)) for clip in clips_of(length, 4)]
        expected.append(np.mean([cosine(one, other) for one, other in combinations(middles, 2)]))
    assert result.metrics["within"] == pytest.approx(np.mean(expected), abs=EXACT)
    np.testing.assert_allclose(result.predictions["within"], expected, atol=EXACT)
    assert result.metrics["between"] == pytest.approx(0, abs=EXACT)
    assert next(iter(result.metrics)) == "apart"
    assert result.metrics["apart"] == 100 * np.mean([value > 0 for value in expected])


def test_videos_that_are_all_alike_are_not_apart() -> None:
    result = measured(NumberedTest(*LENGTHS), Clock(shared=0.999), clips=4)
    assert result.metrics["between"] == pytest.approx(99.9, abs=EXACT)
    np.testing.assert_allclose(result.predictions["nearest_other"], 99.9, atol=EXACT)
    apart = result.predictions["within"] > 99.9
    assert result.predictions["correct"].tolist() == apart.tolist()
    assert not apart.all()


def test_similarity_by_distance() -> None:
    """Bins of a fifth of the video; the mean over videos of each video's mean over its pairs."""
    result = measured(NumberedTest(*LENGTHS), clips=6, distances=(0.2, 0.4, 0.6, 0.8, 1.0))
    by_bin: dict[float, list[float]] = {}
    for length in LENGTHS:
        own: dict[float, list[float]] = {}
        for one, other in combinations(clips_of(length, 6), 2):
            share = (other[0] - one[0]) / length
            upper = next(end for end in (0.2, 0.4, 0.6, 0.8, 1.0) if share <= end)
            own.setdefault(upper, []).append(cosine(float(np.mean(one)), float(np.mean(other))))
        for upper, values in own.items():
            by_bin.setdefault(upper, []).append(float(np.mean(values)))
    found = {name: value for name, value in result.metrics.items() if name.startswith("distance@")}
    assert found == {f"distance@{upper:g}": pytest.approx(np.mean(by_bin[upper]), abs=EXACT) for upper in by_bin}
    assert len(by_bin[0.2]) == 4
    assert len(by_bin[0.8]) == 3, "in the shortest video no two clips are so far apart"
    assert result.predictions["distance@0.8"].isna().tolist() == [False, False, False, True]


def test_similarity_with_augmented_copies() -> None:
    """8 frames: a buffer of 0, 4 and 8, of which 0, 1 and 3 are dropped."""
    result = measured(NumberedTest(*LENGTHS), clips=3, buffers=(0.0, 0.5, 1.0))
    options = {0.5: TemporalOptions(buffer_frames=4, dropped_frames=1, max_rate=1.25)}
    options[1.0] = TemporalOptions(buffer_frames=8, dropped_frames=3, max_rate=1.25)
    assert result.metrics["augmented@0"] == pytest.approx(100, abs=EXACT)
    for share, temporal in options.items():
        expected = []
        for video, length in enumerate(LENGTHS):
            for number, placement in enumerate(evaluation_placements(length, CLIP, 3)):
                generator = stream(5, video, number, f"{share:g}", "similarity")
                copy = augmented_copy(placement, length, CLIP, temporal, generator).indices(length)
                expected.append(cosine(float(np.mean(placement.indices(length))), float(np.mean(copy))))
        assert result.metrics[f"augmented@{share:g}"] == pytest.approx(np.mean(expected), abs=EXACT)
    assert result.metrics["augmented@0.5"] > result.metrics["augmented@1"]
    assert result.details["shorter_than_longest_copy"] == 0
    assert measured(NumberedTest(30, 40), clips=3).details["shorter_than_longest_copy"] == 1


def test_bands_and_histograms() -> None:
    result = measured(NumberedTest(*LENGTHS), clips=4, buffers=())
    low, high = result.details["band"]["within"]  # type: ignore[index]
    within = result.predictions["within"]
    assert within.min() <= low < high <= within.max()
    histogram = result.details["histogram"]
    assert isinstance(histogram, dict)
    assert len(histogram["edges"]) == len(histogram["within"]) + 1
    assert (sum(histogram["within"]), sum(histogram["between"])) == (4 * 6, 4 * 3)
    zero = int(np.searchsorted(BINS, 0.0))
    assert sum(histogram["between"][zero - 1 : zero + 1]) == 4 * 3


def test_videos_too_short_for_two_clips_are_left_out_and_counted() -> None:
    result = measured(NumberedTest(15, 16, 100, 12), clips=4)
    assert result.predictions["video"].tolist() == [1, 2]
    assert result.details["too_short"] == 2
    of_16 = [cosine(1, 0)]
    assert result.predictions["within"].tolist()[0] == pytest.approx(np.mean(of_16), abs=EXACT), "of different clips"
    with pytest.raises(DataError, match=r"1 of 3 test videos are longer than a clip, which spans 15 frames"):
        measured(NumberedTest(15, 16, 12))


def test_the_videos_drawn_are_the_same_for_every_seed() -> None:
    source = NumberedTest(*[100 + i for i in range(8)])
    found = measured(source, videos=3).predictions["video"].tolist()
    assert found == sorted(found)
    assert len(found) == 3
    task = Task(Clock(), source, CLIP, 6, torch.device("cpu"))
    other = find("protocol", "similarity").build(SimilarityOptions(videos=3)).evaluate(task)
    assert other.predictions["video"].tolist() == found
    assert len({tuple(measured(source, videos=3, videos_seed=seed).predictions["video"]) for seed in range(6)}) > 1


@pytest.mark.parametrize("frames", [4, 8, 16, 64])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0, 2.0])
def test_any_strength_leaves_a_clip(frames: int, share: float) -> None:
    """The dropped frames are never more than can stand apart."""
    temporal = SimilarityOptions(dropped_share=0.5).temporal(share, frames)
    assert temporal.dropped_frames <= frames + 1
    clip = ClipOptions(frames=frames, stride=1, size=16, resize=16)
    for seed in range(20):
        copy = augmented_copy(evaluation_placements(300, clip, 1)[0], 300, clip, temporal, stream(seed))
        assert len(copy.indices(300)) == frames
    dropped = [SimilarityOptions().temporal(n / 16, 16).dropped_frames for n in (12, 16)]
    assert dropped == [4, 6], "as SSTL's Table 4"


@pytest.mark.parametrize("options", [{"distances": (0.5, 0.5)}, {"distances": (1.5,)}, {"buffers": (0.5, 0.25)}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must increase|less than or equal to 1"):
        SimilarityOptions(**options)


@pytest.mark.parametrize(("videos", "clips", "kinds"), [(1, 2, 0), (3, 4, 2), (5, 3, 1)])
def test_reduction_against_loops(videos: int, clips: int, kinds: int) -> None:
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(videos, clips * (1 + kinds), 6)))
    found = ClipSimilarities.of(reduce_clips(features, clips).numpy(), clips, kinds)
    for video, rows in enumerate(features.numpy()):
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        pairs = [100 * unit[i] @ unit[j] for i, j in combinations(range(clips), 2)]
        np.testing.assert_allclose(found.pairs[video], pairs, rtol=1e-12)
        for kind in range(kinds):
            copies = [unit[k] @ unit[(1 + kind) * clips + k] for k in range(clips)]
            assert found.augmented[video, kind] == pytest.approx(100 * np.mean(copies))
        np.testing.assert_allclose(found.mean[video], unit[:clips].mean(axis=0), rtol=1e-12)


def test_other_videos_against_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raysl.evaluation.clip_similarity.VIDEOS_AT_ONCE", 2)
    mean = np.random.default_rng(1).normal(size=(5, 4)) / 4
    found = other_videos(mean)
    for video in range(5):
        others = [100 * mean[video] @ mean[other] for other in range(5) if other != video]
        assert found.mean[video] == pytest.approx(np.mean(others))
        assert found.nearest[video] == pytest.approx(max(others))
    every = [100 * mean[i] @ mean[j] for i in range(5) for j in range(5) if i != j]
    assert found.histogram.tolist() == np.histogram(every, BINS)[0].tolist()
