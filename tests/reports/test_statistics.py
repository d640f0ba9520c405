"""Statistics against what can be counted by hand, enumerated, or looked up in scipy's own tests."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from raysl.reports.statistics import describe, holm, paired, sign_flip_test


def test_interval_by_hand() -> None:
    sample = describe([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.302653 (any table); standard error 1/sqrt(3)
    assert sample.mean == 2.0
    assert sample.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert sample.low == pytest.approx(2.0 - 4.302653 / math.sqrt(3), rel=1e-6)


def test_interval_and_test_against_scipy() -> None:
    values = [3.0, 4.5, 1.0, 2.5, 6.0]
    sample, oracle = describe(values), stats.ttest_1samp(values, 0.0)
    interval = oracle.confidence_interval(0.95)
    assert (sample.low, sample.high) == pytest.approx((interval.low, interval.high))
    assert sample.p == pytest.approx(oracle.pvalue)


def test_paired_against_scipy() -> None:
    ours, theirs = [70.0, 72.5, 69.0], [68.0, 71.0, 68.5]
    oracle = stats.ttest_rel(ours, theirs)
    assert paired(ours, theirs).p == pytest.approx(oracle.pvalue)
    assert paired(ours, theirs).values == (2.0, 1.5, 0.5)


@pytest.mark.parametrize("values", [[], [5.0], [5.0, 6.0]])
def test_below_three_seeds_there_is_no_interval(values: list[float]) -> None:
    sample = describe(values)
    assert sample.values == tuple(values)
    assert (sample.low, sample.high, sample.half_width, sample.p) == (None, None, None, None)


def test_equal_values_are_not_called_certain() -> None:
    assert describe([0.1 + 0.2, 0.3, 0.3]).p is None
    assert describe([0.0, 0.0, 0.0]).p == 1.0
    assert (describe([2.0, 2.0, 2.0]).low, describe([2.0, 2.0, 2.0]).high) == (2.0, 2.0)


def test_a_seed_that_only_one_row_has_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("gained", "lost"), [(1, 0), (5, 0), (9, 2), (7, 7), (30, 12)])
def test_at_one_seed_it_is_mcnemars_exact_test(gained: int, lost: int) -> None:
    differences = np.array([1] * gained + [-1] * lost + [0] * 20)
    oracle = stats.binomtest(gained, gained + lost, 0.5).pvalue
    assert sign_flip_test(differences) == pytest.approx(oracle)


@pytest.mark.parametrize("seed", range(5))
def test_sign_flips_against_all_of_them(seed: int) -> None:
    differences = np.random.default_rng(seed).integers(-3, 4, size=11)
    sums = [abs(int(np.dot(signs, differences))) for signs in itertools.product((-1, 1), repeat=len(differences))]
    oracle = np.mean([total >= abs(int(differences.sum())) for total in sums])
    assert sign_flip_test(differences) == pytest.approx(oracle)


def test_the_same_answers_differ_in_nothing() -> None:
    assert sign_flip_test(np.zeros(5, dtype=np.int64)) == 1.0
    assert sign_flip_test(np.zeros(0, dtype=np.int64)) == 1.0


def test_many_videos_and_a_large_difference_stay_a_probability() -> None:
    assert 0 < sign_flip_test(np.full(20_000, 3)) <= 1e-12


def test_holds_its_level_where_seeds_repeat_one_another() -> None:
    """Three seeds that answer alike are one observation a video, not three."""
    one_seed = np.array([1] * 8 + [-1] * 2)
    assert sign_flip_test(3 * one_seed) == pytest.approx(sign_flip_test(one_seed))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, None]) == pytest.approx([0.03, 0.06, 0.06, None])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm([None]) == [None]
