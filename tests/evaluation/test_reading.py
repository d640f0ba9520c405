"""How clips are read for features: crops, another clip, pooling over space, unit length, clips of training videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.protocol import Task
from raysl.views.center_crop import center_crop, three_crops
from raysl.views.evaluation_clips import evaluation_clips
from tests.evaluation.tiny import CLIP, CPU, backbone, evaluation


def features(source: VideoSource, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the training and the test videos."""
    config = evaluation("retrieval", "label", **options)
    task = Task(backbone(), source, CLIP, 0, CPU, batch_clips=4, label="label", options=config.protocol.options)
    train, test = (config.protocol.build().features(task, split) for split in ("train", "test"))
    return torch.from_numpy(train.values), torch.from_numpy(test.values)


def maps(source: VideoSource, index: int, clips: int, crops: int = 1, clip: Any = CLIP) -> Tensor:
    """``[clips * crops, D, T', H', W']``"""
    with torch.inference_mode():
        return backbone().eval()(evaluation_clips(source, index, clip, clips, crops))


def rows(source: VideoSource, split: str = "test") -> list[int]:
    return [video.index for video in source.readable(split)]


def test_three_crops_lie_at_both_ends_of_the_long_side() -> None:
    wide = torch.arange(2 * 3 * 4 * 10, dtype=torch.uint8).view(2, 3, 4, 10)
    left, middle, right = three_crops(wide, 4)
    for found, columns in ((left, slice(0, 4)), (middle, slice(3, 7)), (right, slice(6, 10))):
        assert torch.equal(found, wide[..., columns].float().div(255).transpose(0, 1))
    top, _, bottom = three_crops(wide.transpose(2, 3), 4)
    assert torch.equal(top, left.transpose(2, 3))
    assert torch.equal(bottom, right.transpose(2, 3))
    assert torch.equal(middle, center_crop(wide, 4))
    square = wide[..., :4]
    assert all(torch.equal(one, center_crop(square, 2)) for one in three_crops(square, 2))


def test_crops_of_a_clip_follow_one_another_and_are_averaged(tiny: VideoSource) -> None:
    index = rows(tiny)[0]
    three, one = (evaluation_clips(tiny, index, CLIP, 2, crops) for crops in (3, 1))
    assert torch.equal(three[1::3], one)
    assert not torch.equal(three[0], three[2])
    _, found = features(tiny, clips=2, crops=3)
    expected = torch.stack([maps(tiny, own, 2, 3).mean(dim=(2, 3, 4)).mean(dim=0) for own in rows(tiny)])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_pooling_over_space_keeps_the_timesteps_side_by_side(tiny: VideoSource) -> None:
    _, found = features(tiny, clips=2, pool="space")
    expected = torch.stack([maps(tiny, own, 2).mean(dim=(3, 4)).flatten(1).mean(dim=0) for own in rows(tiny)])
    assert found.shape[1] == backbone().feature_dim * maps(tiny, rows(tiny)[0], 1).shape[2]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_each_clip_has_unit_length_before_the_mean(tiny: VideoSource) -> None:
    _, found = features(tiny, clips=3, normalize_clips=True)
    pooled = [maps(tiny, own, 3).mean(dim=(2, 3, 4)) for own in rows(tiny)]
    expected = torch.stack([(one / one.norm(dim=1, keepdim=True)).mean(dim=0) for one in pooled])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_another_clip_and_other_numbers_of_clips_for_training_videos(tiny: VideoSource) -> None:
    train, test = features(tiny, clips=3, train_clips=1)
    same_train, _ = features(tiny, clips=1)
    _, same_test = features(tiny, clips=3)
    assert torch.equal(train, same_train)
    assert torch.equal(test, same_test)
    changed = CLIP.model_copy(update={"stride": 2, "frames": 6})
    _, found = features(tiny, clips=1, clip={"stride": 2, "frames": 6})
    expected = torch.stack([maps(tiny, own, 1, clip=changed).mean(dim=(2, 3, 4))[0] for own in rows(tiny)])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match=r"evaluation label: clip\.size 64 is larger than clip\.resize 32"):
        features(tiny, clip={"size": 64})


class Counting(VideoSource):
    """Keeps how often each video was read."""

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source.catalog, source.manifest, source.root, source.cache)
        self.read: dict[int, int] = {}

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        self.read[index] = self.read.get(index, 0) + 1
        return super().frames(index, frame_indices)


def test_equal_features_are_extracted_once(tiny: VideoSource) -> None:
    """By data set, split, clips, crops, pooling: three evaluations of one gallery read it once."""
    source = Counting(tiny)
    wanted = {
        "linear": evaluation("linear", "linear", clips=2, c=1.0),
        "retrieval": evaluation("retrieval", "retrieval", clips=2),
        "fewer": evaluation("retrieval", "fewer", clips=1, train_clips=2),
        "normalized": evaluation("retrieval", "normalized", clips=2, normalize_clips=True),
    }
    results = evaluate(backbone(), wanted, CLIP, lambda _: source, seed=0, device=CPU, batch_clips=4)
    assert list(results) == list(wanted)
    assert {source.read[index] for index in rows(tiny, "train")} == {2}
    assert {source.read[index] for index in rows(tiny)} == {3}
    alone = evaluate(backbone(), {"one": wanted["fewer"]}, CLIP, lambda _: tiny, seed=0, device=CPU, batch_clips=4)
    assert alone["one"].metrics == results["fewer"].metrics
    np.testing.assert_array_equal(alone["one"].predictions["correct"], results["fewer"].predictions["correct"])
