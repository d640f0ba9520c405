"""What every protocol on a frozen backbone must do; each one that comes with raysl inherits these tests.

Those on features that are means over clips first, then those that read clip by clip.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raysl.config.cells import Cell
from raysl.config.component import find, names
from raysl.config.identity import resolved
from raysl.config.sections import ClipOptions
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.errors import CellFailure, DataError
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.feature_protocol import FeatureOptions, FeatureProtocol
from raysl.evaluation.network_protocol import NetworkOptions
from raysl.evaluation.per_clip_protocol import PerClipOptions, PerClipProtocol
from raysl.evaluation.protocol import EvaluationResult, Features, Task
from raysl.evaluation.protocols.class_activation import ClassActivation
from raysl.models.backbone import Backbone
from raysl.objectives.build import build_objective
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.evaluation.tiny import CLIP, CPU, DATA, backbone, chosen, evaluation
from tests.evaluation.toy import class_names, toy_features
from tests.search_spaces.image_weights import FLOW, save_flow_weights

CLASSES = 6


def build(name: str) -> FeatureProtocol:
    component = find("protocol", name)
    few = {"folds": 2} if "folds" in component.options.model_fields else {}  # of a cross-validation
    protocol = component.build(component.options(**few))
    assert isinstance(protocol, FeatureProtocol)
    return protocol


def run(name: str, train: Features, test: Features, seed: int = 0) -> EvaluationResult:
    return build(name).on_features(train, test, class_names(CLASSES), seed)


def split(name: str, videos: int, signal: float, **options: int) -> Features:
    return toy_features(videos, CLASSES, signal=signal, split=name, **options)


def shares(name: str, result: EvaluationResult) -> list[float]:
    """The metrics that are percent: of the geometry of features the headline alone."""
    values = list(result.metrics.values())
    return values[:1] if name == "geometry" else values


SMALL: dict[str, dict[str, object]] = {
    "finetune": {"epochs": 1, "batch_size": 4, "clips": 1},
    "linear_trained": {"epochs": 1, "batch_size": 4, "clips": 1},
    "transfer": {"epochs": 1, "batch_size": 4, "task": {"reverse": chosen("pretext task", "reverse")}},
    "retrieval": {"k": (1, 4, 9)},
    "similarity": {"distances": (0.1, 0.2, 0.4)},
    "timesteps": {"steps": 2},
    "motion_difference": {
        "task": {"reverse": chosen("pretext task", "reverse")},
        "weights": FLOW,
        "network": "small",
        "updates": 1,
        "pairs": 1,
        "videos": 2,
    },
}
"""Options with which a protocol measures all that it can on twelve training videos of six classes, in a second."""

IN_TIME = CLIP.model_copy(update={"frames": 16, "stride": 1})
"""Clips of which the small backbone leaves two time steps."""

KINDS_OF_OPTIONS = (FeatureOptions, PerClipOptions, NetworkOptions)


def of_kind(options: type) -> list[str]:
    return [name for name in names("protocol") if issubclass(find("protocol", name).options, options)]


@pytest.fixture(params=of_kind(FeatureOptions))
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", names("protocol"))
def test_options_extend_those_of_one_kind(name: str) -> None:
    without_network = name == "motion_difference"
    kinds = sum(issubclass(find("protocol", name).options, kind) for kind in KINDS_OF_OPTIONS)
    assert kinds == (not without_network)


@pytest.fixture(scope="module")
def six_classes(tmp_path_factory: pytest.TempPathFactory) -> VideoSource:
    data = chosen("data set", "synthetic", **{**resolved(DATA.options), "classes": CLASSES, "train_per_class": 2})
    return open_source(data, Places({}, tmp_path_factory.mktemp("six")), resize=CLIP.resize)


@pytest.fixture(scope="module")
def raft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_flow_weights(tmp_path_factory.mktemp("raft"))


@pytest.mark.parametrize("name", [name for name in names("protocol") if not find("protocol", name).boxes])
def test_metrics_are_those_that_are_declared_before_there_are_any(
    name: str, six_classes: VideoSource, raft: Path
) -> None:
    config = evaluation(name, "label", **SMALL.get(name, {}))
    declared = find("protocol", name).metrics
    if declared is None:
        assert name == "task_accuracy", "whose metrics are named as the cell's tasks"
        return
    expected = declared(config.protocol.options)
    cell = Cell(tiny_cell({"pretraining": "supervised", "clip": CLIP.model_dump(), "backbone": TINY_BACKBONE}))
    behind = cell.behind(config)
    if behind is not None:
        cell, (config,) = behind, behind.evaluations
    network = build_objective(cell.config, range(12), 1, classes=CLASSES)
    results = evaluate(
        network.backbone,
        {"label": config},
        IN_TIME if name == "timesteps" else CLIP,
        lambda _: six_classes,
        seed=0,
        device=CPU,
        cell=cell.config,
        network=lambda: (network, six_classes.catalog.classes),
        files={FLOW: raft},
    )
    assert tuple(results["label"].metrics) == expected


@pytest.mark.parametrize("signal", [0.0, 2.0])
def test_predictions_and_metrics_agree(protocol: str, signal: float) -> None:
    test = split("test", 61, signal)
    result = run(protocol, split("train", 90, signal), test)
    assert result.predictions["video"].tolist() == test.video.tolist()
    assert result.predictions["path"].tolist() == list(test.path)
    assert result.predictions["label"].tolist() == test.label.tolist()
    assert result.predictions["correct"].dtype == bool
    headline = next(iter(result.metrics.values()))
    assert 100 * result.predictions["correct"].mean() == pytest.approx(headline)
    assert all(0 <= value <= 100 for value in shares(protocol, result))
    assert result.details["test_videos"] == 61
    assert result.details["train_videos"] == 90


def test_result_can_be_stored(protocol: str, tmp_path: object) -> None:
    result = run(protocol, split("train", 36, 1.0), split("test", 13, 1.0))
    json.dumps([result.metrics, result.details], allow_nan=False)
    result.predictions.to_parquet(f"{tmp_path}/predictions.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(f"{tmp_path}/predictions.parquet"), result.predictions)


def test_deterministic_and_inputs_untouched(protocol: str) -> None:
    train, test = split("train", 60, 1.0, groups=4), split("test", 25, 1.0, groups=3)
    before = copy.deepcopy((train, test))
    first, second = run(protocol, train, test, seed=3), run(protocol, train, test, seed=3)
    assert first.metrics == second.metrics
    assert first.details == second.details
    pd.testing.assert_frame_equal(first.predictions, second.predictions)
    for old, new in zip(before, (train, test), strict=True):
        for name in ("video", "label", "values"):
            np.testing.assert_array_equal(getattr(old, name), getattr(new, name))


def test_perfect_features_score_100(protocol: str) -> None:
    result = run(protocol, split("train", 60, 1000.0), split("test", 31, 1000.0))
    assert set(shares(protocol, result)) == {100.0}


def test_random_features_score_chance(protocol: str) -> None:
    videos = 600
    result = run(protocol, split("train", 300, 0.0), split("test", videos, 0.0))
    chance = 100 / CLASSES
    # 4 standard errors; train and test noise are independent.
    margin = 4 * np.sqrt(chance * (100 - chance) / videos)
    assert abs(next(iter(result.metrics.values())) - chance) < margin


def test_order_of_test_videos_does_not_matter(protocol: str) -> None:
    train, test = split("train", 60, 1.0), split("test", 25, 1.0)
    order = np.random.default_rng(0).permutation(25)
    shuffled = Features(
        test.video[order], test.label[order], tuple(test.path[i] for i in order), (None,) * 25, test.values[order]
    )
    plain, moved = run(protocol, train, test), run(protocol, train, shuffled)
    assert plain.metrics == pytest.approx(moved.metrics)
    assert plain.predictions["correct"].to_numpy()[order].tolist() == moved.predictions["correct"].tolist()


def test_classes_without_videos_are_counted(protocol: str) -> None:
    train, test = split("train", 60, 3.0), split("test", 24, 3.0)
    train = replace(train, label=np.where(train.label == 5, 0, train.label))
    test = replace(test, label=np.where(test.label == 1, 2, test.label))
    result = run(protocol, train, test)
    assert result.details["classes_without_train_videos"] == ["class5"]
    assert result.details["classes_without_test_videos"] == ["class1"]
    assert result.details["test_videos_of_untaught_classes"] == 4
    assert not result.predictions["correct"][result.predictions["label"] == 5].any()
    assert len(result.predictions) == 24


def test_one_training_class_is_refused(protocol: str) -> None:
    train = split("train", 12, 1.0)
    with pytest.raises(DataError, match="one class \\(class3\\)"):
        run(protocol, replace(train, label=np.full(12, 3)), split("test", 12, 1.0))


@pytest.mark.parametrize("empty", ["train", "test"])
def test_empty_split_is_refused(protocol: str, empty: str) -> None:
    sizes = {"train": 12, "test": 12, empty: 0}
    with pytest.raises(DataError, match=f"no readable labelled video in the {empty} split"):
        run(protocol, split("train", sizes["train"], 1.0), split("test", sizes["test"], 1.0))


def test_label_outside_the_classes_is_refused(protocol: str) -> None:
    test = split("test", 12, 1.0)
    with pytest.raises(DataError, match=r"test/0\.mp4 has label 6"):
        run(protocol, split("train", 12, 1.0), replace(test, label=test.label + CLASSES))


def test_video_in_both_splits_is_refused(protocol: str) -> None:
    train = split("train", 12, 1.0)
    with pytest.raises(DataError, match=r"12 videos are in both .* train/0\.mp4"):
        run(protocol, train, train)


@pytest.mark.parametrize(("where", "value"), [("train", np.nan), ("test", np.inf)])
def test_features_that_are_not_finite_fail_the_cell(protocol: str, where: str, value: float) -> None:
    features = {"train": split("train", 12, 1.0), "test": split("test", 12, 1.0)}
    features[where].values[7, 2] = value
    with pytest.raises(CellFailure, match=f"1 of 12 {where} videos") as caught:
        run(protocol, features["train"], features["test"])
    assert caught.value.details["first_video"] == f"{where}/7.mp4"


@dataclass(frozen=True)
class OnClips:
    """A protocol with clips that it can read."""

    protocol: PerClipProtocol
    clip: ClipOptions

    def evaluate(self, source: VideoSource, network: Backbone | None = None, seed: int = 0) -> EvaluationResult:
        return self.protocol.evaluate(Task(network or backbone(), source, self.clip, seed, CPU))


@pytest.fixture(params=of_kind(PerClipOptions))
def on_clips(request: pytest.FixtureRequest) -> OnClips:
    name = str(request.param)
    component = find("protocol", name)
    made = component.build(component.options(**({"steps": 2} if name == "timesteps" else {})))
    assert isinstance(made, PerClipProtocol)
    return OnClips(made, IN_TIME if name == "timesteps" else CLIP)


def test_on_clips_predictions_and_metrics_agree(on_clips: OnClips, tiny: VideoSource) -> None:
    result = on_clips.evaluate(tiny)
    videos = tiny.catalog.split("test")
    assert result.predictions["video"].tolist() == [video.index for video in videos]
    assert result.predictions["path"].tolist() == [video.path for video in videos]
    assert result.predictions["label"].tolist() == [video.label for video in videos]
    assert result.predictions["correct"].dtype == bool
    assert 100 * result.predictions["correct"].mean() == pytest.approx(next(iter(result.metrics.values())))
    assert all(-100 <= value <= 100 + 1e-4 for value in result.metrics.values())
    assert result.details["test_videos"] == len(videos)


def test_on_clips_a_result_can_be_stored(on_clips: OnClips, tiny: VideoSource, tmp_path: object) -> None:
    result = on_clips.evaluate(tiny)
    json.dumps([result.metrics, result.details], allow_nan=False)
    result.predictions.to_parquet(f"{tmp_path}/predictions.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(f"{tmp_path}/predictions.parquet"), result.predictions)


def test_on_clips_deterministic_and_the_backbone_untouched(on_clips: OnClips, tiny: VideoSource) -> None:
    network = backbone().train()
    before = copy.deepcopy(network.state_dict())
    first, second = on_clips.evaluate(tiny, network, seed=3), on_clips.evaluate(tiny, seed=3)
    assert first.metrics == second.metrics
    assert first.details == second.details
    pd.testing.assert_frame_equal(first.predictions, second.predictions)
    assert all(module.training for module in network.modules())
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())


def test_on_clips_features_that_are_not_finite_fail_the_cell(on_clips: OnClips, tiny: VideoSource) -> None:
    network = backbone()
    next(network.parameters()).data.fill_(np.nan)
    learns = isinstance(on_clips.protocol, ClassActivation)  # and so reads training videos first
    with pytest.raises(CellFailure, match="14 of 14 train videos" if learns else "9 of 9 test videos"):
        on_clips.evaluate(tiny, network)
