"""Statistics against what can be counted by hand, enumerated, or looked up in scipy's own tests."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from raysl.reports.statistics import DIFFERENCE, PERCENT, describe, holm, paired


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
    equal = describe([2.0, 2.0, 2.0])
    assert equal.all_equal
    assert (equal.low, equal.high, equal.half_width, equal.spread) == (None, None, None, 0.0)
    assert not describe([2.0, 2.0]).all_equal, "two values have no interval anyway"


def test_an_interval_ends_where_no_mean_can_lie() -> None:
    values = [96.0, 99.0, 99.9]
    whole, cut = describe(values), describe(values, PERCENT)
    assert whole.high is not None
    assert whole.high > 100
    assert (cut.low, cut.high, cut.cut, cut.half_width, cut.p) == (whole.low, 100.0, True, None, whole.p)
    inside = describe([50.0, 51.0, 52.0], PERCENT)
    assert inside == describe([50.0, 51.0, 52.0])
    assert paired([0.0, 2.0, 5.0], [99.0, 90.0, 98.0], DIFFERENCE).low == -100.0


def test_a_seed_that_only_one_row_has_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired([1.0, 2.0], [1.0])


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, None]) == pytest.approx([0.03, 0.06, 0.06, None])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    assert holm([None]) == [None]
