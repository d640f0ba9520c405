"""The base of tasks about one clip, by a task of two draws whose number of answers is an option."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from raysl.config.options import option
from raysl.objectives.tasks.one_clip import OneClipOptions, OneClipViews, one_clip_task
from raysl.streams import stream
from raysl.views.placement import Placement
from raysl.views.task_views import VideoPlan
from tests.cells import tiny_cell
from tests.objectives.batches import context, random_batch

VIEWS = {"own": ("hurry",), "pair": ("query", "key")}
LENGTH = 50


class HurryOptions(OneClipOptions):
    """Options of hurry."""

    rates: int = option(5, doc="how many rates there are", source="ours", ge=2)


class HurryViews(OneClipViews):
    """Draws the stride of a clip, then its start."""

    name = "hurry"
    sets = frozenset({"rate", "place"})
    options: HurryOptions

    def answer(self, plan: VideoPlan, view: str, generator: np.random.Generator) -> int:
        drawn = int(generator.integers(self.options.rates))
        start = int(generator.integers(plan.length))
        plan.placements[view] = plan.placements[view]._replace(start=start, stride=1 + drawn)
        return drawn


build_hurry = one_clip_task(HurryViews.name, lambda options: options.rates)
"""One class for each rate."""


@pytest.mark.parametrize("view", VIEWS)
def test_it_says_which_views_it_makes_and_what_it_sets(view: Any) -> None:
    views = HurryViews(HurryOptions(view=view), tiny_cell())
    assert views.own_views == (VIEWS[view] if view == "own" else ())
    assert views.changes == dict.fromkeys(VIEWS[view], frozenset({"rate", "place"}))


@pytest.mark.parametrize("view", VIEWS)
def test_each_clip_is_placed_where_it_is_new_then_changed_before_the_next(view: Any) -> None:
    cell = tiny_cell()
    frames, before = cell.clip.frames, {name: Placement(7, cell.clip.frames, 2) for name in ("query", "key")}
    plan, generator = VideoPlan(LENGTH, cell.clip, dict(before)), stream(0, "hurry")
    HurryViews(HurryOptions(view=view), cell).apply(plan, stream(0, "hurry"))
    for name in VIEWS[view]:
        if view == "own":
            generator.integers(LENGTH - cell.clip.span + 1)  # where `plan.place` puts it
        rate, start = int(generator.integers(5)), int(generator.integers(LENGTH))
        assert plan.placements[name] == Placement(start, frames, 1 + rate)
        assert plan.targets.pop(f"hurry/{name}") == rate
    assert not plan.targets
    if view == "own":
        assert {name: plan.placements[name] for name in before} == before


@pytest.mark.parametrize("view", VIEWS)
def test_the_losses_of_its_clips_are_added_through_one_head(view: Any) -> None:
    task = build_hurry(HurryOptions(view=view, rates=3), context()).double()
    assert task.view_names == VIEWS[view]
    layers: Any = task.head.layers
    (linear,) = layers
    assert (linear.in_features, linear.out_features) == (6, 3)
    generator = torch.Generator().manual_seed(0)
    features = {name: torch.randn(4, 6, generator=generator).double() for name in VIEWS[view]}
    answers = {name: torch.randint(3, (4,), generator=generator) for name in VIEWS[view]}
    loss = 0.0
    for name in VIEWS[view]:
        for feature, answer in zip(features[name], answers[name].tolist(), strict=True):
            logits = linear.weight @ feature + linear.bias
            loss -= ((logits[answer] - logits.exp().sum().log()) / 4).item()
    batch = replace(random_batch(4), targets={f"hurry/{name}": answer for name, answer in answers.items()})
    assert task(features, batch).loss.item() == pytest.approx(loss, rel=1e-12)


def test_of_the_pair_the_first_clip_alone_may_be_asked_about() -> None:
    """CSTP as printed: both clips are changed."""
    options = HurryOptions(view="pair", clips="query")
    assert HurryViews(options, tiny_cell()).changes == dict.fromkeys(VIEWS["pair"], frozenset({"rate", "place"}))
    task, both = build_hurry(options, context()), build_hurry(HurryOptions(view="pair"), context())
    both.load_state_dict(task.state_dict())
    assert task.view_names == ("query",)
    generator = torch.Generator().manual_seed(0)
    features = {name: torch.randn(4, 6, generator=generator) for name in VIEWS["pair"]}
    answers = {f"hurry/{name}": torch.randint(5, (4,), generator=generator) for name in VIEWS["pair"]}
    batch = replace(random_batch(4), targets=answers)
    swapped = {"query": features["key"], "key": features["query"]}
    of_key = replace(batch, targets={"hurry/query": answers["hurry/key"], "hurry/key": answers["hurry/query"]})
    added = task(features, batch).loss + task(swapped, of_key).loss
    torch.testing.assert_close(both(features, batch).loss, added)


def test_an_own_view_has_no_first_clip() -> None:
    with pytest.raises(ValueError, match="clips: query is of the pair's two clips"):
        HurryOptions(clips="query")
