"""What every protocol on features of whole videos keeps: chance and perfect scores, no order, one error each."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raysl.errors import CellFailure, DataError
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.protocol import EvaluationResult, Features
from raysl.testing.features import class_names, toy_features
from raysl.testing.protocol import CLASSES, ProtocolContract, assert_equal, assert_stored


class FeatureProtocolContract(ProtocolContract):
    """Of a protocol on features of whole videos: ``COMPONENT.build`` gives a `FeatureProtocol`.

    Attributes:
        options_of_toys: options beside ``options`` for sixty videos of six classes.
        chance_videos: test videos whose features say nothing; fewer where the protocol's cost grows fast with them.
        percent: whether all of its metrics are percent, and not the headline alone.
    """

    options_of_toys: Mapping[str, Any] = {}
    chance_videos: int = 600
    percent: bool = True

    def measured(self, train: Features, test: Features, seed: int = 0) -> EvaluationResult:
        protocol = self.found.build(self.resolved(**self.options_of_toys))
        assert isinstance(protocol, FeatureProtocol)
        return protocol.on_features(train, test, class_names(CLASSES), seed)

    def shares(self, result: EvaluationResult) -> list[float]:
        """The metrics that are percent."""
        values = list(result.metrics.values())
        return values if self.percent else values[:1]

    def test_options_extend_those_of_features(self) -> None:
        assert issubclass(self.found.options, FeatureOptions)

    @pytest.mark.parametrize("signal", [0.0, 2.0])
    def test_predictions_and_metrics_agree(self, signal: float) -> None:
        test = split("test", 61, signal)
        result = self.measured(split("train", 90, signal), test)
        assert result.predictions["video"].tolist() == test.video.tolist()
        assert result.predictions["path"].tolist() == list(test.path)
        assert result.predictions["label"].tolist() == test.label.tolist()
        assert result.predictions["correct"].dtype == bool
        headline = next(iter(result.metrics.values()))
        assert 100 * result.predictions["correct"].mean() == pytest.approx(headline)
        assert all(0 <= value <= 100 for value in self.shares(result))
        assert result.details["test_videos"] == 61
        assert result.details["train_videos"] == 90

    def test_result_can_be_stored(self, tmp_path: Path) -> None:
        assert_stored(self.measured(split("train", 36, 1.0), split("test", 13, 1.0)), tmp_path)

    def test_deterministic_and_inputs_untouched(self) -> None:
        train, test = split("train", 60, 1.0, groups=4), split("test", 25, 1.0, groups=3)
        before = copy.deepcopy((train, test))
        assert_equal(self.measured(train, test, seed=3), self.measured(train, test, seed=3))
        for old, new in zip(before, (train, test), strict=True):
            for name in ("video", "label", "values"):
                np.testing.assert_array_equal(getattr(old, name), getattr(new, name))

    def test_perfect_features_score_100(self) -> None:
        result = self.measured(split("train", 60, 1000.0), split("test", 31, 1000.0))
        assert set(self.shares(result)) == {100.0}

    def test_random_features_score_chance(self) -> None:
        videos = self.chance_videos
        result = self.measured(split("train", 300, 0.0), split("test", videos, 0.0))
        chance = 100 / CLASSES
        # 4 standard errors; train and test noise are independent.
        margin = 4 * np.sqrt(chance * (100 - chance) / videos)
        assert abs(next(iter(result.metrics.values())) - chance) < margin

    def test_order_of_test_videos_does_not_matter(self) -> None:
        train, test = split("train", 60, 1.0), split("test", 25, 1.0)
        order = np.random.default_rng(0).permutation(25)
        paths = tuple(test.path[i] for i in order)
        shuffled = Features(test.video[order], test.label[order], paths, (None,) * 25, test.values[order])
        plain, moved = self.measured(train, test), self.measured(train, shuffled)
        assert plain.metrics == pytest.approx(moved.metrics)
        assert plain.predictions["correct"].to_numpy()[order].tolist() == moved.predictions["correct"].tolist()

    def test_classes_without_videos_are_counted(self) -> None:
        train, test = split("train", 60, 3.0), split("test", 24, 3.0)
        train = replace(train, label=np.where(train.label == 5, 0, train.label))
        test = replace(test, label=np.where(test.label == 1, 2, test.label))
        result = self.measured(train, test)
        assert result.details["classes_without_train_videos"] == ["class5"]
        assert result.details["classes_without_test_videos"] == ["class1"]
        assert result.details["test_videos_of_untaught_classes"] == 4
        assert not result.predictions["correct"][result.predictions["label"] == 5].any()
        assert len(result.predictions) == 24

    def test_one_training_class_is_refused(self) -> None:
        train = split("train", 12, 1.0)
        with pytest.raises(DataError, match="one class \\(class3\\)"):
            self.measured(replace(train, label=np.full(12, 3)), split("test", 12, 1.0))

    @pytest.mark.parametrize("without", ["train", "test"])
    def test_empty_split_is_refused(self, without: str) -> None:
        sizes = {"train": 12, "test": 12, without: 0}
        with pytest.raises(DataError, match=f"no readable labelled video in the {without} split"):
            self.measured(split("train", sizes["train"], 1.0), split("test", sizes["test"], 1.0))

    def test_label_outside_the_classes_is_refused(self) -> None:
        test = split("test", 12, 1.0)
        with pytest.raises(DataError, match=r"test/0\.mp4 has label 6"):
            self.measured(split("train", 12, 1.0), replace(test, label=test.label + CLASSES))

    def test_video_in_both_splits_is_refused(self) -> None:
        train = split("train", 12, 1.0)
        with pytest.raises(DataError, match=r"12 videos are in both .* train/0\.mp4"):
            self.measured(train, train)

    @pytest.mark.parametrize(("where", "value"), [("train", np.nan), ("test", np.inf)])
    def test_features_that_are_not_finite_fail_the_cell(self, where: str, value: float) -> None:
        features = {"train": split("train", 12, 1.0), "test": split("test", 12, 1.0)}
        features[where].values[7, 2] = value
        with pytest.raises(CellFailure, match=f"1 of 12 {where} videos") as caught:
            self.measured(features["train"], features["test"])
        assert caught.value.details["first_video"] == f"{where}/7.mp4"


def split(name: str, videos: int, signal: float, **options: int) -> Features:
    """Toy features of six classes."""
    return toy_features(videos, CLASSES, signal=signal, split=name, **options)
