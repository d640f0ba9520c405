"""Detection of actions on rendered films in AVA's layout: from a backbone to a head on boxes to mean AP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raysl import results
from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.evaluation import EvaluationConfig
from raysl.config.load import evaluation_from
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.errors import ConfigError, NodeFault
from raysl.evaluation.against_data import check_against_data
from raysl.evaluation.evaluate import evaluate, reads_network
from raysl.evaluation.protocol import EvaluationResult
from raysl.evaluation.try_evaluation import try_evaluation
from raysl.objectives.build import build_objective, draw_backbone
from raysl.objectives.objective import Objective
from raysl.testing.ranks import run_ranks
from raysl.training.load_backbone import load_network
from raysl.training.loop import KilledError
from raysl.training.pretrain import pretrain
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.evaluation.tiny import CPU
from tests.training.material import assert_equal_states, final

DATA = {"name": "synthetic_boxes", "train": 24, "test": 8}
ACTIONS = ["right", "left", "still", "striped"]


def cell(**change: Any) -> CellConfig:
    """Whose backbone is drawn; it is trained from there."""
    base = {"pretraining": "none", "clip": {"frames": 4, "stride": 2, "size": 48, "resize": 48}}
    return tiny_cell({**base, "backbone": TINY_BACKBONE, **change})


def detection(**options: Any) -> EvaluationConfig:
    rate = {"name": "adamw", "learning_rate": {"value": 5e-3, "at_batch": 6}}
    given = {"epochs": 8, "batch_size": 6, "optimizer": rate, "schedule": "cosine", "augment": "none"}
    protocol = {"name": "detection", **given, **options}
    return evaluation_from({"label": "detection/films", "protocol": protocol, "data": DATA}, "test")


def behind(**options: Any) -> Cell:
    found = Cell(cell()).behind(detection(**options))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> VideoSource:
    return open_source(detection().data, Places({}, tmp_path_factory.mktemp("detection")), resize=48)


def measure(source: VideoSource, of: Cell, network: Objective) -> EvaluationResult:
    (evaluation,) = of.evaluations
    found = evaluate(
        network.backbone, {"m": evaluation}, of.config.clip, lambda _: source, seed=0, device=CPU, batch_clips=2,
        cell=of.config, network=lambda: (network, source.catalog.classes),
    )  # fmt: skip
    return found["m"]


def drawn(of: Cell) -> Objective:
    return build_objective(of.config, range(8), 1, classes=len(ACTIONS))


def trained(source: VideoSource, of: Cell, place: Path) -> Objective:
    folder = results.open(place).named(of.id)
    pretrain(of.config, folder, source, start=draw_backbone(cell()))
    return load_network(of.config, folder, source)


@pytest.mark.slow
def test_a_trained_head_beats_one_that_is_drawn(source: VideoSource, tmp_path: Path) -> None:
    """Also on motion, which no single frame shows; detected boxes miss people, so less is reached with them."""
    of, asked = behind(), behind(boxes="annotated")
    assert of.config == asked.config
    network = trained(source, of, tmp_path)
    before, after, best = measure(source, of, drawn(of)), measure(source, of, network), measure(source, asked, network)
    assert after.metrics["mAP"] > before.metrics["mAP"] + 10
    assert best.metrics["mAP_of_true_boxes"] > after.metrics["mAP"]
    precision = best.details["class_average_precision"]
    assert isinstance(precision, dict)
    assert list(precision) == ACTIONS
    assert np.mean(list(precision.values())) == pytest.approx(best.metrics["mAP_of_true_boxes"])
    assert (best.details["boxes"], best.details["test_frames"], best.details["test_boxes"]) == ("annotated", 24, 48)
    assert best.details["unlabelled"] == {"train": 0, "test": 0}


@pytest.mark.parametrize("boxes", ["detected", "annotated"])
def test_the_metric_is_the_declared_one(boxes: str, source: VideoSource) -> None:
    of, asked = behind(boxes=boxes), detection(boxes=boxes).protocol
    (measured,) = of.evaluations
    for chosen in (asked, measured.protocol):
        assert chosen.component.metrics is not None
        assert chosen.component.metrics(chosen.options) == tuple(measure(source, of, drawn(of)).metrics)


def test_predictions_are_boxes_and_claim_no_video_right(source: VideoSource) -> None:
    of = behind()
    found = measure(source, of, drawn(of)).predictions
    given = [person for frame in source.catalog.annotated for person in frame.detected]
    assert "correct" not in found.columns
    assert found[["left", "top", "right", "bottom"]].to_numpy().tolist() == [list(person.box) for person in given]
    assert set(found["path"]) == {video.path for video in source.catalog.split("test")}


def _rank(rank: int, place: str) -> tuple[dict[str, float], pd.DataFrame]:
    of = behind()
    source = open_source(detection().data, Places({}, Path(place)), resize=48)
    found = measure(source, of, drawn(of))
    return found.metrics, found.predictions


@pytest.mark.slow
def test_two_ranks_measure_the_same(source: VideoSource) -> None:
    of = behind()
    alone = measure(source, of, drawn(of))
    for metrics, predictions in run_ranks(_rank, 2, str(source.cache.folder.parent)):
        assert metrics == alone.metrics
        pd.testing.assert_frame_equal(predictions, alone.predictions)


def test_one_that_was_killed_goes_on_to_the_same_weights(source: VideoSource, tmp_path: Path) -> None:
    of = behind(epochs=2, batch_size=24, dropout=0.5, augment={"name": "standard", "jitter": 0.0})
    store = results.open(tmp_path)
    whole, killed = store.named(of.id), results.open(tmp_path / "killed").named(of.id)
    pretrain(of.config, whole, source, start=draw_backbone(cell()))
    with pytest.raises(KilledError):
        pretrain(of.config, killed, source, start=draw_backbone(cell()), stop_after=4)
    pretrain(of.config, killed, source, start=draw_backbone(cell()))
    assert_equal_states(final(killed, of.config).model, final(whole, of.config).model)


def test_the_cell_is_the_papers_and_starts_from_the_row() -> None:
    asked = evaluation_from({"label": "detection/films", "protocol": "detection", "data": DATA}, "test")
    found = Cell(cell()).behind(asked)
    assert found is not None
    config, (evaluation,) = found.config, found.evaluations
    assert config.start == cell()
    assert (config.training.epochs, config.training.batch_size, config.train) == (12, 32, "all")
    assert config.optimizer.options.learning_rate.at(32) == 0.2
    assert [config.schedule.build(120, 10)(step) for step in (0, 79, 80, 109, 110)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01]
    )
    assert evaluation.protocol.name == "frame_map"
    assert reads_network(evaluation)


@pytest.mark.parametrize(
    ("options", "other"),
    [({"roi_size": 3}, True), ({"dropout": 0.5}, True), ({"min_score": 0.5}, False), ({"boxes": "annotated"}, False)],
)
def test_what_only_the_test_reads_trains_nothing_anew(options: dict[str, Any], other: bool) -> None:
    assert (behind(**options).id != behind().id) == other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augment": "rand_augment"}, "detection: augment 'rand_augment' moves pixels"),
        ({"augment": {"name": "standard", "temporally_consistent": False}}, "which boxes cannot follow"),
        ({"augment": {"name": "standard", "temporal": {"buffer_frames": 4}}}, "which boxes cannot follow"),
        ({"schedule": {"name": "multistep", "milestones": [8]}}, "never passes the first one, 8"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        behind(**options)


def with_frames(source: VideoSource, **change: Any) -> VideoSource:
    frames = tuple(replace(frame, **change) for frame in source.catalog.annotated)
    return VideoSource(replace(source.catalog, annotated=frames), source.manifest, source.root, source.cache)


def test_data_that_cannot_fill_it_is_refused_before_training(source: VideoSource) -> None:
    of = behind()
    (evaluation,) = of.evaluations
    check_against_data(of.config, None, source.snapshot)
    check_against_data(of.config, evaluation, source.snapshot)
    late, nobody = with_frames(source, second=9.0), with_frames(source, people=())
    for asked in (None, evaluation):
        with pytest.raises(ConfigError, match=r"ava_\w+_v2\.2\.csv, line 1: the frame at second 9 .*is outside"):
            check_against_data(of.config, asked, late.snapshot)
        with pytest.raises(ConfigError, match="has no people's boxes in readable"):
            check_against_data(of.config, asked, nobody.snapshot)
    with pytest.raises(ConfigError, match=r"larger than the set: 72 readable"):
        check_against_data(behind(batch_size=73).config, None, source.snapshot)


def test_boxes_that_are_not_there_cannot_be_tested(source: VideoSource) -> None:
    of = behind()
    with pytest.raises(ConfigError, match=r"no test frame has a detected box of score 0\.9 .*set boxes: annotated"):
        measure(with_frames(source, detected=()), of, drawn(of))
    with pytest.raises(ConfigError, match=r"evaluation detection/films.*no test frame has a detected box"):
        check_against_data(of.config, of.evaluations[0], with_frames(source, detected=()).snapshot)


def test_a_film_that_is_lost_is_a_fault_of_the_machine(source: VideoSource, tmp_path: Path) -> None:
    of = behind()
    elsewhere = VideoSource(source.catalog, source.manifest, tmp_path, replace_cache(source, tmp_path))
    with pytest.raises(NodeFault, match="could be read earlier"):
        measure(elsewhere, of, drawn(of))


def replace_cache(source: VideoSource, place: Path) -> Any:
    return type(source.cache)(place, source.cache.resize, 0)


def test_it_is_tried_on_a_few_frames(source: VideoSource) -> None:
    of = behind()
    network = drawn(of)
    (evaluation,) = of.evaluations
    assert try_evaluation(of.config, evaluation, network.backbone, source, network) > 0


def test_sets_and_protocols_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs people's boxes, and this data set has none"):
        tiny_cell({"pretraining": "supervised", "supervised.target": "boxes"})
    with pytest.raises(ConfigError, match="labels are needed"):
        tiny_cell({"pretraining": "supervised", "data": DATA})
