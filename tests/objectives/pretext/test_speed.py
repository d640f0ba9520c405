"""Speed: the answer is the stride of the delivered clip, and neither its place nor its length tells it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.errors import ConfigError
from raysl.objectives.pretext.speed import SpeedOptions
from raysl.objectives.pretext.speed_term import Speed
from raysl.views.batch import Batch
from raysl.views.loader import PretrainingLoader
from tests.objectives.batches import context, view
from tests.objectives.task_videos import assert_balanced, assert_same_law, delivered, plans, with_tasks
from tests.views.numbered import NumberedSource, numbers, steps

CLIP = {"frames": 6, "stride": 3}
SPAN = {1: 16, 2: 31, 4: 61}


def cell(clip: dict[str, Any] | None = None, **changes: Any) -> CellConfig:
    return with_tasks({"speed": {}}, clip=CLIP | (clip or {}), **changes)


def test_the_answer_is_the_stride_of_the_delivered_clip_and_the_partner_is_at_rate_one() -> None:
    seen = set()
    for clips, answers, centers in delivered(cell(), NumberedSource(100), ("speed", "query"), 40):
        shown, partner = (numbers(clips[name]) for name in ("speed", "query"))
        rate = (1, 2, 4)[answers["speed/speed"]]
        assert [b - a for a, b in pairwise(shown)] == [3 * rate] * 5
        assert [b - a for a, b in pairwise(partner)] == [3] * 5
        assert centers["speed"] == pytest.approx((shown[0] + shown[-1]) / 200)
        seen.add((rate, shown[0] == partner[0]))
    assert {rate for rate, _ in seen} == {1, 2, 4}
    assert (1, False) in seen, "at rate 1 the partner is another clip"


def test_subtracted_frames() -> None:
    given = delivered(cell({"input": "difference"}), NumberedSource(100), ("speed",), 20)
    assert all(steps(clips["speed"]) == [3 * 2 ** answers["speed/speed"]] * 6 for clips, answers, _ in given)


def test_rates_are_balanced_and_neither_place_nor_length_tells_them() -> None:
    middles: list[list[float]] = [[], [], []]
    frames = set()
    for plan in plans(cell(), "speed", 100, 6000):
        placement = plan.placements["speed"]
        # Half a frame is lost where the strides differ by an odd number of frames in all.
        middles[plan.targets["speed/speed"]].append(placement.center(100) // 0.02)
        frames.add(len(placement.indices(100)))
        assert 0 <= placement.start <= 100 - SPAN[placement.stride // 3]
    assert frames == {6}
    assert_balanced([len(of_rate) for of_rate in middles])
    assert_same_law(middles)


def test_a_video_too_short_for_a_rate_keeps_it_and_wraps() -> None:
    counts = [0, 0, 0]
    for plan in plans(cell(), "speed", 40, 3000):
        placement, answer = plan.placements["speed"], plan.targets["speed/speed"]
        assert placement.stride == 3 * (1, 2, 4)[answer]
        assert (placement.start + SPAN[placement.stride // 3] > 40) <= (answer == 2)
        counts[answer] += 1
    assert_balanced(counts)


def loader(*lengths: int) -> PretrainingLoader:
    return PretrainingLoader(cell(), NumberedSource(*lengths), view_names=("speed", "query"), rank=0, world_size=1)


def test_videos_too_short_for_the_highest_rate_are_counted() -> None:
    assert loader(61, 61).too_short == 0
    made = loader(61, 60, 20, 100)
    assert made.too_short == 2
    assert sum(batch.size for batch in made.epoch(0)) == 4


def test_a_set_of_rates_that_no_video_can_fill_is_refused_with_how_many_fit_each() -> None:
    message = r"pretext\.speed: none of the 3 .* 60 frames: rate 1 spans 16 .* 3 of them .* rate 2 .*31.* 2 of them .*"
    with pytest.raises(ConfigError, match=message + r"rate 4 spans 61 frames of video, which 0 of them"):
        loader(60, 20, 40)


def term(**options: Any) -> Speed:
    torch.manual_seed(0)
    return Speed(SpeedOptions(hidden_dim=7, **options), context()).double()


def test_the_head_is_its_formula() -> None:
    head: Any = term(rates=(1, 3))
    generator = torch.Generator().manual_seed(0)
    features = {name: torch.rand(4, 6, generator=generator).double() for name in head.view_names}
    answers = torch.tensor([0, 1, 1, 0])
    batch = Batch({"query": view(torch.zeros(4, 3, 2, 2, 2))}, {"speed/speed": answers})
    first, _, last = head.layers
    losses = []
    for shown, partner, answer in zip(features["speed"], features["query"], answers.tolist(), strict=True):
        difference = head.each.weight @ shown - head.each.weight @ partner
        logits = last.weight @ torch.relu(first.weight @ difference + first.bias) + last.bias
        losses.append(logits.logsumexp(0) - logits[answer])
    output = head(features, batch)
    torch.testing.assert_close(output.loss, torch.stack(losses).mean())
    assert output.metrics["speed_majority"] == 0.5


def test_options_are_checked() -> None:
    for rates in ((2, 1), (1, 1), (1,), (0, 1)):
        with pytest.raises(ValueError, match="rates"):
            SpeedOptions(rates=rates)
    with pytest.raises(ValueError, match="own"):
        SpeedOptions(view="pair")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sampling": {"playback_rates": [1, 2]}}, r"strides 3, 6 instead of clip\.stride 3"),
        ({"sampling": {"pair": {"name": "skips", "skips": [1, 2]}}}, r"strides 1, 2 instead"),
        ({"sampling": {"pair": None, "windows": {"name": "global_local"}}}, r"set sampling\.pair"),
        ({"sampling": {"windows": {"name": "global_local", "instance_pair": "reuse_global"}}}, "instance_pair: random"),
    ],
)
def test_a_partner_at_another_rate_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        cell(**changes)


def test_augmentation_alone_compares_with_nothing() -> None:
    assert with_tasks({"speed": {"supervise": False}}, sampling={"playback_rates": [1, 2]})
