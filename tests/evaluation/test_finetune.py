"""Fine-tuning: it learns from the given weights and the training split alone, on any number of ranks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import evaluation_id, resolved
from raysl.config.load import cell_from, evaluation_from
from raysl.data.places import Places
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, NodeFault
from raysl.evaluation.evaluate import evaluate, record, trains
from raysl.evaluation.fine_tuning import FineTuned, FineTuning
from raysl.evaluation.finetune_options import supervised_cell
from raysl.evaluation.protocol import EvaluationResult
from raysl.training.progress import Progress
from raysl.views.evaluation_clips import evaluation_clips
from tests.cells import TINY_BACKBONE
from tests.evaluation.tiny import CLIP, CPU, DATA, UNREADABLE, backbone, damage, open_tiny
from tests.ranks import run_ranks

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
            "training": {"epochs": 1, "batch_size": 4, "seed": seed, **training},
        },
        "test",
    )


def run(source: VideoSource, *evaluations: EvaluationConfig, seed: int = 0, **options: Any) -> list[EvaluationResult]:
    named = {config.label: config for config in evaluations}
    options = {"cell": tiny_cell(seed)} | options
    results = evaluate(backbone(), named, CLIP, lambda _: source, seed=seed, device=CPU, batch_clips=4, **options)
    return list(results.values())


def tuning(source: VideoSource, seed: int = 0, **options: Any) -> FineTuning:
    chosen = finetune(**options).protocol.options
    videos = [video.index for video in source.readable("train")]
    cell = supervised_cell(chosen, tiny_cell(seed), DATA)
    return FineTuning(cell, backbone(), source, videos, device=CPU, precision="float32",
                      frozen_statistics=chosen.batch_norm == "eval")  # fmt: skip


def weights(tuned: FineTuned | FineTuning) -> dict[str, Tensor]:
    objective = tuned.objective if isinstance(tuned, FineTuned) else tuned.learner.objective
    return {name: value.clone() for name, value in objective.backbone.state_dict().items()}


class Recording(VideoSource):
    """Keeps which videos were read."""

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source.catalog, source.manifest, source.root, source.cache)
        self.read: set[int] = set()

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        self.read.add(index)
        return super().frames(index, frame_indices)


class Guarded(Recording):
    """Refuses test videos until training has ended, and counts how often each was read after that."""

    def __init__(self, source: VideoSource) -> None:
        super().__init__(source)
        self.training = True
        self.tested: list[int] = []

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        split = self.catalog.videos[index].split
        assert (split == "train") == self.training, f"a {split} video was read while training is {self.training}"
        if split == "test":
            self.tested.append(index)
        return super().frames(index, frame_indices)


def test_it_overfits_and_tests_every_video_once_after_training(tiny: VideoSource) -> None:
    source, told = Guarded(tiny), list[Progress]()

    def on_progress(name: str, progress: Progress) -> None:
        assert name == "finetune/synthetic"
        told.append(progress)
        source.training = progress.step < progress.steps

    rate = {"name": "adamw", "learning_rate": {"value": 5e-3, "at_batch": 14}}
    config = finetune(epochs=40, batch_size=14, augment="none", optimizer=rate)
    (result,) = run(source, config, on_progress=on_progress)
    assert sorted(source.tested) == [video.index for video in tiny.catalog.split("test")]
    assert [progress.step for progress in told] == list(range(1, 41))
    details = result.details
    assert (details["epochs"], details["steps"], details["batch_size"]) == (40, 40, 14)
    losses, accuracy = details["train_loss"], details["train_accuracy"]
    assert isinstance(losses, list)
    assert isinstance(accuracy, list)
    assert losses[0] == pytest.approx(np.log(3), abs=0.4)
    assert details["final_train_loss"] == losses[-1] < 0.3
    assert accuracy[-1] > 95
    assert details["train_videos"] == 14
    assert details["test_videos"] == 9
    unreadable = details["unreadable"]
    assert isinstance(unreadable, dict)
    assert list(unreadable["train"]) == [tiny.catalog.videos[UNREADABLE].path]


def test_the_result_is_like_that_of_other_protocols(tiny: VideoSource) -> None:
    (result,) = run(tiny, finetune())
    table = result.predictions
    assert list(table.columns) == ["video", "path", "label", "correct", "predicted", "probability"]
    assert table["video"].tolist() == [video.index for video in tiny.catalog.split("test")]
    assert list(result.metrics) == ["top1", "mean_class"]
    assert result.metrics["top1"] == pytest.approx(100 * table["correct"].mean())
    assert table["probability"].between(0, 1).all()
    kept = record(result, finetune(), tiny.snapshot)
    assert json.loads(json.dumps(kept)) == kept
    assert (kept["headline"], kept["n_test"]) == ("top1", 9)
    assert kept["evaluation"]["protocol"]["optimizer"]["learning_rate"] == {
        "value": 2e-3, "at_batch": 4, "rule": "linear",
    }  # fmt: skip


def test_the_same_twice_and_another_with_another_seed(tiny: VideoSource) -> None:
    first, again = (run(tiny, finetune(dropout=0.3))[0] for _ in range(2))
    pd.testing.assert_frame_equal(first.predictions, again.predictions)
    assert first.details["train_loss"] == again.details["train_loss"]
    (other,) = run(tiny, finetune(dropout=0.3), seed=1)
    assert other.details["train_loss"] != first.details["train_loss"]


def test_it_starts_from_the_given_weights_and_leaves_them(tiny: VideoSource) -> None:
    given = backbone().requires_grad_(False)
    before = {name: value.clone() for name, value in given.state_dict().items()}
    made = tuning(tiny)
    assert all(torch.equal(value, before[name]) for name, value in weights(made).items())
    tuned = made.run(lambda progress: None)
    moved = [name for name, value in weights(tuned).items() if not torch.equal(value, before[name])]
    assert "stem.0.weight" in moved
    evaluate(given, {"finetune": finetune()}, CLIP, lambda _: tiny, seed=0, device=CPU, cell=tiny_cell())
    assert all(torch.equal(value, before[name]) for name, value in given.state_dict().items())
    assert not any(parameter.requires_grad for parameter in given.parameters())


def test_frozen_batch_norm_keeps_its_statistics(tiny: VideoSource) -> None:
    before = backbone().state_dict()
    for mode in ("eval", "train"):
        after = weights(tuning(tiny, batch_norm=mode).run(lambda progress: None))
        changed = [name for name in after if "running_mean" in name and not torch.equal(after[name], before[name])]
        assert bool(changed) == (mode == "train")


def test_classifier_schedule_and_rate_are_those_asked_for(tiny: VideoSource) -> None:
    made = tuning(tiny, schedule={"name": "multistep", "milestones": [1]}, feature_norm="l2_batch_norm", batch_size=7)
    assert made.learner.base_rate == pytest.approx(2e-3 * 7 / 4)
    assert [made.learner.schedule(step) for step in range(4)] == pytest.approx([1, 1, 0.1, 0.1])
    assert type(made.learner.objective.term("supervised").classifier.norm).__name__ == "BatchNorm1d"
    assert made.cell.training.seed != tiny_cell().training.seed


def test_another_clip_than_that_of_pretraining(tiny: VideoSource) -> None:
    (result,) = run(tiny, finetune(clip={"frames": 6, "stride": 2, "size": 24}, epochs=1))
    assert result.details["clip"] == {"frames": 6, "stride": 2, "size": 24, "resize": 32, "input": "rgb"}


@pytest.mark.parametrize("average", ["softmax", "logits"])
def test_scores_are_averaged_over_clips(tiny: VideoSource, average: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def logits(self: FineTuned, clips: Tensor) -> Tensor:
        return clips.mean(dim=(2, 3, 4)) * 4

    monkeypatch.setattr(FineTuned, "logits", logits)
    (result,) = run(tiny, finetune(average=average, epochs=1, clips=3))
    rows: Any = result.predictions.itertuples()
    for row in rows:
        scores = evaluation_clips(tiny, row.video, CLIP, 3).mean(dim=(2, 3, 4)).double() * 4
        shares = scores.softmax(dim=1).mean(dim=0) if average == "softmax" else scores.mean(dim=0).softmax(dim=0)
        assert row.predicted == int(shares.argmax())
        assert row.probability == pytest.approx(float(shares[row.label]), rel=1e-4)


def test_label_fraction_takes_less_and_is_keyed_by_the_seed(tiny: VideoSource) -> None:
    read: list[set[int]] = []
    for seed in (0, 1):
        source = Recording(tiny)
        (result,) = run(source, finetune(label_fraction=0.5, batch_size=2, epochs=3), seed=seed)
        # Five videos of a class, one of them unreadable: three, three and two.
        assert result.details["train_videos"] == 8
        read.append(source.read & {video.index for video in tiny.catalog.split("train")})
    assert [len(seen) for seen in read] == [8, 8]
    assert read[0] != read[1]


def test_what_cannot_be_is_refused(tiny: VideoSource) -> None:
    with pytest.raises(ConfigError, match=r"finetune: batch_size 15 is larger .* 14 labelled"):
        run(tiny, finetune(batch_size=15))
    with pytest.raises(ConfigError, match=r"finetune: clip\.size 48 is larger than clip\.resize 32"):
        run(tiny, finetune(clip={"size": 48}))
    with pytest.raises(ConfigError, match=r"finetune.*2 epochs never passes the first one, 3"):
        run(tiny, finetune(schedule={"name": "multistep", "milestones": [3]}))
    odd = finetune(batch_size=5).protocol
    assert odd.component.check is not None
    with pytest.raises(ConfigError, match=r"batch_size 5 does not divide by training\.workers 2"):
        odd.component.check(odd.options, tiny_cell(workers=2))
    with pytest.raises(ValueError, match="needs the cell"):
        run(tiny, finetune(), cell=None)


def test_a_failure_leaves_the_other_evaluations(tiny: VideoSource) -> None:
    failed: list[str] = []
    with pytest.raises(ConfigError, match="larger than the set"):
        run(
            tiny,
            finetune("too large", batch_size=15),
            finetune("whole"),
            on_failure=lambda name, _: failed.append(name),
        )
    assert failed == ["too large"]


@pytest.mark.slow
def test_a_training_video_that_is_lost_is_an_error_and_not_replaced(own_places: Places) -> None:
    source = open_tiny(own_places)
    lost = source.readable("train")[0].path
    damage(source.root / lost)
    with pytest.raises(NodeFault, match=f"{lost} could be read when the data set was"):
        run(source, finetune())


def test_identity_and_defaults() -> None:
    bare = evaluation_from({"label": "a", "protocol": "finetune", "data": {"name": "synthetic"}}, "test")
    assert trains(bare)
    options = bare.protocol.options
    assert (options.optimizer.name, options.optimizer.options.learning_rate.value) == ("sgd", 0.16)
    assert evaluation_from(resolved(bare), "again") == bare
    assert evaluation_id(evaluation_from(resolved(bare), "again")) == evaluation_id(bare)
    changes: list[dict[str, Any]] = [
        {"epochs": 51},
        {"optimizer": {"name": "sgd", "learning_rate": {"value": 0.16, "at_batch": 128}}},
        {"augment": "standard"},
        {"schedule": {"name": "cosine", "warmup_epochs": 1}},
        {"clip": {"frames": 32}},
        {"average": "logits"},
    ]
    ids = {evaluation_id(bare)}
    for change in changes:
        given = {"label": "a", "protocol": {"name": "finetune", **change}, "data": {"name": "synthetic"}}
        ids.add(evaluation_id(evaluation_from(given, "test")))
    assert len(ids) == len(changes) + 1


def on_ranks(rank: int, places: Places) -> tuple[list[float], dict[str, float], pd.DataFrame, list[str]]:
    stored: list[str] = []
    (result,) = run(open_tiny(places), finetune(epochs=3, dropout=0.3), on_result=lambda name, *_: stored.append(name))
    losses = result.details["train_loss"]
    assert isinstance(losses, list)
    return losses, result.metrics, result.predictions, stored


@pytest.mark.slow
def test_two_ranks_fine_tune_as_one(tiny_places: Places) -> None:
    losses, metrics, predictions, stored = on_ranks(0, tiny_places)
    two = run_ranks(on_ranks, 2, tiny_places)
    assert [rank[3] for rank in two] == [stored, []]
    for other in two:
        assert other[0] == pytest.approx(losses, rel=1e-2)
        assert other[1] == pytest.approx(metrics, abs=100 / 9)
        assert other[2]["video"].tolist() == predictions["video"].tolist()
        np.testing.assert_allclose(other[2]["probability"], predictions["probability"], atol=0.05)
    pd.testing.assert_frame_equal(two[0][2], two[1][2])
