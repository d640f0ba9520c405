"""Effect size of differences over seeds, and power of the two-sided paired t-test.

Its statistic of n pairs whose differences have the mean d and the standard deviation s follows the noncentral t
distribution with n - 1 degrees of freedom and noncentrality sqrt(n) d / s (Cohen 1988, chapter 2; Johnson, Kotz and
Balakrishnan 1995, chapter 31). `scipy.special` has its distribution function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from raysl.reports.statistics import LEAST_SEEDS, LEVEL, Sample

POWER = 0.8
MOST_SEEDS = 1000
"""Larger numbers are not computed."""


def effect_size(sample: Sample) -> float | None:
    """Hedges' g of paired differences: mean over standard deviation (Cohen's d_z), without its bias in few seeds.

    The factor is the exact one (Hedges 1981, equation 6e; Goulet-Pelletier and Cousineau 2018 for pairs): 0.56 at three
    seeds, 0.92 at ten. None without spread.
    """
    from scipy import special

    if sample.mean is None or not sample.spread:
        return None
    freedom = len(sample.values) - 1
    log = special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2) - math.log(freedom / 2) / 2
    return math.exp(log) * sample.mean / sample.spread


def power(noncentrality: float, seeds: int, level: float = LEVEL) -> float:
    """The power of the test: the probability of both tails."""
    from scipy import special

    freedom = seeds - 1
    critical = float(special.stdtrit(freedom, 1 - level / 2))
    # Beyond 5 the far tail is below 3e-7, and scipy does not always have a number for it; far above the critical value
    # nothing is left below it.
    far = float(special.nctdtr(freedom, noncentrality, -critical)) if noncentrality < 5 else 0.0
    return 1 - float(special.nctdtr(freedom, min(noncentrality, 3 * critical + 10), critical)) + far


def half_width(seeds: int, level: float = LEVEL) -> float:
    """Of the t-interval of a mean over so many seeds, in their standard deviation."""
    from scipy import special

    return float(special.stdtrit(seeds - 1, 1 - level / 2)) / math.sqrt(seeds)


def seeds_to_decide(sample: Sample, level: float = LEVEL) -> int | None:
    """The fewest seeds that find a difference of the size seen, at the spread seen, four times of five.

    None without spread or difference; ``MOST_SEEDS + 1`` if that many are not enough.

    Args:
        level: of the test; for one of m differences of which each is to be found even alone, Holm's first, 0.05 / m.
    """
    if not sample.mean or not sample.spread:
        return None
    size = abs(sample.mean) / sample.spread
    enough = LEAST_SEEDS
    while enough <= MOST_SEEDS and power(size * math.sqrt(enough), enough, level) < POWER:
        enough *= 2
    low, high = max(LEAST_SEEDS, enough // 2), min(enough, MOST_SEEDS + 1)
    while low < high:  # power rises with the number of seeds
        middle = (low + high) // 2
        found = power(size * math.sqrt(middle), middle, level) >= POWER
        low, high = (low, middle) if found else (middle + 1, high)
    return low


def detectable(spread: float, seeds: int, level: float = LEVEL) -> float:
    """The smallest true difference that this number of seeds finds four times of five."""
    low, high = 0.0, 1.0
    while power(high, seeds, level) < POWER:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle, seeds, level) >= POWER else (middle, high)
    return high * spread / math.sqrt(seeds)


def pooled_spread(samples: Sequence[Sample]) -> float | None:
    """The standard deviation of several differences as one: their variances averaged by degrees of freedom.

    Alone they are imprecise: from three values, the interval of a standard deviation is from half of it to six times.
    None if no sample has one.
    """
    known = [(one.spread**2, len(one.values) - 1) for one in samples if one.spread is not None]
    freedom = sum(weight for _, weight in known)
    return math.sqrt(sum(variance * weight for variance, weight in known) / freedom) if freedom else None
