"""The test and the interval over recordings, against all sign patterns and a jackknife written out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from raysl.reports import EvaluationRecord
from raysl.reports.over_videos import compare_answers, count_recordings, interval, sign_flip_test


def record(answers: Mapping[str, bool | Fraction], recordings: Mapping[str, str] | None = None) -> EvaluationRecord:
    return EvaluationRecord("e", "top1", {"top1": 0.0}, answers, recordings=recordings or {})


def drawn(seed: int, recordings: int = 8, seeds: int = 2) -> list[tuple[EvaluationRecord, EvaluationRecord]]:
    """Answers to recordings of one to four clips."""
    draws = np.random.default_rng(seed)
    known = {f"r{one}/{clip}": f"r{one}" for one in range(recordings) for clip in range(1 + one % 4)}
    return [
        (
            record({video: bool(draws.random() < 0.7) for video in known}, known),
            record({video: bool(draws.random() < 0.5) for video in known}, known),
        )
        for _ in range(seeds)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_whole_recordings_are_flipped(seed: int) -> None:
    """Against every sign pattern of the recordings, applied to clips one by one."""
    answers = drawn(seed)
    videos = list(answers[0][0].correct)
    change = np.array([sum(int(ours.correct[v]) - int(theirs.correct[v]) for ours, theirs in answers) for v in videos])
    names = sorted(set(answers[0][0].recordings.values()))
    of = np.array([names.index(answers[0][0].recordings[video]) for video in videos])
    patterns = np.array(list(itertools.product((-1, 1), repeat=len(names))))
    oracle = np.mean(np.abs(patterns[:, of] @ change) >= abs(change.sum()))
    found = compare_answers(answers)
    assert found is not None
    assert found.p == pytest.approx(oracle)
    assert (found.clips, found.recordings) == (len(videos), len(names))


def test_one_recording_decides_nothing_however_many_clips_it_has() -> None:
    ours, theirs = ({f"v{clip}": right for clip in range(50)} for right in (True, False))
    known = dict.fromkeys(ours, "one")
    found = compare_answers([(record(ours, known), record(theirs, known))])
    assert found is not None
    assert (found.p, found.low, found.high, found.recordings) == (1.0, None, None, 1)
    alone = compare_answers([(record(ours), record(theirs))])
    assert alone is not None
    assert alone.p == pytest.approx(1e-12), "two of 2 ** 50 patterns, and no p is smaller"
    assert alone.recordings is None


def test_a_clip_of_no_known_recording_stands_alone() -> None:
    known = {"a": "r", "b": "r"}
    ours, theirs = (dict.fromkeys("abcd", right) for right in (True, False))
    found = compare_answers([(record(ours, known), record(theirs, known))])
    assert found is not None
    assert found.p == pytest.approx(2 * 0.5**3), "three units"
    assert count_recordings(record(ours, known)) == 3
    assert count_recordings(record(ours, {"of training": "r"})) is None


def test_without_test_videos_nothing_is_tested() -> None:
    assert compare_answers([(record({}), record({}))]) is None


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_is_the_jackknifes(seed: int) -> None:
    """Leaving out one recording after the other, over the answers themselves."""
    answers = drawn(seed, recordings=9)
    names = sorted(set(answers[0][0].recordings.values()))

    def share(left_out: str | None) -> float:
        kept = [v for v, name in answers[0][0].recordings.items() if name != left_out]
        return 100 * float(np.mean([ours.correct[v] - theirs.correct[v] for ours, theirs in answers for v in kept]))

    without = np.array([share(name) for name in names])
    error = math.sqrt((len(names) - 1) / len(names) * np.sum((without - share(None)) ** 2))
    half = stats.t.ppf(0.975, len(names) - 1) * error
    found = compare_answers(answers)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((share(None) - half, share(None) + half))


def test_of_single_clips_the_interval_is_the_t_interval() -> None:
    """The jackknife's variance of a mean is the usual one (Efron and Tibshirani 1993, 11.5)."""
    sums = np.array([100.0, -100, 100, 0, 0, 100, 100, 0])
    oracle = stats.ttest_1samp(sums, 0.0).confidence_interval(0.95)
    assert interval(sums, np.ones(8, dtype=np.int64)) == pytest.approx((oracle.low, oracle.high))


def test_no_interval_of_few_recordings_or_of_equal_ones_and_none_beyond_all_clips() -> None:
    assert interval(np.array([1.0, 2, 3, 4, 5]), np.ones(5, dtype=np.int64)) == (None, None)
    assert interval(np.full(9, 100.0), np.ones(9, dtype=np.int64)) == (None, None)
    low, high = interval(np.array([200.0, 100, 100, 100, 100, 100, -100]), np.array([2, 1, 1, 1, 1, 1, 1]))
    assert low is not None
    assert (low < 60, high) == (True, 100.0)


def test_shares_of_answers_count_as_they_are() -> None:
    ours = record({"a": Fraction(1, 2), "b": True, "c": Fraction(2, 3)})
    theirs = record({"a": False, "b": False, "c": Fraction(1, 3)})
    found = compare_answers([(ours, theirs)])
    assert found is not None
    assert found.p == pytest.approx(sign_flip_test(np.array([3, 6, 2])))


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
