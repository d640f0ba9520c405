from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysl.errors import ConfigError
from raysl.views.order import EpochOrder


@settings(max_examples=50, deadline=None)
@given(count=st.integers(2, 60), batch=st.integers(2, 20), epoch=st.integers(0, 5), seed=st.integers(0, 9))
def test_an_epoch_visits_distinct_videos(count: int, batch: int, epoch: int, seed: int) -> None:
    if batch > count:
        return
    videos = range(100, 100 + 3 * count, 3)
    order = EpochOrder(videos, batch, seed)
    batches = [order.batch(epoch, step) for step in range(order.steps_per_epoch)]
    visited = list(itertools.chain(*batches))
    assert all(len(one) == batch for one in batches)
    assert len(set(visited)) == len(visited) == count - order.dropped
    assert set(visited) <= set(videos)
    assert order.dropped < batch


@settings(max_examples=50, deadline=None)
@given(count=st.integers(4, 60), batch=st.integers(2, 8), step=st.integers(0, 3))
def test_replacements_of_a_batch_never_meet(count: int, batch: int, step: int) -> None:
    if batch * (step + 1) > count:
        return
    order = EpochOrder(range(count), batch, 1)
    candidates = [list(order.replacements(2, step, slot)) for slot in range(batch)]
    drawn = list(itertools.chain(*candidates))
    # Every video outside the batch serves exactly one slot.
    assert sorted(drawn + order.batch(2, step)) == list(range(count))


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
