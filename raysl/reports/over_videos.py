"""Over test videos: an exact test and an interval with recordings as units, since clips of one are not independent.

Both are about these trained networks on new recordings; statistics over seeds are about new trainings on this test
set. Both are in closed form: no resampling, no random draws.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from raysl.reports.input import EvaluationRecord
from raysl.reports.statistics import CONFIDENCE, SMALLEST_P

LEAST_RECORDINGS = 6
"""The least recordings: with fewer no p is below 5 %, and there is no interval."""
SHORT = 512
"""Below this length a convolution is computed as a plain sum of products."""


@dataclass(frozen=True)
class VideoTest:
    """A row against the baseline over test videos, answers summed over seeds.

    Attributes:
        p: of the sign-flip test over recordings, or over clips if recordings are unknown.
        clips: number of test clips.
        recordings: number of recordings that they are of; None if unknown.
        low, high: 95 % interval of the difference in points; None for fewer than `LEAST_RECORDINGS`.
        p_adjusted: Holm-adjusted.
    """

    p: float
    clips: int
    recordings: int | None
    low: float | None = None
    high: float | None = None
    p_adjusted: float | None = None


def compare_answers(answers: Sequence[tuple[EvaluationRecord, EvaluationRecord]]) -> VideoTest | None:
    """The test and the interval of a row's answers against the baseline's, paired by seed; None without test videos."""
    first = answers[0][0]
    sums: dict[str, Fraction | int] = defaultdict(int)
    clips: dict[str, int] = defaultdict(int)
    for video in first.correct:
        recording = recording_of(first.recordings, video)
        clips[recording] += 1
        for ours, theirs in answers:
            sums[recording] += ours.correct[video] - theirs.correct[video]  # exact, also for shares
    if not clips:
        return None
    unit = math.lcm(*(one.denominator for one in sums.values()))
    whole = np.array([int(sums[name] * unit) for name in clips], dtype=np.int64)
    low, high = interval(100 * whole / (unit * len(answers)), np.array(list(clips.values())))
    return VideoTest(sign_flip_test(whole), len(first.correct), count_recordings(first), low, high)


def count_recordings(record: EvaluationRecord) -> int | None:
    """How many recordings the test videos are of; None if unknown for all."""
    known = any(video in record.recordings for video in record.correct)
    return len({recording_of(record.recordings, video) for video in record.correct}) if known else None


def recording_of(recordings: Mapping[str, str], video: str) -> str:
    """The unit that a video belongs to; a video without a known recording is its own unit."""
    known = recordings.get(video)
    return f"recording {known}" if known is not None else f"video {video}"


def sign_flip_test(differences: NDArray[np.int64]) -> float:
    """Exact two-sided test over recordings that a row and its baseline are right equally often.

    Were both rows the same, each recording's difference would as likely have the opposite sign. The p-value is the
    probability, over all sign patterns, of a sum at least as far from zero (Fisher 1935, section 21; whole clusters
    flipped: Gail et al. 1996). All clips of a recording, and a clip's answers at several seeds, are flipped together,
    since they are not independent. At one seed and one clip a recording this is McNemar's exact test.

    Args:
        differences: ``[recordings]`` the row's right answers minus those of the baseline, over all clips and seeds; any
            multiple of these numbers has the same p-value.
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


def interval(sums: NDArray[np.float64], clips: NDArray[np.int64]) -> tuple[float | None, float | None]:
    """95 % interval of ``sums / clips`` over all recordings: the jackknife that leaves out one recording at a time.

    With t of one degree of freedom less than there are recordings (Efron and Tibshirani 1993, chapter 11; MacKinnon,
    Nielsen and Webb 2023, their CV3J). It is what a bootstrap of recordings estimates by random draws; the percentiles
    of that cover less often at 35 recordings and fewer (benchmarks/statistics_hold.py).

    Args:
        sums: ``[recordings]`` of the clips' differences, in points.
        clips: ``[recordings]`` how many there are of each.
    """
    from scipy import special

    count, total = len(sums), float(clips.sum())
    if count < LEAST_RECORDINGS:
        return None, None
    mean = float(sums.sum()) / total
    without = (sums.sum() - sums) / (total - clips)
    error = math.sqrt((count - 1) / count * float(((without - mean) ** 2).sum()))
    if error <= 1e-9:  # all recordings are equal, so that nothing is known about others
        return None, None
    half = float(special.stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * error
    return max(mean - half, -100.0), min(mean + half, 100.0)


def _convolved(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `scipy.signal.convolve`, which takes a second to import in every command."""
    size = one.size + other.size - 1
    if min(one.size, other.size) < SHORT:
        return np.convolve(one, other)
    padded = 1 << (size - 1).bit_length()
    product = np.fft.rfft(one, padded) * np.fft.rfft(other, padded)
    return np.maximum(np.fft.irfft(product, padded)[:size], 0.0)


def _half_chances(count: int) -> NDArray[np.float64]:
    """Binomial(count, 1/2): ``[count + 1]``, as in `scipy.stats`."""
    from scipy import special

    successes = np.arange(count + 1)
    coefficients = special.gammaln(successes + 1) + special.gammaln(count - successes + 1)
    chances: NDArray[np.float64] = np.exp(special.gammaln(count + 1) - coefficients - count * math.log(2))
    return chances
