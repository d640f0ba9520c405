"""Clip order: the answer is the order of time in which the clips stand; nothing else tells it."""

from __future__ import annotations

from itertools import pairwise, permutations
from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.errors import ConfigError
from raysl.objectives.pretext.clip_order import ClipOrderOptions
from raysl.objectives.pretext.clip_order_term import ClipOrder
from raysl.objectives.supervised import dropout_factors
from raysl.views.batch import Batch
from tests.objectives.batches import TinyBackbone, context, view
from tests.objectives.task_videos import assert_balanced, assert_same_law, delivered, plans, with_tasks
from tests.views.numbered import NumberedSource, numbers, steps

VIEWS = ("clip_order/0", "clip_order/1", "clip_order/2")
ORDERS = sorted(permutations((0, 1, 2)))


def cell(options: dict[str, Any] | None = None, **clip: Any) -> CellConfig:
    return with_tasks({"clip_order": options or {}}, clip={"frames": 8, "stride": 3, **clip})


def test_the_answer_is_the_order_of_the_delivered_clips() -> None:
    seen = set()
    for clips, answers, _ in delivered(cell(), NumberedSource(90), VIEWS, 60):
        shown = [numbers(clips[name]) for name in VIEWS]
        assert all(b - a == 3 for frames in shown for a, b in pairwise(frames))
        in_time = sorted(shown)
        # Half a clip, two of its frames, is left out between two clips.
        assert [later[0] - earlier[-1] for earlier, later in pairwise(in_time)] == [9, 9]
        assert ORDERS[answers["clip_order"]] == tuple(in_time.index(frames) for frames in shown)
        seen.add(answers["clip_order"])
    assert seen == set(range(6))


def test_subtracted_frames() -> None:
    given = delivered(cell(input="difference"), NumberedSource(90), VIEWS, 10)
    assert all(steps(clips[name]) == [3] * 4 for clips, _, _ in given for name in VIEWS)


def test_orders_are_balanced_and_the_place_does_not_tell() -> None:
    starts: list[list[float]] = [[] for _ in ORDERS]
    for plan in plans(cell(), "clip_order", 90, 6000):
        starts[plan.targets["clip_order"]].append(min(plan.placements[name].start for name in VIEWS))
    assert_balanced([len(of_order) for of_order in starts])
    assert_same_law(starts)


@pytest.mark.parametrize(("gap", "last"), [(0.0, 33), (0.5, 45), (2.0, 81)])
def test_the_gap_is_a_share_of_a_clip(gap: float, last: int) -> None:
    (plan,) = plans(cell({"gap": gap}), "clip_order", 120, 1)
    frames = [frame for name in VIEWS for frame in plan.placements[name].indices(120)]
    assert max(frames) - min(frames) == last


def test_a_clip_too_short_to_have_an_order_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"clip_order shows clips of half of clip\.frames 2"):
        cell(frames=2)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_head_is_vcops_with_dropout_by_video_and_step(dropout: float) -> None:
    torch.manual_seed(0)
    term = ClipOrder(ClipOrderOptions(hidden_dim=5, dropout=dropout), context()).double()
    generator = torch.Generator().manual_seed(0)
    features = {name: torch.rand(4, 6, generator=generator).double() for name in VIEWS}
    answers = torch.tensor([0, 5, 3, 3])
    first: Any = term.pair[0]
    batch = Batch({VIEWS[0]: view(torch.zeros(4, 3, 2, 2, 2))}, {"clip_order": answers})
    kept = dropout_factors(0, 2, range(4), 15, dropout).double()
    assert (kept == 0).any() == (dropout > 0)
    losses = []
    for video, answer in enumerate(answers.tolist()):
        a, b, c = (features[name][video] for name in VIEWS)
        hidden = [first.weight @ torch.cat(pair) + first.bias for pair in ((a, b), (a, c), (b, c))]
        logits = term.last.weight @ (kept[video] * torch.relu(torch.cat(hidden))) + term.last.bias
        losses.append(logits.logsumexp(0) - logits[answer])
    term.begin_step(2, TinyBackbone())
    torch.testing.assert_close(term(features, batch).loss, torch.stack(losses).mean())
    if dropout:
        term.begin_step(3, TinyBackbone())
        assert not torch.allclose(term(features, batch).loss, torch.stack(losses).mean())
        term.eval()
        assert term(features, batch).loss == term(features, batch).loss
