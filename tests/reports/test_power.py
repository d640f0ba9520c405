"""Power of the paired t-test, against an integral that knows no noncentral t, and against simulated seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from raysl.reports.power import MOST_SEEDS, detectable, effect_size, pooled_spread, power, seeds_to_decide
from raysl.reports.statistics import describe


def integrated(noncentrality: float, seeds: int, level: float = 0.05) -> float:
    """P(|T| > t): a normal shifted by the noncentrality over the root of a scaled chi-squared, by quadrature."""
    freedom = seeds - 1
    critical = stats.t.ppf(1 - level / 2, freedom)

    def both_tails(spread: float) -> float:
        bound = critical * spread
        chance = stats.norm.sf(bound - noncentrality) + stats.norm.cdf(-bound - noncentrality)
        return float(chance * stats.chi.pdf(spread * math.sqrt(freedom), freedom) * math.sqrt(freedom))

    return float(integrate.quad(both_tails, 0, 12, limit=400, points=[min(noncentrality / critical, 11)])[0])


@pytest.mark.parametrize("seeds", [3, 5, 10, 60])
@pytest.mark.parametrize("noncentrality", [0.0, 1.0, 2.8, 4.9, 5.1, 9.0])
def test_power_by_quadrature(seeds: int, noncentrality: float) -> None:
    assert power(noncentrality, seeds) == pytest.approx(integrated(noncentrality, seeds), abs=1e-6)


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("noncentrality", [0.5, 4.9, 12.0, 25.0, 60.0])
def test_power_after_a_correction_by_quadrature(seeds: int, noncentrality: float) -> None:
    assert power(noncentrality, seeds, 0.05 / 14) == pytest.approx(
        integrated(noncentrality, seeds, 0.05 / 14), abs=1e-6
    )


def test_power_of_no_difference_is_the_level_and_of_a_huge_one_is_sure() -> None:
    assert power(0.0, 5) == pytest.approx(0.05)
    assert [power(size, seeds) for size in (40.0, 1000.0) for seeds in (3, 900)] == pytest.approx([1.0] * 4)


def test_power_of_simulated_seeds() -> None:
    draws = np.random.default_rng(0).normal(1.2, 1.0, size=(20_000, 5))
    found = np.asarray(stats.ttest_1samp(draws, 0.0, axis=1).pvalue) < 0.05
    assert power(1.2 * math.sqrt(5), 5) == pytest.approx(found.mean(), abs=0.012)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.5], [-15.0, -21.0, -26.0], [1.0, -1.0, 0.5], [4.0, 1.0, 2.0, 6.0]])
def test_one_seed_fewer_would_not_be_enough(values: list[float]) -> None:
    sample = describe(values)
    needed = seeds_to_decide(sample)
    assert needed is not None
    assert sample.mean is not None
    assert sample.spread is not None
    size = abs(sample.mean) / sample.spread
    assert integrated(size * math.sqrt(needed), needed) >= 0.8
    assert needed == 3 or integrated(size * math.sqrt(needed - 1), needed - 1) < 0.8


def test_how_many_seeds_is_not_said_where_nothing_says_it() -> None:
    assert seeds_to_decide(describe([1.0, 2.0])) is None
    assert seeds_to_decide(describe([2.0, 2.0, 2.0])) is None
    assert seeds_to_decide(describe([-1.0, 0.0, 1.0])) is None
    assert seeds_to_decide(describe([-1.0, 0.03, 1.0])) == MOST_SEEDS + 1
    assert seeds_to_decide(describe([100.0, 100.1, 100.2])) == 3


def test_the_numbers_of_other_programs() -> None:
    """G*Power 3.1, difference of two dependent means, two-sided 0.05, power 0.8."""
    for size, seeds in ((0.5, 34), (0.8, 15), (0.2, 199)):
        values = np.array([-1.0, 0.0, 1.0]) + size
        assert seeds_to_decide(describe(values.tolist())) == seeds


@pytest.mark.parametrize("seeds", [3, 5, 10, 30])
def test_what_is_detectable_is_found_four_times_of_five(seeds: int) -> None:
    least = detectable(4.0, seeds)
    assert integrated(least / 4.0 * math.sqrt(seeds), seeds) == pytest.approx(0.8, abs=1e-6)


def test_effect_size_by_hand() -> None:
    sample = describe([1.0, 2.0, 3.0])
    # J(2) = gamma(1) / (sqrt(1) gamma(1/2)) = 1 / sqrt(pi)
    assert effect_size(sample) == pytest.approx(2.0 / math.sqrt(math.pi))
    assert effect_size(describe([-v for v in sample.values])) == pytest.approx(-2.0 / math.sqrt(math.pi))
    assert effect_size(describe([2.0, 2.0, 2.0])) is None
    assert effect_size(describe([2.0, 4.0])) is None


def test_the_effect_size_is_unbiased() -> None:
    draws = np.random.default_rng(1).normal(0.7, 1.0, size=(4000, 5))
    found = [effect_size(describe(values)) for values in draws.tolist()]
    assert np.mean(np.array(found, dtype=float)) == pytest.approx(0.7, abs=0.03)


def test_spreads_are_pooled_by_degrees_of_freedom() -> None:
    three, five = describe([1.0, 2.0, 3.0]), describe([0.0, 2.0, 4.0, 6.0, 8.0])
    assert pooled_spread([three, five, describe([9.0])]) == pytest.approx(math.sqrt((2 * 1 + 4 * 10) / 6))
    assert pooled_spread([describe([1.0, 2.0])]) is None
