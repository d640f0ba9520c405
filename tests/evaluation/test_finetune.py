"""Fine-tuning: a cell that starts from the given weights and learns from the training split alone, on any ranks."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from raysl import results
from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import cell_id, evaluation_id, resolved
from raysl.config.load import cell_from, evaluation_from
from raysl.data.places import Places
from raysl.data.source import VideoSource
from raysl.errors import CellFailure, ConfigError, NodeFault
from raysl.evaluation.against_data import check_against_data
from raysl.evaluation.evaluate import evaluate, reads_network, record
from raysl.evaluation.protocol import EvaluationResult
from raysl.models.backbone import pool
from raysl.results import CellFolder
from raysl.testing.ranks import run_ranks
from raysl.training.load_backbone import load_network
from raysl.training.loop import KilledError, Run
from raysl.training.pretrain import pretrain
from raysl.training.progress import Progress
from raysl.training.unreadable import Unreadable
from raysl.views.evaluation_clips import evaluation_clips
from tests.cells import TINY_BACKBONE
from tests.evaluation.tiny import CLIP, CPU, DATA, backbone, damage, open_tiny
from tests.training.material import assert_equal_states, final

FAST: dict[str, Any] = {
    "clips": 2,
    "epochs": 2,
    "batch_size": 4,
    "optimizer": {"name": "adamw", "learning_rate": {"value": 2e-3, "at_batch": 4}},
}


def finetune(label: str = "finetune/synthetic", **options: Any) -> EvaluationConfig:
    data = {"name": DATA.name, **resolved(DATA.options)}
    return evaluation_from({"label": label, "protocol": {"name": "finetune", **FAST, **options}, "data": data}, "test")


def tiny_cell(seed: int = 0, **training: Any) -> CellConfig:
    """What `backbone` counts as pretrained by; of its training only the seed matters."""
    return cell_from(
        {
            "pretraining": "none",
            "data": {"name": DATA.name, **resolved(DATA.options)},
            "clip": CLIP.model_dump(),
            "augment": "none",
            "backbone": TINY_BACKBONE,
            "optimizer": {"name": "adamw", "learning_rate": {"value": 1e-3, "at_batch": 4}},
            "schedule": "cosine",
            "training": {"epochs": 1, "batch_size": 4, "seed": seed, "max_unreadable": 0.1, **training},
        },
        "test",
    )


def behind(config: EvaluationConfig, seed: int = 0) -> Cell:
    """The cell that stands behind a fine-tuning."""
    found = Cell(tiny_cell(seed)).behind(config)
    assert found is not None
    return found


def train(source: VideoSource, cell: Cell, folder: CellFolder, **options: Any) -> dict[str, Tensor]:
    """The network's state at the end."""
    pretrain(cell.config, folder, source, start=backbone(), **options)
    return final(folder, cell.config).model


def measure(source: VideoSource, cell: Cell, folder: CellFolder, **options: Any) -> EvaluationResult:
    (evaluation,) = cell.evaluations

    def network() -> Any:
        return load_network(cell.config, folder, source), source.catalog.classes

    found = evaluate(
        backbone(), {evaluation.label: evaluation}, cell.config.clip, lambda _: source, seed=0, device=CPU,
        batch_clips=4, cell=cell.config, network=network, **options,
    )  # fmt: skip
    return found[evaluation.label]


def run(
    source: VideoSource, config: EvaluationConfig, place: Path, seed: int = 0, **options: Any
) -> tuple[EvaluationResult, pd.DataFrame]:
    """What fine-tuning gives, and its curves."""
    cell = behind(config, seed)
    folder = results.open(place).named(cell.id)
    train(source, cell, folder, **options)
    curves = folder.curves()
    assert curves is not None
    return measure(source, cell, folder), curves


def begun(source: VideoSource, **options: Any) -> Run:
    """The training before its first step."""
    return Run(
        behind(finetune(**options)).config, source, found=None, unreadable=Unreadable(source, 1.0),
        precision="float32", device=CPU, attempts=[], cores=1, start=backbone(),
    )  # fmt: skip


def moved(source: VideoSource, place: Path, **options: Any) -> set[str]:
    """Names of the backbone's state that training changed."""
    cell, before = behind(finetune(**options)), backbone().state_dict()
    after = train(source, cell, results.open(place).named(cell.id))
    return {name for name, value in before.items() if not torch.equal(value, after[f"backbone.{name}"])}


class Guarded(VideoSource):
    """Refuses test videos until training has ended; keeps which videos were read, and how often a test video was."""

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source.catalog, source.manifest, source.root, source.cache)
        self.training = True
        self.trained, self.tested = set[int](), list[int]()

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        split = self.catalog.videos[index].split
        assert (split == "train") == self.training, f"a {split} video was read while training is {self.training}"
        self.trained |= {index} if split == "train" else set()
        self.tested += [index] if split == "test" else []
        return super().frames(index, frame_indices)


def test_it_overfits_and_tests_every_video_once_after_training(tiny: VideoSource, tmp_path: Path) -> None:
    source, told = Guarded(tiny), list[Progress]()

    def on_progress(progress: Progress) -> None:
        told.append(progress)
        source.training = progress.step < progress.steps

    rate = {"name": "adamw", "learning_rate": {"value": 5e-3, "at_batch": 14}}
    config = finetune(epochs=40, batch_size=14, augment="none", optimizer=rate)
    result, curves = run(source, config, tmp_path, on_progress=on_progress)
    assert sorted(source.tested) == [video.index for video in tiny.catalog.split("test")]
    assert [progress.step for progress in told] == list(range(1, 41))
    assert curves["loss/total"].iloc[0] == pytest.approx(np.log(3), abs=0.4)
    assert curves["loss/total"].iloc[-1] < 0.3
    assert curves["metric/accuracy"].iloc[-1] > 0.95
    assert result.details["unreadable"]["train"]  # type: ignore[index]


def test_the_result_is_like_that_of_other_protocols(tiny: VideoSource, tmp_path: Path) -> None:
    result, _ = run(tiny, finetune(), tmp_path)
    table = result.predictions
    assert list(table.columns) == ["video", "path", "label", "correct", "predicted", "probability"]
    assert table["video"].tolist() == [video.index for video in tiny.catalog.split("test")]
    assert list(result.metrics) == ["top1", "mean_class"]
    assert result.metrics["top1"] == pytest.approx(100 * table["correct"].mean())
    assert table["probability"].between(0, 1).all()
    (measured,) = behind(finetune()).evaluations
    kept = record(result, measured, tiny.snapshot)
    assert json.loads(json.dumps(kept)) == kept
    assert (kept["label"], kept["headline"], kept["n_test"]) == ("finetune/synthetic", "top1", 9)


def test_the_same_twice_and_another_with_another_seed(tiny: VideoSource, tmp_path: Path) -> None:
    (first, one), (again, two) = (run(tiny, finetune(dropout=0.3), tmp_path / name) for name in ("a", "b"))
    pd.testing.assert_frame_equal(first.predictions, again.predictions)
    assert one["loss/total"].tolist() == two["loss/total"].tolist()
    _, other = run(tiny, finetune(dropout=0.3), tmp_path / "c", seed=1)
    assert other["loss/total"].tolist() != one["loss/total"].tolist()


def test_it_starts_from_the_given_weights_and_leaves_them(tiny: VideoSource, tmp_path: Path) -> None:
    given = backbone()
    before = {name: value.clone() for name, value in given.state_dict().items()}
    made = begun(tiny).learner.objective.backbone.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in made.items())
    cell = behind(finetune())
    pretrain(cell.config, results.open(tmp_path).named(cell.id), tiny, start=given)
    assert all(torch.equal(value, before[name]) for name, value in given.state_dict().items())
    with pytest.raises(ValueError, match="pass a backbone if, and only if"):
        pretrain(cell.config, results.open(tmp_path).named("other"), tiny)


def test_what_is_trained_is_what_moves(tiny: VideoSource, tmp_path: Path) -> None:
    layers = {name for name, _ in backbone().named_parameters()}
    stem = {name for name in layers if name.startswith("stem.0")}
    everything = moved(tiny, tmp_path / "all")
    assert everything >= layers
    assert moved(tiny, tmp_path / "head", train="head", batch_norm="eval") == set()
    assert moved(tiny, tmp_path / "part", train=["stem.0"], batch_norm="eval") == stem
    assert moved(tiny, tmp_path / "kept", batch_norm="eval") == layers, "running statistics stay"
    with pytest.raises(CellFailure, match=r"the backbone has no module 'stm' .*stem"):
        moved(tiny, tmp_path / "none", train=["stm"])


def test_classifier_schedule_and_rate_are_those_asked_for(tiny: VideoSource) -> None:
    made = begun(tiny, schedule={"name": "multistep", "milestones": [1]}, feature_norm="l2_batch_norm", batch_size=7)
    assert made.learner.base_rate == pytest.approx(2e-3 * 7 / 4)
    assert [made.learner.schedule(step) for step in range(4)] == pytest.approx([1, 1, 0.1, 0.1])
    term: Any = made.learner.objective.term("supervised")
    assert type(term.classifier.norm).__name__ == "BatchNorm1d"
    assert made.cell.training.seed != tiny_cell().training.seed
    assert behind(finetune()).seed == tiny_cell().training.seed, "the row's, which tables and titles show"


def test_another_clip_than_that_of_pretraining() -> None:
    changed = behind(finetune(clip={"frames": 6, "stride": 2, "size": 24}))
    assert changed.config.clip == CLIP.model_copy(update={"frames": 6, "stride": 2, "size": 24})
    (test,) = changed.evaluations
    assert test.protocol.options.clip.of(changed.config.clip) == changed.config.clip
    strides = behind(finetune(strides=[2, 4]))
    (test,) = strides.evaluations
    assert strides.config.clip.stride == 2
    assert test.protocol.options.clip.of(strides.config.clip) == CLIP


@pytest.mark.parametrize("average", ["softmax", "logits"])
def test_scores_are_averaged_over_clips(tiny: VideoSource, average: str, tmp_path: Path) -> None:
    cell = behind(finetune(average=average, epochs=1, clips=3))
    folder = results.open(tmp_path).named(cell.id)
    train(tiny, cell, folder)
    network = load_network(cell.config, folder, tiny)
    term: Any = network.term("supervised")
    rows: Any = measure(tiny, cell, folder).predictions.itertuples()
    for row in rows:
        with torch.inference_mode():
            scores = term.classifier(pool(network.backbone(evaluation_clips(tiny, row.video, CLIP, 3)))).double()
        shares = scores.softmax(dim=1).mean(dim=0) if average == "softmax" else scores.mean(dim=0).softmax(dim=0)
        assert row.predicted == int(shares.argmax())
        assert row.probability == pytest.approx(float(shares[row.label]), rel=1e-4)


def test_label_fraction_takes_less_and_is_keyed_by_the_seed(tiny: VideoSource, tmp_path: Path) -> None:
    read: list[set[int]] = []
    for seed in (0, 1):
        source = Guarded(tiny)
        cell = behind(finetune(label_fraction=0.5, batch_size=2, epochs=3), seed)
        train(source, cell, results.open(tmp_path).named(cell.id))
        read.append(source.trained)
    # Five videos of a class, one of them unreadable: three, three and two.
    assert [len(seen) for seen in read] == [8, 8]
    assert read[0] != read[1]


def test_what_cannot_be_is_refused(tiny: VideoSource) -> None:
    with pytest.raises(ConfigError, match=r"batch_size 15 is larger than the set: 14 readable"):
        check_against_data(behind(finetune(batch_size=15)).config, None, tiny.snapshot)
    with pytest.raises(
        ConfigError, match=r"batch_size 9 .*: 8 readable .* supervised\.label_fraction 0\.5 leaves these"
    ):
        check_against_data(behind(finetune(batch_size=9, label_fraction=0.5)).config, None, tiny.snapshot)
    with pytest.raises(ConfigError, match=r"finetune: clip\.size 48 is larger than clip\.resize 32"):
        behind(finetune(clip={"size": 48}))
    with pytest.raises(ConfigError, match=r"2 epochs never passes the first one, 3"):
        check_against_data(
            behind(finetune(schedule={"name": "multistep", "milestones": [3]})).config, None, tiny.snapshot
        )
    odd = finetune(batch_size=5).protocol
    assert odd.component.check is not None
    with pytest.raises(ConfigError, match=r"batch_size 5 does not divide by training\.workers 2, which train it"):
        odd.component.check(odd.options, tiny_cell(workers=2))
    odd.component.check(finetune(batch_size=5, workers=1).protocol.options, tiny_cell(workers=2))
    with pytest.raises(ValueError, match="trains another cell, and is made on that"):
        evaluate(backbone(), {"f": finetune()}, CLIP, lambda _: tiny, seed=0, device=CPU)
    (test,) = behind(finetune()).evaluations
    assert reads_network(test)
    with pytest.raises(ValueError, match="needs the cell's whole network"):
        evaluate(backbone(), {"f": test}, CLIP, lambda _: tiny, seed=0, device=CPU)
    assert test.protocol.component.check is not None
    with pytest.raises(ConfigError, match="pretraining: none trains no classifier"):
        test.protocol.component.check(test.protocol.options, tiny_cell())


@pytest.mark.slow
def test_a_training_video_that_is_lost_is_an_error_and_not_replaced(own_places: Places, tmp_path: Path) -> None:
    source = open_tiny(own_places)
    lost = source.readable("train")[0].path
    damage(source.root / lost)
    with pytest.raises(NodeFault, match=f"{lost} could be read earlier"):
        run(source, finetune(), tmp_path)


def test_a_kill_at_a_random_step_changes_nothing(tiny: VideoSource, tmp_path: Path) -> None:
    cell = behind(finetune(epochs=3, dropout=0.3))
    cell = Cell(cell.config.model_copy(
        update={"training": cell.config.training.model_copy(update={"checkpoint_steps": 2})}
    ), cell.evaluations)  # fmt: skip
    expected = train(tiny, cell, results.open(tmp_path / "whole").named(cell.id))
    kill, folder = random.randint(1, 8), results.open(tmp_path / "killed").named(cell.id)
    print(f"killed after step {kill}")
    with pytest.raises(KilledError):
        pretrain(cell.config, folder, tiny, start=backbone(), stop_after=kill)
    assert_equal_states(expected, train(tiny, cell, folder))


def test_identity_and_defaults() -> None:
    bare = evaluation_from({"label": "a", "protocol": "finetune", "data": {"name": "synthetic"}}, "test")
    options = bare.protocol.options
    assert (options.optimizer.name, options.optimizer.options.learning_rate.value) == ("sgd", 0.16)
    assert evaluation_from(resolved(bare), "again") == bare
    trained = behind(finetune()).config
    again = cell_from(resolved(trained), "again")
    assert (cell_id(again), again.start) == (cell_id(trained), trained.start)
    assert cell_id(behind(finetune(), seed=1).config) != cell_id(trained), "it covers what it starts from"
    changes: list[dict[str, Any]] = [
        {"epochs": 51},
        {"optimizer": {"name": "sgd", "learning_rate": {"value": 0.16, "at_batch": 128}}},
        {"augment": "standard"},
        {"schedule": {"name": "cosine", "warmup_epochs": 1}},
        {"clip": {"frames": 32}},
        {"train": "head"},
        {"batch_norm": "eval"},
        {"label_fraction": 0.5},
    ]
    cells = {behind(finetune()).id} | {behind(finetune(**change)).id for change in changes}
    assert len(cells) == len(changes) + 1
    tests = [finetune(clips=3), finetune(average="logits")]
    assert {behind(one).id for one in tests} == {behind(finetune()).id}, "tested in two ways, trained once"
    ids = {evaluation_id(behind(one).evaluations[0]) for one in (*tests, finetune())}
    assert len(ids) == 3


def on_ranks(rank: int, places: Places, place: Path) -> tuple[list[float], dict[str, float], pd.DataFrame]:
    source, cell = open_tiny(places), behind(finetune(epochs=3, dropout=0.3))
    folder = results.open(place).named(cell.id)
    pretrain(cell.config, folder, source, start=backbone())
    result, curves = measure(source, cell, folder), folder.curves()
    assert curves is not None
    return curves["loss/total"].tolist(), result.metrics, result.predictions


@pytest.mark.slow
def test_two_ranks_fine_tune_as_one(tiny_places: Places, tmp_path: Path) -> None:
    losses, metrics, predictions = on_ranks(0, tiny_places, tmp_path / "one")
    two = run_ranks(on_ranks, 2, tiny_places, tmp_path / "two")
    for other in two:
        assert other[0] == pytest.approx(losses, rel=1e-2)
        assert other[1] == pytest.approx(metrics, abs=100 / 9)
        assert other[2]["video"].tolist() == predictions["video"].tolist()
        np.testing.assert_allclose(other[2]["probability"], predictions["probability"], atol=0.05)
    pd.testing.assert_frame_equal(two[0][2], two[1][2])
