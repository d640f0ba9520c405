"""Means, intervals and paired tests. Everything here is exact or from a closed form: no resampling, no random draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

LEAST_SEEDS = 3
"""Below this many seeds there is no interval and no test over seeds, only the values (DESIGN 9)."""

CONFIDENCE = 0.95
SMALLEST_P = 1e-12
"""p-values are not told apart below this: the arithmetic of a convolution by FFT does not carry further."""
SHORT = 512
"""Below this length a convolution is a plain sum of products."""


@dataclass(frozen=True)
class Sample:
    """Values over seeds.

    Attributes:
        values: one per seed, in the order of the seeds.
        mean: None without values.
        low, high: 95 % t-interval of the mean; None below three values.
        p: two-sided t-test of a mean of zero; None below three values, and where all values are equal and not zero
            (the test would divide by a spread of zero and call three equal values certain).
    """

    values: tuple[float, ...]
    mean: float | None
    low: float | None
    high: float | None
    p: float | None

    @property
    def half_width(self) -> float | None:
        return None if self.mean is None or self.high is None else self.high - self.mean


def describe(values: Sequence[float]) -> Sample:
    """Mean, 95 % t-interval and t-test against zero of values over seeds; of differences, the paired test."""
    sample = tuple(float(value) for value in values)
    if not sample:
        return Sample((), None, None, None, None)
    mean = math.fsum(sample) / len(sample)
    if len(sample) < LEAST_SEEDS:
        return Sample(sample, mean, None, None, None)
    freedom = len(sample) - 1
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in sample) / freedom)
    if spread <= 1e-9 * max(1.0, abs(mean)):
        return Sample(sample, mean, mean, mean, 1.0 if abs(mean) <= 1e-9 else None)
    error = spread / math.sqrt(len(sample))
    half = float(special.stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    p = 2 * float(special.stdtr(freedom, -abs(mean) / error))
    return Sample(sample, mean, mean - half, mean + half, max(p, SMALLEST_P))


def paired(row: Sequence[float], baseline: Sequence[float]) -> Sample:
    """Difference row - baseline of values paired by seed, with the paired t-test."""
    return describe([ours - theirs for ours, theirs in zip(row, baseline, strict=True)])


def sign_flip_test(differences: NDArray[np.int64]) -> float:
    """Exact two-sided test over test videos that a row and its baseline are right equally often.

    Were both rows the same, each video's difference would as likely have the opposite sign. The p-value is the
    probability, over all sign patterns, of a sum at least as far from zero. Videos are the units: a video's answers
    at several seeds are flipped together, since they are not independent. At one seed this is McNemar's exact test.

    The test speaks about these trained networks on new videos, the test over seeds about new trainings. Videos cut
    from one recording are not independent either, so that the p-value is too small where a test set has such groups.

    Args:
        differences: ``[videos]`` number of seeds at which the row is right minus that of the baseline; any multiple of
            these numbers has the same p-value.
    """
    sizes = np.abs(differences[differences != 0]).astype(np.int64)
    total = int(sizes.sum())
    if total == 0:
        return 1.0
    # A sum of signed sizes is 2 T - total, where T sums the sizes that kept a plus sign: k * Binomial(n_k, 1/2).
    probability: NDArray[np.float64] = np.ones(1)
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        part = np.zeros(int(size) * int(count) + 1)
        part[:: int(size)] = _half_chances(int(count))
        probability = _convolved(probability, part)
    sums = 2 * np.arange(total + 1) - total
    p = float(probability[np.abs(sums) >= abs(int(differences.sum()))].sum())
    return min(1.0, max(p, SMALLEST_P))


def _convolved(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `scipy.signal.convolve`, which takes a second to import in every command."""
    size = one.size + other.size - 1
    if min(one.size, other.size) < SHORT:
        return np.convolve(one, other)
    padded = 1 << (size - 1).bit_length()
    product = np.fft.rfft(one, padded) * np.fft.rfft(other, padded)
    return np.maximum(np.fft.irfft(product, padded)[:size], 0.0)


def _half_chances(count: int) -> NDArray[np.float64]:
    """Binomial(count, 1/2): ``[count + 1]``, as `scipy.stats` has it."""
    successes = np.arange(count + 1)
    coefficients = special.gammaln(successes + 1) + special.gammaln(count - successes + 1)
    chances: NDArray[np.float64] = np.exp(special.gammaln(count + 1) - coefficients - count * math.log(2))
    return chances


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjustment (Holm 1979) of one family of tests; None stays None and does not count."""
    order = sorted((p, position) for position, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, position) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        adjusted[position] = largest
    return adjusted
