"""The interval sampler, against the cumulative distributions as CVRL writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from raysl.streams import stream
from raysl.views.pairs.interval import IntervalOptions, IntervalPair, inverse
from tests.views.sets import clip_options

CLIP = clip_options(frames=16, stride=2)
MANY = 4000

CASES = [(law, p) for law in ("decreasing", "increasing") for p in (0.5, 1.0, 2.0)] + [("uniform", 1.0)]
MEANS = {
    ("decreasing", 1.0): 1 / 3,
    ("decreasing", 0.5): 0.3,
    ("decreasing", 2.0): 0.375,
    ("uniform", 1.0): 0.5,
    ("increasing", 1.0): 2 / 3,
    ("increasing", 2.0): 0.75,
    ("increasing", 0.5): 0.6,
}
FLOORED = {
    ("decreasing", 1.0): 0.3311,
    ("decreasing", 0.5): 0.2977,
    ("decreasing", 2.0): 0.3727,
    ("uniform", 1.0): 0.4977,
    ("increasing", 1.0): 0.6644,
}


def cumulative(law: str, p: float, possible: float) -> Callable[[Any], Any]:
    """F(t) over [0, M] as CVRL's code and recipe write it, in t and M rather than in shares."""
    if law == "decreasing":
        return lambda t: ((p + 1) * t - t ** (p + 1) / possible**p) / (p * possible)
    return lambda t: (t / possible) ** (p + 1 if law == "increasing" else 1)


def starts(length: int, many: int = MANY, **options: Any) -> NDArray[np.int64]:
    """``[many, 2]``: the starts of query and key in a video of ``length`` frames."""
    pair = IntervalPair(IntervalOptions(**options), CLIP)
    placed = [pair.place(length, stream("interval", i)) for i in range(many)]
    return np.array([(one["query"].start, one["key"].start) for one in placed])


@pytest.mark.parametrize(("law", "p"), CASES)
def test_distances_follow_the_law(law: str, p: float) -> None:
    length = 100_030
    distance = np.abs(np.diff(starts(length, law=law, exponent=p), axis=1)).ravel()
    assert stats.kstest(distance, cumulative(law, p, length - 30)).pvalue > 1e-3
    spread = distance.std() / np.sqrt(MANY)
    assert abs(distance.mean() - MEANS[law, p] * (length - 30)) < 4 * spread


@pytest.mark.slow
@pytest.mark.parametrize(("law", "p"), FLOORED)
def test_means_at_220_starts_are_those_of_the_floored_distance(law: str, p: float) -> None:
    exact = np.mean([1 - cumulative(law, p, 220)(t) for t in range(1, 220)]) * 219 / 220
    assert exact == pytest.approx(FLOORED[law, p], abs=6e-5)
    # Every share that a stratum of [0, 1) stands for, so that no luck is in it.
    shares = (np.arange(40_000) + 0.5) / 40_000
    ours = np.mean([int(220 * inverse(law, p, share)) for share in shares]) / 220  # type: ignore[arg-type]
    assert ours == pytest.approx(FLOORED[law, p], abs=6e-5)
    distance = np.abs(np.diff(starts(250, law=law, exponent=p), axis=1)).ravel()
    assert abs(distance.mean() / 220 - exact) < 4 * distance.std() / 220 / np.sqrt(MANY)


@pytest.mark.slow
@pytest.mark.parametrize(("law", "p"), CASES)
def test_counts_of_few_starts_are_exact(law: str, p: float) -> None:
    """Five possible starts: all five distances are drawn, 0 and the largest among them, as often as F says."""
    drawn = starts(35, law=law, exponent=p)
    assert (drawn.min(), drawn.max()) == (0, 4)
    counts = np.bincount(np.abs(np.diff(drawn, axis=1)).ravel(), minlength=5)
    expected = MANY * np.diff([cumulative(law, p, 5)(t) for t in range(6)])
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_the_first_start_is_uniform_over_what_the_distance_leaves() -> None:
    drawn = starts(230, law="increasing", order="forward")
    left = 200 - (drawn[:, 1] - drawn[:, 0])
    assert (left > drawn[:, 0]).all()
    jitter = stream("within a start").random(MANY)
    assert stats.kstest((drawn[:, 0] + jitter) / left, "uniform").pvalue > 1e-3


def test_closed_forms_agree_with_the_inverse() -> None:
    """With s = sqrt(u), p = 1/2 gives the cubic 3 s^2 - 2 s^3 = v, and p = 2 gives 3 u - u^3 = 2 v: both by sines."""
    for share in np.append(np.linspace(0, 1, 101), [1e-12, 1 - 1e-9]):
        half = (0.5 - np.sin(np.arcsin(1 - 2 * share) / 3)) ** 2
        assert inverse("decreasing", 0.5, share) == pytest.approx(half, abs=1e-7)
        assert inverse("decreasing", 2.0, share) == pytest.approx(2 * np.sin(np.arcsin(share) / 3), abs=1e-7)
        for p in (0.3, 3.0, 8.0):
            u = inverse("decreasing", p, share)
            assert cumulative("decreasing", p, 1.0)(u) == pytest.approx(share, abs=1e-14)


def test_the_default_makes_all_pairs_of_starts_equally_likely() -> None:
    drawn = starts(100_030)
    for column in drawn.T:
        assert stats.kstest(column / 100_000, "uniform").pvalue > 1e-3
    assert abs(stats.spearmanr(drawn).statistic) < 4 / np.sqrt(MANY)


def test_the_order_is_random_or_forward() -> None:
    later = np.diff(starts(2000), axis=1).ravel() > 0
    assert abs(later.mean() - 0.5) < 0.04
    assert (np.diff(starts(2000, order="forward"), axis=1) >= 0).all()


@pytest.mark.parametrize("length", [1, 7, 30])
def test_a_short_video_has_two_independent_uniform_starts(length: int) -> None:
    drawn = starts(length, law="increasing", exponent=2.0)
    together = np.bincount(drawn[:, 0] * length + drawn[:, 1], minlength=length**2)
    assert len(together) == length**2
    if length > 1:
        assert stats.chisquare(together).pvalue > 1e-3


def test_one_possible_start_places_both_clips_there() -> None:
    assert (starts(31, many=50) == 0).all()


@pytest.mark.parametrize(
    "bad", [{"exponent": 0.0}, {"exponent": 9.0}, {"law": "uniform", "exponent": 2.0}, {"law": "linear"}]
)
def test_bad_options_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=list(bad)[-1]):
        IntervalOptions(**bad)
