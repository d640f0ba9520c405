from __future__ import annotations

import itertools

import pytest

from raysl.errors import ConfigError
from raysl.testing.drawn import drawn
from raysl.views.order import EpochOrder


def test_an_epoch_visits_distinct_videos() -> None:
    for count, batch, epoch, seed in drawn(50, (2, 60), (2, 20), (0, 5), (0, 9)):
        if batch > count:
            continue
        videos = range(100, 100 + 3 * count, 3)
        order = EpochOrder(videos, batch, seed)
        batches = [order.batch(epoch, step) for step in range(order.steps_per_epoch)]
        visited = list(itertools.chain(*batches))
        assert all(len(one) == batch for one in batches)
        assert len(set(visited)) == len(visited) == count - order.dropped
        assert set(visited) <= set(videos)
        assert order.dropped < batch


def test_replacements_of_a_batch_never_meet() -> None:
    for count, batch, step in drawn(50, (4, 60), (2, 8), (0, 3)):
        if batch * (step + 1) > count:
            continue
        order = EpochOrder(range(count), batch, 1)
        candidates = [list(order.replacements(2, step, slot)) for slot in range(batch)]
        stand_ins = list(itertools.chain(*candidates))
        # Every video outside the batch serves exactly one slot.
        assert sorted(stand_ins + order.batch(2, step)) == list(range(count))


def test_epochs_and_seeds_differ_and_repeat() -> None:
    order = EpochOrder(range(40), 8, 0)
    assert order.batch(0, 1) == EpochOrder(range(40), 8, 0).batch(0, 1)
    assert order.batch(0, 1) != order.batch(1, 1)
    assert order.batch(0, 1) != EpochOrder(range(40), 8, 1).batch(0, 1)
    assert list(order.replacements(0, 1, 3)) == list(EpochOrder(range(40), 8, 0).replacements(0, 1, 3))


def test_a_batch_larger_than_the_set_is_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match=r"batch_size 64 .* 40 readable"):
        EpochOrder(range(40), 64, 0)


def test_a_step_past_the_epoch_is_an_error() -> None:
    with pytest.raises(IndexError, match="step 5 of an epoch of 5 steps"):
        EpochOrder(range(40), 8, 0).batch(0, 5)
