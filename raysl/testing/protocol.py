"""What every protocol keeps: metrics as declared, predictions that agree with them, the same result each time."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import evaluation_id
from raysl.config.load import evaluation_from
from raysl.config.sections import ClipOptions
from raysl.data.source import VideoSource
from raysl.errors import CellFailure, ConfigError, DataError
from raysl.evaluation.against_data import check_against_data
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.per_clip_protocol import PerClipOptions, PerClipProtocol
from raysl.evaluation.protocol import EvaluationResult, Features, Task
from raysl.evaluation.try_evaluation import try_evaluation
from raysl.models.backbone import Backbone
from raysl.objectives.build import build_objective
from raysl.testing.cells import TINY_BACKBONE, rendered, tiny_cell
from raysl.testing.component import BASE, ComponentContract, at_bounds, source_of, takes_seconds
from raysl.testing.evaluated import CLIP, CPU, SIX_CLASSES, backbone, open_tiny, six_classes
from raysl.testing.features import class_names, toy_features
from raysl.testing.fields import nested, numbers_of
from raysl.training.check_cell import check_cell
from raysl.training.try_step import try_step

CLASSES = 6


class ProtocolContract(ComponentContract):
    """Of a protocol: ``COMPONENT = Component(kind="protocol", ...)``; those of features and of clips keep more.

    ``options`` should be such that it measures all that it can on twelve training videos of six classes, in a second.
    ``changes`` are of the cell that is evaluated.

    Attributes:
        clip: that the backbone was trained on.
        options_to_train: options beside ``options`` with which it fits eight training videos of two classes.
    """

    kind: ClassVar[str] = "protocol"
    clip: ClipOptions = CLIP
    options_to_train: Mapping[str, Any] = {}

    @pytest.fixture
    def files(self) -> dict[str, Path]:
        """Files that it reads besides the data, by the names that ``--root`` binds them to."""
        return {}

    def evaluation(self, options: Mapping[str, Any], data: Chosen = SIX_CLASSES) -> EvaluationConfig:
        protocol = {"name": self.component, **options}
        read = {"name": data.name, **data.options.model_dump()}
        return evaluation_from({"label": "label", "protocol": protocol, "data": read}, "here.yaml")

    def id_of(self, options: Mapping[str, Any]) -> str:
        return evaluation_id(self.evaluation(options))

    def chosen(self) -> Chosen:
        return self.evaluation(self.options).protocol

    def test_metrics_are_those_that_are_declared_before_there_are_any(self, files: dict[str, Path]) -> None:
        config = self.evaluation(self.options)
        if self.found.metrics is None or self.found.boxes:
            pytest.skip(f"{self.component} declares none, or reads boxes of people")
        expected = self.found.metrics(config.protocol.options)
        cell = Cell(tiny_cell({"pretraining": "supervised", "clip": CLIP.model_dump(), "backbone": TINY_BACKBONE}))
        behind = cell.behind(config)
        if behind is not None:
            cell, (config,) = behind, behind.evaluations
        network = build_objective(cell.config, range(12), 1, classes=CLASSES)
        results = evaluate(
            network.backbone,
            {"label": config},
            self.clip,
            lambda _: six_classes(),
            seed=0,
            device=CPU,
            cell=cell.config,
            network=lambda: (network, six_classes().catalog.classes),
            files=files,
        )
        assert tuple(results["label"].metrics) == expected

    @takes_seconds
    def test_at_its_bounds_a_number_is_refused_before_training_or_it_is_evaluated(self, files: dict[str, Path]) -> None:
        cell = tiny_cell({**(BOXES if self.found.boxes else BASE), **self.changes})
        source = source_of(cell)
        report = try_step(cell, source)
        plain = {**self.options, **self.options_to_train}
        for number in numbers_of(self.found.options):
            for value in at_bounds(number):
                said = None
                try:
                    evaluation = self.evaluation(nested(plain, number.key, value), cell.data)
                    check = evaluation.protocol.component.check
                    if check is not None:  # as `raysl plan` lets it refuse the cell
                        check(evaluation.protocol.options, cell)
                    behind = Cell(cell).behind(evaluation)
                    if behind is not None:  # whose own numbers are tried as those of a cell
                        check_against_data(behind.config, None, source.snapshot)
                        (evaluation,) = behind.evaluations
                        check_against_data(behind.config, evaluation, source.snapshot)
                        check_cell(behind.config)
                        try_step(behind.config, source)
                        continue
                    check_against_data(cell, evaluation, source.snapshot)
                except ConfigError as error:
                    said = str(error)
                if said is None:
                    try_evaluation(cell, evaluation, report.backbone, source, report.network, files=files)
                else:
                    assert number.key.split(".")[-1] in said, f"{number.key} {value}: {said}"


BOXES = {key: value for key, value in BASE.items() if not key.startswith("data.")} | {
    "data": {"name": "synthetic_boxes", "train": 4, "test": 2, "height": 32, "width": 32}
}


class FeatureProtocolContract(ProtocolContract):
    """Of a protocol on features of whole videos: ``COMPONENT.build`` gives a `FeatureProtocol`.

    Attributes:
        options_of_toys: options beside ``options`` for sixty videos of six classes.
        percent: whether all of its metrics are percent, and not the headline alone.
    """

    options_of_toys: Mapping[str, Any] = {}
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
        videos = 600
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


class PerClipProtocolContract(ProtocolContract):
    """Of a protocol on a frozen backbone, clip by clip: ``COMPONENT.build`` gives a `PerClipProtocol`.

    Attributes:
        reads_first: the split whose videos it reads first, and the number of them in the tiny set.
    """

    reads_first: tuple[str, int] = ("test", 9)

    @pytest.fixture
    def source(self) -> VideoSource:
        """The videos: fifteen for training, nine for testing, of three motions."""
        return open_tiny(rendered())

    def measured(self, source: VideoSource, network: Backbone | None = None, seed: int = 0) -> EvaluationResult:
        protocol = self.found.build(self.resolved())
        assert isinstance(protocol, PerClipProtocol)
        return protocol.evaluate(Task(network or backbone(), source, self.clip, seed, CPU))

    def test_options_extend_those_of_clips(self) -> None:
        assert issubclass(self.found.options, PerClipOptions)

    def test_predictions_and_metrics_agree(self, source: VideoSource) -> None:
        result = self.measured(source)
        videos = source.catalog.split("test")
        assert result.predictions["video"].tolist() == [video.index for video in videos]
        assert result.predictions["path"].tolist() == [video.path for video in videos]
        assert result.predictions["label"].tolist() == [video.label for video in videos]
        assert result.predictions["correct"].dtype == bool
        assert 100 * result.predictions["correct"].mean() == pytest.approx(next(iter(result.metrics.values())))
        assert all(-100 <= value <= 100 + 1e-4 for value in result.metrics.values())
        assert result.details["test_videos"] == len(videos)

    def test_a_result_can_be_stored(self, source: VideoSource, tmp_path: Path) -> None:
        assert_stored(self.measured(source), tmp_path)

    def test_deterministic_and_the_backbone_untouched(self, source: VideoSource) -> None:
        network = backbone().train()
        before = copy.deepcopy(network.state_dict())
        assert_equal(self.measured(source, network, seed=3), self.measured(source, seed=3))
        assert all(module.training for module in network.modules())
        assert all(value.equal(before[name]) for name, value in network.state_dict().items())

    def test_features_that_are_not_finite_fail_the_cell(self, source: VideoSource) -> None:
        network = backbone()
        next(network.parameters()).data.fill_(np.nan)
        first, videos = self.reads_first
        with pytest.raises(CellFailure, match=f"{videos} of {videos} {first} videos"):
            self.measured(source, network)


def split(name: str, videos: int, signal: float, **options: int) -> Features:
    """Toy features of six classes."""
    return toy_features(videos, CLASSES, signal=signal, split=name, **options)


def assert_stored(result: EvaluationResult, folder: Path) -> None:
    """Metrics and details are JSON, predictions go through Parquet unchanged."""
    json.dumps([result.metrics, result.details], allow_nan=False)
    result.predictions.to_parquet(folder / "predictions.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "predictions.parquet"), result.predictions)


def assert_equal(first: EvaluationResult, second: EvaluationResult) -> None:
    assert first.metrics == second.metrics
    assert first.details == second.details
    pd.testing.assert_frame_equal(first.predictions, second.predictions)
