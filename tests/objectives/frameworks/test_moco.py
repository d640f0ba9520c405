"""MoCo: what is compared with what, when the momentum encoder moves, what enters the queue, and shuffled keys."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from raysl.errors import ConfigError
from raysl.models.batch_norm import convert_batch_norm
from raysl.models.batch_norm_groups import Grouping
from raysl.objectives.frameworks.moco import MoCoOptions
from raysl.objectives.frameworks.moco_term import MoCo
from raysl.objectives.losses.info_nce import info_nce, queue_logits
from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.memory.target_encoder import momentum_at, shuffled
from raysl.streams import stream
from raysl.views.batch import Batch
from tests.cells import tiny_cell
from tests.objectives.batches import TinyBackbone, context, random_batch, small, small_options


def moco(**options: Any) -> tuple[TinyBackbone, MoCo]:
    torch.manual_seed(0)
    given = context(batch_size=8)
    assert isinstance(given.backbone, TinyBackbone)
    return given.backbone, MoCo(small_options("moco", **options), given)


def features(size: int = 8) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.rand(size, 6, generator=generator) for name in ("query", "key")}


def test_views() -> None:
    one, both = moco()[1], moco(symmetric="mean")[1]
    assert (one.view_names, one.target_view_names) == (("query",), ("key",))
    assert (both.view_names, both.target_view_names) == (("query", "key"), ("key", "query"))


@pytest.mark.parametrize("symmetric", ["one_way", "mean"])
def test_the_loss_is_that_of_each_query_with_the_other_views_key(symmetric: str) -> None:
    _, term = moco(symmetric=symmetric, temperature=0.2)
    batch, given = random_batch(8), features()
    clips = {name: batch.views[name].clips for name in ("query", "key")}
    together = term.projector(torch.cat([given[name] for name in term.view_names])).chunk(len(term.view_names))
    pairs = zip(together, ("key", "query"), strict=False)
    expected = [
        info_nce(queue_logits(query, term.target(clips[other]), term.queue.columns, 0.2)).loss for query, other in pairs
    ]
    torch.testing.assert_close(term(given, batch).loss, torch.stack(expected).mean())


@pytest.mark.parametrize(("symmetric", "views"), [("one_way", ("key",)), ("mean", ("key", "query"))])
def test_keys_of_all_accumulated_batches_enter_after_the_step(symmetric: str, views: tuple[str, ...]) -> None:
    backbone, term = moco(symmetric=symmetric, queue_size=32)
    batches = [random_batch(8, seed=seed) for seed in range(2)]
    term.begin_step(0, backbone)
    for batch in batches:
        term(features(), batch)
    term.end_step()
    expected = torch.cat([unit_rows(term.target(batch.views[name].clips)) for batch in batches for name in views])
    torch.testing.assert_close(term.queue.columns[:, : len(expected)], expected.T)
    assert term.queue.pointer == len(expected) % 32
    term.end_step()
    assert term.queue.pointer == len(expected) % 32


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_encoder_moves_before_the_keys_with_the_steps_momentum(schedule: Any) -> None:
    backbone, term = moco(momentum=0.9, momentum_schedule=schedule)
    weight = term.target.encoder.get_parameter("backbone.convolution.weight")
    expected = weight.clone()
    for step in (0, 5, 9):
        with torch.no_grad():
            backbone.get_parameter("convolution.weight").add_(1)
        momentum = momentum_at(step, 10, 0.9, schedule)
        expected = momentum * expected + (1 - momentum) * backbone.convolution.weight.detach()
        term.begin_step(step, backbone)
        torch.testing.assert_close(weight, expected)


def grouped(**options: Any) -> MoCo:
    return convert_batch_norm(moco(**options)[1], Grouping(8, 2))


def keys(term: MoCo, batch: Batch) -> torch.Tensor:
    term.begin_step(3, TinyBackbone())
    term(features(), batch)
    return term._keys[0][0]


def test_shuffled_keys_take_their_statistics_from_other_videos() -> None:
    batch = random_batch(8)
    plain, moved = keys(grouped(momentum=1.0), batch), keys(grouped(momentum=1.0, shuffle=True), batch)
    assert (plain - moved).abs().amax(dim=1).min() > 1e-3
    # Over the whole batch the statistics are the same in any order.
    whole = [keys(moco(momentum=1.0, shuffle=shuffle)[1], batch) for shuffle in (False, True)]
    torch.testing.assert_close(*whole)


def test_without_shuffling_a_query_meets_the_statistics_of_its_key() -> None:
    # One clip as query and key, encoders equal: within the same group they are the same point.
    batch = random_batch(8)
    batch = Batch(views={"query": batch.views["query"], "key": batch.views["query"]})
    for shuffle, equal in ((False, True), (True, False)):
        term = grouped(momentum=1.0, shuffle=shuffle)
        query = unit_rows(term.target(batch.views["query"].clips))
        assert torch.allclose(keys(term, batch), query, atol=1e-5) == equal


def test_a_shuffled_batch_is_computed_in_the_drawn_order_and_put_back() -> None:
    clips = random_batch(8).views["query"].clips
    seen = []

    def network(permuted: torch.Tensor) -> torch.Tensor:
        seen.append(permuted)
        return permuted.flatten(1)

    result = shuffled(network, clips, 0, 1, "shuffle")
    order = stream(0, 1, "shuffle").permutation(8)
    assert sorted(order) != list(order)
    assert torch.equal(seen[0], clips[torch.from_numpy(order)])
    assert torch.equal(result, clips.flatten(1))


def test_the_permutation_follows_the_step() -> None:
    batch, term = random_batch(8), grouped(momentum=1.0, shuffle=True)
    results = []
    for step in (0, 0, 1):
        term.begin_step(step, TinyBackbone())
        term(features(), batch)
        results.append(term._keys[0])
    torch.testing.assert_close(results[0], results[1])
    assert not torch.allclose(results[0], results[2], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue_size": 20}, r"queue_size 20 .* 8 keys .* training\.batch_size 8 .* take 16"),
        ({"queue_size": 4}, r"queue_size 4 .* take 8"),
        ({"queue_size": 24, "symmetric": "mean"}, r"queue_size 24 .* 16 keys .* training\.batch_size 8"),
    ],
    ids=str,
)
def test_a_queue_that_is_no_multiple_of_the_batch_is_refused_when_it_is_loaded(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_cell({"objective.contrastive": small("moco", **options)})
    tiny_cell({"objective.contrastive": small("moco", **options | {"queue_size": 32})})


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"temperature": -1.0}, {"momentum": 1.1}, {"symmetric": "sum"}], ids=str
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        MoCoOptions(**options)


@pytest.mark.parametrize("group", ["batch", 8])
def test_shuffled_keys_need_batch_norm_over_parts_of_the_batch(group: int | str) -> None:
    change = {"objective.contrastive": small("moco", shuffle=True), "training.batch_size": 8}
    with pytest.raises(ConfigError, match="shuffle: true does nothing where batch norm is over the whole batch"):
        tiny_cell(change | {"batch_norm_group": group})
    tiny_cell(change | {"batch_norm_group": 4})
