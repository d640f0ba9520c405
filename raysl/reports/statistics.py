"""Over seeds: means, intervals, paired tests and their correction. All in closed form: no random draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_SEEDS = 3
"""Below this many seeds there is no interval and no test over seeds, only the values."""

CONFIDENCE = 0.95
LEVEL = 0.05
"""A difference is decided if its corrected p is below this."""
SMALLEST_P = 1e-12
"""p-values are not distinguished below this, the precision of a convolution by FFT."""
PERCENT, DIFFERENCE = (0.0, 100.0), (-100.0, 100.0)
"""Bounds of a mean of percentages, and of a difference of two."""


@dataclass(frozen=True)
class Sample:
    """Values over seeds.

    Attributes:
        values: one per seed, in the order of the seeds.
        mean: None without values.
        low, high: 95 % t-interval of the mean; None below three values, and if all values are equal.
        p: two-sided t-test of a mean of zero; None below three values, and if all values are equal and not zero (the
            test would divide by a spread of zero and call three equal values certain).
        spread: standard deviation (n - 1); None below three values.
        cut: the t-interval was cut at the bounds of the mean.
    """

    values: tuple[float, ...]
    mean: float | None
    low: float | None
    high: float | None
    p: float | None
    spread: float | None = None
    cut: bool = False

    @property
    def half_width(self) -> float | None:
        return None if self.mean is None or self.high is None or self.cut else self.high - self.mean

    @property
    def all_equal(self) -> bool:
        """Whether there are enough seeds for an interval, but no spread."""
        return self.spread == 0


def describe(values: Sequence[float], bounds: tuple[float, float] | None = None) -> Sample:
    """Mean, 95 % t-interval and t-test against zero of values over seeds; of differences, the paired test.

    An interval that is cut at the bounds of the mean covers it as often as the whole one.

    Args:
        bounds: of the mean; None if there are none.
    """
    from scipy import special

    sample = tuple(float(value) for value in values)
    if not sample:
        return Sample((), None, None, None, None)
    mean = math.fsum(sample) / len(sample)
    if len(sample) < LEAST_SEEDS:
        return Sample(sample, mean, None, None, None)
    freedom = len(sample) - 1
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in sample) / freedom)
    if spread <= 1e-9 * max(1.0, abs(mean)):
        return Sample(sample, mean, None, None, 1.0 if abs(mean) <= 1e-9 else None, 0.0)
    error = spread / math.sqrt(len(sample))
    half = float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    p = 2 * float(special.stdtr(freedom, -abs(mean) / error))
    least, most = bounds or (-math.inf, math.inf)
    low, high = max(mean - half, least), min(mean + half, most)
    cut = (low, high) != (mean - half, mean + half)
    return Sample(sample, mean, low, high, max(p, SMALLEST_P), spread, cut)


def paired(row: Sequence[float], baseline: Sequence[float], bounds: tuple[float, float] | None = None) -> Sample:
    """Difference row - baseline of values paired by seed, with the paired t-test."""
    return describe([ours - theirs for ours, theirs in zip(row, baseline, strict=True)], bounds)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment (Holm 1979) of one family of tests; None stays None and does not count."""
    order = sorted((p, position) for position, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, position) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        adjusted[position] = largest
    return adjusted
