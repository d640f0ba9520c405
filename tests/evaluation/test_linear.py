from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pydantic
import pytest
from sklearn.linear_model import LogisticRegression

from raysl.errors import DataError
from raysl.evaluation.logistic import Solver, _splits, check_folds, choose
from raysl.evaluation.protocol import Features
from raysl.evaluation.protocols.linear import LinearOptions, LinearProbe
from raysl.testing.features import class_names, toy_features


def normalized(train: np.ndarray, other: np.ndarray, how: str) -> np.ndarray:
    if how == "standardize":
        return (other - train.mean(0)) / train.std(0)
    return other / np.linalg.norm(other, axis=1, keepdims=True) if how == "l2" else other


@pytest.mark.parametrize("how", ["none", "l2", "standardize"])
@pytest.mark.parametrize("c", [0.01, 1.0])
def test_against_sklearn_by_hand(how: Any, c: float) -> None:
    train, test = toy_features(80, 8, signal=2.0, split="train"), toy_features(45, 8, signal=2.0, split="test")
    result = LinearProbe(LinearOptions(c=c, normalize=how)).on_features(train, test, class_names(8), 0)
    x, y = train.values.astype(np.float64), test.values.astype(np.float64)
    model = LogisticRegression(C=c, max_iter=10_000, tol=1e-6).fit(normalized(x, x, how), train.label)
    expected = model.predict_proba(normalized(x, y, how))
    assert result.predictions["predicted"].tolist() == expected.argmax(1).tolist()
    np.testing.assert_allclose(result.predictions["probability"], expected[np.arange(45), test.label], rtol=1e-3)
    top5 = np.mean([label in np.argsort(-row)[:5] for row, label in zip(expected, test.label, strict=True)])
    assert result.metrics["top5"] == pytest.approx(100 * top5)
    by_class = [np.mean(expected.argmax(1)[test.label == label] == label) for label in range(8)]
    assert result.metrics["mean_class"] == pytest.approx(100 * np.mean(by_class))
    assert result.details["c"] == c
    assert result.details["converged"] is True


def test_solution_is_the_minimum_of_the_stated_loss() -> None:
    """The gradient of ``sum of losses * c + |w|^2 / 2``, written out, is near zero at what ``fit`` returns."""
    train = toy_features(60, 3, signal=1.0, split="train", dimension=5)
    model = Solver().fit(train.values, train.label, 0.3, "none")
    error = model.probabilities(train.values) - np.eye(3)[train.label]
    gradient = 0.3 * error.T @ train.values.astype(np.float64) + model.classifier.coef_
    assert np.abs(gradient).max() <= 1e-7 * 0.3 * 60  # the tolerance is on the mean loss


@pytest.mark.parametrize("how", ["none", "l2", "standardize"])
def test_a_grid_is_solved_whatever_it_begins_at(how: Any) -> None:
    """Probabilities of warm and cold starts agree with a solution a thousand times as exact; scikit-learn's do not."""
    train = toy_features(150, 5, signal=1.5, split="train", dimension=64)
    grid = (0.01, 1.0, 100.0)
    exact = [Solver(1e-10).fit(train.values, train.label, c, how) for c in grid]

    def error(solver: Solver) -> float:
        found = solver.along(train.values, train.label, grid, how)
        pairs = zip(found, exact, strict=True)
        return max(np.abs(a.probabilities(train.values) - b.probabilities(train.values)).max() for a, b in pairs)

    assert all(model.converged for model in exact)
    assert error(Solver()) < 2e-3
    assert error(Solver(warm_start=False)) < 2e-3
    assert error(Solver(1e-4)) > 2 * error(Solver())


def test_few_classes_have_no_top5() -> None:
    train, test = toy_features(20, 5, signal=2.0, split="train"), toy_features(15, 5, signal=2.0, split="test")
    assert "top5" not in LinearProbe(LinearOptions()).on_features(train, test, class_names(5), 0).metrics


@pytest.mark.parametrize("groups", [0, 6])
def test_choice_never_looks_at_the_test_videos(groups: int) -> None:
    train = toy_features(120, 4, signal=1.0, split="train", groups=groups)
    test = toy_features(60, 4, signal=1.0, split="test", groups=groups)
    generator = np.random.default_rng(5)
    other = replace(
        test, label=generator.permutation(test.label), values=generator.normal(size=(60, 16)).astype(np.float32)
    )
    probe = LinearProbe(LinearOptions())
    chosen, again = (probe.on_features(train, videos, class_names(4), 0).details for videos in (test, other))
    for key in ("c", "cross_validation", "cross_validation_folds", "cross_validation_by_group"):
        assert chosen[key] == again[key]
    assert chosen["cross_validation_by_group"] is (groups > 0)


def test_choice_is_the_best_of_the_grid_and_of_equals_the_smallest() -> None:
    train = toy_features(150, 5, signal=1.5, split="train", dimension=64)
    choice = choose(train, (1e-6, 1e-2, 1.0, 1e4), 5, "standardize", Solver(), 0)
    best = max(choice.accuracy.values())
    assert choice.c == min(c for c, accuracy in choice.accuracy.items() if accuracy == best)
    separable = toy_features(50, 5, signal=500.0, split="train")
    assert choose(separable, (0.1, 1.0), 5, "none", Solver(), 0).c == 0.1


def test_groups_stay_whole() -> None:
    train = toy_features(60, 3, signal=1.0, split="train", groups=7)
    train = replace(train, group=(None, None, *train.group[2:]))
    splits = _splits(train, 5, 0)
    assert sorted(row for _, held_out in splits for row in held_out) == list(range(60))
    for rest, held_out in splits:
        kept, left = ({train.group[row] for row in rows} - {None} for rows in (rest, held_out))
        assert kept.isdisjoint(left)


def test_seed_moves_the_folds_only() -> None:
    train = toy_features(60, 3, signal=1.0, split="train")
    first, second, same = (_splits(train, 5, seed) for seed in (0, 1, 0))
    assert any((a[1].tolist() != b[1].tolist()) for a, b in zip(first, second, strict=True))
    assert all((a[1].tolist() == b[1].tolist()) for a, b in zip(first, same, strict=True))


def test_small_classes_mean_fewer_folds() -> None:
    train = toy_features(60, 3, signal=1.0, split="train")
    rare = replace(train, label=np.where(np.arange(60) < 3, 2, train.label % 2))
    assert len(_splits(rare, 5, 0)) == 3
    single = replace(train, label=np.where(np.arange(60) < 1, 2, train.label % 2))
    result = LinearProbe(LinearOptions()).on_features(
        single, toy_features(9, 3, signal=1.0, split="test"), class_names(3), 0
    )
    assert result.details["cross_validation_folds"] == 2


def test_choice_that_cannot_be_made_is_refused() -> None:
    one_group = toy_features(12, 3, signal=1.0, split="train", groups=1)
    group_is_class = replace(toy_features(12, 2, signal=1.0, split="train"), group=("a", "b") * 6)
    one_video = toy_features(3, 3, signal=1.0, split="train")
    for train in (one_group, group_is_class, one_video):
        with pytest.raises(DataError, match="a number for its option c"):
            choose(train, (0.1, 1.0), 5, "none", Solver(), 0)
        assert Solver().fit(train.values, train.label, 1.0, "none").converged


def test_check_says_what_a_split_would() -> None:
    draw, refused = np.random.default_rng(0), 0
    for videos in range(1, 9):
        for _ in range(40):
            train = toy_features(videos, 3, signal=1.0, split="train", groups=int(draw.integers(0, 4)))
            train = replace(train, label=draw.integers(0, draw.integers(1, 5), size=videos))
            said = []
            for seed in (0, None):
                try:
                    check_folds(train, 5) if seed is None else _splits(train, 5, seed)
                except DataError as error:
                    said.append(str(error))
            assert len(said) in (0, 2)
            assert len(set(said)) < 2
            refused += bool(said)
    assert 20 < refused < 300


def test_constant_channel_is_ignored() -> None:
    train, test = toy_features(40, 4, signal=2.0, split="train"), toy_features(20, 4, signal=2.0, split="test")
    constant = np.full((60, 1), 0.1, dtype=np.float32)
    probe = LinearProbe(LinearOptions(c=1.0))
    plain = probe.on_features(train, test, class_names(4), 0)

    def widened(features: Features, column: np.ndarray) -> Features:
        return replace(features, values=np.hstack([features.values, column]))

    wide = probe.on_features(widened(train, constant[:40]), widened(test, constant[40:] + 1), class_names(4), 0)
    np.testing.assert_allclose(wide.predictions["probability"], plain.predictions["probability"], rtol=1e-3)


def test_too_few_steps_are_said() -> None:
    train, test = toy_features(80, 8, signal=1.0, split="train"), toy_features(20, 8, signal=1.0, split="test")
    result = LinearProbe(LinearOptions(c=100.0, iterations=1)).on_features(train, test, class_names(8), 0)
    assert result.details["converged"] is False


@pytest.mark.parametrize(
    "options", [{"c": 0.0}, {"c": -1.0}, {"c": "best"}, {"c": float("inf")}, {"grid": (1.0, 0.1)}, {"grid": (1.0,)}]
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError, match=next(iter(options))):
        LinearOptions(**options)
