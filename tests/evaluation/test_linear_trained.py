"""The linear layer that is trained by SGD over a frozen backbone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raysl import results
from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import resolved
from raysl.config.load import evaluation_from
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.protocol import Task
from raysl.models.backbone import Backbone
from raysl.objectives.build import draw_backbone
from raysl.training.load_backbone import load_network
from raysl.training.pretrain import pretrain
from tests.evaluation.test_finetune import tiny_cell
from tests.evaluation.tiny import CLIP, CPU, DATA, chosen

DATA_OF_MANY = chosen("data set", "synthetic", **{**resolved(DATA.options), "train_per_class": 8, "test_per_class": 40})
VIDEOS = 24
WHOLE = CLIP.model_copy(update={"stride": 5})
"""A clip as long as a video: there is one alone, and no draw in it."""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> VideoSource:
    return open_source(DATA_OF_MANY, Places({}, tmp_path_factory.mktemp("many")), resize=CLIP.resize)


def of_many(protocol: str, **options: Any) -> EvaluationConfig:
    data = {"name": "synthetic", **resolved(DATA_OF_MANY.options)}
    given = {"label": f"{protocol}/synthetic", "protocol": {"name": protocol, **options}, "data": data}
    return evaluation_from(given, "test")


def trained(source: VideoSource, cell: CellConfig, backbone: Backbone, config: EvaluationConfig, place: Path) -> float:
    behind = Cell(cell).behind(config)
    assert behind is not None
    folder = results.open(place).named(behind.id)
    pretrain(behind.config, folder, source, start=backbone)
    (test,) = behind.evaluations
    found = evaluate(
        backbone, {"test": test}, behind.config.clip, lambda _: source, seed=0, device=CPU, cell=behind.config,
        network=lambda: (load_network(behind.config, folder, source), source.catalog.classes),
    )  # fmt: skip
    return found["test"].metrics["top1"]


def labelled_by(backbone: Backbone, source: VideoSource) -> VideoSource:
    """The same videos in classes that a linear layer can tell apart, but not at once: bands along one direction."""
    config = of_many("retrieval", clips=1, k=[1])
    task = Task(backbone, source, WHOLE, 0, CPU, options=config.protocol.options)
    train, test = (config.protocol.build().features(task, split) for split in ("train", "test"))
    values = np.concatenate([train.values, test.values])
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    along = (unit - unit.mean(axis=0)) @ np.random.default_rng(0).normal(size=unit.shape[1])
    band = np.searchsorted(np.quantile(along, [1 / 3, 2 / 3]), along)
    labels = dict(zip(np.concatenate([train.video, test.video]).tolist(), band.tolist(), strict=True))
    videos = tuple(replace(video, label=labels[video.index]) for video in source.catalog.videos)
    return VideoSource(replace(source.catalog, videos=videos), source.manifest, source.root, source.cache)


@pytest.mark.slow
def test_it_is_as_accurate_as_logistic_regression_where_its_schedule_suffices(
    many: VideoSource, tmp_path: Path
) -> None:
    """Both minimise mean loss + |w|^2 / (2 c N); one by its only solution, the other step by step."""
    c = 100.0
    cell = tiny_cell(0).model_copy(update={"data": DATA_OF_MANY, "clip": WHOLE})
    backbone = draw_backbone(cell).eval()
    source = labelled_by(backbone, many)
    logistic = of_many("linear", clips=1, c=c, normalize="l2", iterations=10000)
    expected = evaluate(backbone, {"l": logistic}, WHOLE, lambda _: source, seed=0, device=CPU)["l"].metrics["top1"]
    sgd = of_many(
        "linear_trained",
        clips=1,
        epochs=600,
        batch_size=VIDEOS,
        augment="none",
        optimizer={
            "name": "sgd",
            "learning_rate": {"value": 20.0, "at_batch": VIDEOS},
            "momentum": 0.9,
            "weight_decay": 1 / (c * VIDEOS),
        },
    )
    assert trained(source, cell, backbone, sgd, tmp_path) == pytest.approx(expected, abs=1.0)
    assert expected > 50, "of three classes"


def test_its_cell_trains_the_head_alone_and_keeps_statistics() -> None:
    config = of_many("linear_trained")
    behind = Cell(tiny_cell()).behind(config)
    assert behind is not None
    made = behind.config
    assert (made.train, made.batch_norm_statistics, made.supervised.feature_norm) == ("head", "kept", "l2")
    assert made.optimizer.options.learning_rate.at(made.training.batch_size) == 4.0
    assert isinstance(made.optimizer, Chosen)
