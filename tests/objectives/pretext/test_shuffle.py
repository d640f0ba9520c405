"""Shuffle: the answer is the one clip whose frames are out of order; nothing else tells it."""

from __future__ import annotations

import math
from collections import Counter
from itertools import accumulate
from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.errors import ConfigError
from raysl.objectives.pretext.shuffle import ShuffleOptions
from raysl.objectives.pretext.shuffle_term import Shuffle
from raysl.views.batch import Batch
from tests.objectives.batches import context, view
from tests.objectives.task_videos import assert_balanced, assert_same_law, delivered, plans, with_tasks
from tests.views.numbered import NumberedSource, numbers, steps

VIEWS = ("shuffle/0", "shuffle/1", "shuffle/2")


def cell(frames: int = 8, **clip: Any) -> CellConfig:
    return with_tasks({"shuffle": {}}, clip={"frames": frames, "stride": 3, **clip})


def test_the_answer_is_the_clip_out_of_order_of_three_in_a_row() -> None:
    odd = []
    for clips, answers, centers in delivered(cell(), NumberedSource(90), VIEWS, 40):
        shown = [numbers(clips[name]) for name in VIEWS]
        (found,) = [index for index, frames in enumerate(shown) if frames != sorted(frames)]
        assert answers["shuffle"] == found
        in_order = [frame for frames in shown for frame in sorted(frames)]
        assert in_order == list(range(in_order[0], in_order[0] + 12 * 3, 3))
        for name, frames in zip(VIEWS, shown, strict=True):
            assert centers[name] == pytest.approx((min(frames) + max(frames)) / 180)
        odd.append(found)
    assert set(odd) == {0, 1, 2}


def test_frames_are_permuted_before_they_are_subtracted() -> None:
    for clips, answers, _ in delivered(cell(input="difference"), NumberedSource(90), VIEWS, 30):
        for index, name in enumerate(VIEWS):
            assert clips[name].shape[1] == 4
            raw = list(accumulate(steps(clips[name]), initial=0))
            assert sorted(frame - min(raw) for frame in raw) == [0, 3, 6, 9, 12]
            assert (raw == sorted(raw)) == (index != answers["shuffle"])


def test_positions_and_orders_are_balanced_never_the_right_one_and_the_place_does_not_tell() -> None:
    starts: list[list[float]] = [[], [], []]
    orders: Counter[tuple[int, ...]] = Counter()
    for plan in plans(cell(), "shuffle", 90, 9200):
        answer = plan.targets["shuffle"]
        starts[answer].append(plan.placements["shuffle/0"].start)
        kept = [plan.placements[name].kept for name in VIEWS]
        assert [index for index, order in enumerate(kept) if order is not None] == [answer]
        orders[kept[answer] or ()] += 1
    assert (0, 1, 2, 3) not in orders
    assert len(orders) == math.factorial(4) - 1
    assert_balanced(list(orders.values()))
    assert_balanced([len(of_answer) for of_answer in starts])
    assert_same_law(starts)
    assert {int(min(s)) for s in starts} == {0}
    assert {int(max(s)) for s in starts} == {90 - (11 * 3 + 1)}


def test_two_frames_have_one_wrong_order() -> None:
    for plan in plans(cell(frames=5), "shuffle", 90, 50):
        kept = [plan.placements[name].kept for name in VIEWS]
        assert sorted(kept, key=str) == [(1, 0), None, None]


def test_a_clip_too_short_to_have_an_order_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"shuffle shows clips of half of clip\.frames 3.*4 or more"):
        cell(frames=3)


def term(fusion: str) -> Shuffle:
    torch.manual_seed(0)
    return Shuffle(ShuffleOptions.model_validate({"hidden_dim": 5, "fusion": fusion}), context()).double()


def features() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(4, 6, generator=generator).double() for name in VIEWS}


@pytest.mark.parametrize("fusion", ["concat_diff", "sum_diff"])
def test_the_head_is_its_formula(fusion: str) -> None:
    made, given = term(fusion), features()
    answers = torch.tensor([0, 2, 1, 1])
    layers: Any = made.head.layers
    first, _, last = layers
    losses = []
    for video, answer in enumerate(answers.tolist()):
        a, b, c = (made.head.each.weight @ given[name][video] for name in VIEWS)
        fused = torch.cat([a - b, a - c, b - c]) if fusion == "concat_diff" else (a - b) + (a - c) + (b - c)
        logits = last.weight @ torch.relu(first.weight @ fused + first.bias) + last.bias
        losses.append(logits.logsumexp(0) - logits[answer])
    output = made(given, Batch({VIEWS[0]: view(torch.zeros(4, 3, 2, 2, 2))}, {"shuffle": answers}))
    torch.testing.assert_close(output.loss, torch.stack(losses).mean())
    assert output.metrics["shuffle_majority"] == 0.5


def test_the_middle_clip_cancels_from_the_printed_sum() -> None:
    given = features()
    stacked = torch.stack([given[name] for name in VIEWS], dim=1)
    other = stacked.clone()
    other[:, 1] += 1
    assert torch.allclose(term("sum_diff").head(stacked), term("sum_diff").head(other))
    assert not torch.allclose(term("concat_diff").head(stacked), term("concat_diff").head(other))
