"""Transfer to pretext tasks, and how well tasks are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from raysl import results
from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.evaluation import EvaluationConfig
from raysl.config.load import evaluation_from
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.errors import ConfigError
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.protocol import EvaluationResult
from raysl.models.backbone import Backbone
from raysl.objectives.build import build_objective, draw_backbone
from raysl.training.load_backbone import load_network
from raysl.training.pretrain import pretrain
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.evaluation.tiny import CPU

ROTATION: dict[str, Any] = {"rotation": {"jitter": 0.0}}
ADAM = {"name": "adamw", "learning_rate": {"value": 3e-3, "at_batch": 16}}
DATA = {"name": "synthetic", "classes": 4, "train_per_class": 16, "test_per_class": 25, "frames": 12, "height": 32,
        "width": 32}  # fmt: skip


def cell(**change: Any) -> CellConfig:
    """Pretrained on rotation alone."""
    base = {
        "data": DATA,
        "clip": {"frames": 2, "stride": 2, "size": 32, "resize": 32},
        "backbone": TINY_BACKBONE,
        "augment": "none",
        "objective.contrastive": None,
        "objective.pretext": ROTATION,
        "optimizer": ADAM,
        "training": {"epochs": 40, "steps": None, "batch_size": 16},
    }
    return tiny_cell(base | change)


def transfer(**options: Any) -> EvaluationConfig:
    protocol = {"name": "transfer", "task": ROTATION, "epochs": 10, "batch_size": 16, "optimizer": ADAM, **options}
    return evaluation_from({"label": "transfer/synthetic", "protocol": protocol, "data": DATA}, "test")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> VideoSource:
    return open_source(cell().data, Places({}, tmp_path_factory.mktemp("transfer")), resize=32)


def asked(source: VideoSource, config: CellConfig, network: Any) -> EvaluationResult:
    given = {"label": "task_accuracy/synthetic", "protocol": "task_accuracy", "data": DATA}
    found = evaluate(
        network.backbone, {"t": evaluation_from(given, "test")}, config.clip, lambda _: source, seed=0, device=CPU,
        cell=config, network=lambda: (network, source.catalog.classes),
    )  # fmt: skip
    return found["t"]


def transferred(source: VideoSource, of: CellConfig, backbone: Backbone, place: Path, **options: Any) -> float:
    behind = Cell(of).behind(transfer(**options))
    assert behind is not None
    folder = results.open(place).named(behind.id)
    pretrain(behind.config, folder, source, start=backbone)
    return asked(source, behind.config, load_network(behind.config, folder, source)).metrics["rotation"]


@pytest.mark.slow
def test_a_backbone_pretrained_on_a_task_answers_it_better_than_random_weights(
    source: VideoSource, tmp_path: Path
) -> None:
    config = cell()
    folder = results.open(tmp_path).named(Cell(config).id)
    pretrain(config, folder, source)
    network = load_network(config, folder, source)
    own = asked(source, config, network)
    assert tuple(own.metrics) == ("accuracy", "rotation", "rotation_majority")
    assert len(own.predictions) == 100
    assert own.metrics["rotation"] == own.metrics["accuracy"] == pytest.approx(100 * own.predictions["correct"].mean())
    random = cell(pretraining="none")
    head = {"train": "head", "batch_norm": "eval"}
    pretrained = transferred(source, config, network.backbone, tmp_path / "own", **head)
    drawn = transferred(source, random, draw_backbone(random), tmp_path / "random", **head)
    print(f"own network {own.metrics}, head on it {pretrained}, head on random weights {drawn}")
    assert pretrained > drawn + 10
    assert pretrained > own.metrics["rotation_majority"] + 10


def test_all_cells_are_asked_the_same_questions(source: VideoSource) -> None:
    """Another seed draws other weights, and no other question."""

    found = []
    for seed in (0, 1):
        config = cell(**{"training.seed": seed})
        network = build_objective(config, range(64), 1, classes=4)
        term: Any = network.term("rotation")
        torch.nn.init.zeros_(term.head.layers[-1].weight)  # always the first answer
        torch.nn.init.zeros_(term.head.layers[-1].bias)
        found.append(asked(source, config, network))
    first, second = (one.predictions["correct"].to_numpy() for one in found)
    np.testing.assert_array_equal(first, second)
    assert 10 < found[0].metrics["rotation"] < 45
    assert found[0].metrics["rotation_majority"] >= found[0].metrics["rotation"]


def test_the_training_is_a_cell_of_the_task_alone() -> None:
    behind = Cell(cell(pretraining="none")).behind(transfer(train="head"))
    assert behind is not None
    made = behind.config
    assert (made.pretraining, made.train, list(made.objective.pretext)) == ("self_supervised", "head", ["rotation"])
    assert made.objective.contrastive is None
    assert [one.protocol.name for one in behind.evaluations] == ["task_accuracy"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": {}}, "task has 0 tasks"),
        ({"task": {"rotation": {}, "reverse": {}}}, "task has 2 tasks"),
        ({"task": {"rotation": {"supervise": False}}}, "objective.pretext.rotation does nothing"),
        ({"task": {"playback_regression": {}}}, "playback_regression"),
        ({"batch_size": 7, "workers": 2}, "batch_size 7 does not divide by workers 2"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], message: str) -> None:
    wrong = transfer(**options).protocol
    assert wrong.component.check is not None
    with pytest.raises(ConfigError, match=message):
        wrong.component.check(wrong.options, cell())


def test_a_row_without_a_task_has_nothing_to_ask() -> None:
    given = {"label": "t", "protocol": "task_accuracy", "data": DATA}
    protocol = evaluation_from(given, "test").protocol
    assert protocol.component.check is not None
    for change in ({"pretraining": "none"}, {"pretraining": "supervised"}):
        with pytest.raises(ConfigError, match="no supervised pretext task"):
            protocol.component.check(protocol.options, cell(**change))
