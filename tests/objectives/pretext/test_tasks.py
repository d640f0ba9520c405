"""The contract of every pretext task, found by name: it learns, reaches the backbone, and moves no other's draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import names
from raysl.config.identity import cell_id, resolved
from raysl.config.load import cell_from
from raysl.objectives.build import build_objective
from raysl.training.learner import Learner
from raysl.views.batch import Batch
from raysl.views.task_views import task_views
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.objectives.task_videos import MovingSource, in_float64, loaded_batches
from tests.ranks import run_ranks
from tests.training.steps import assert_same_training, cell_of, taken

TASKS = names("pretext task")
NEEDS: dict[str, dict[str, Any]] = {
    "playback_rate": {"sampling.playback_rates": [1, 2]},
    "playback_regression": {"augment.temporal": {"buffer_frames": 4, "max_rate": 2.0}},
    "spatial_overlap": {"sampling.pair": {"name": "overlap"}},
    "temporal_overlap": {"sampling.pair": {"name": "overlap"}},
}
"""What else of a cell a task asks for."""
BATCH, STEPS = 8, 40
SOURCE = MovingSource(*[60] * 16)
SMALL: dict[str, Any] = {
    "clip.size": 16,
    "backbone": TINY_BACKBONE,
    "training": {"steps": STEPS, "batch_size": BATCH},
    "optimizer": {"name": "adamw", "learning_rate": {"value": 3e-3, "at_batch": BATCH}},
    "schedule": "constant",
}


def only(name: str, **options: Any) -> dict[str, Any]:
    """The changes of a cell that make a task its only term."""
    return {"objective.contrastive": None, "objective.pretext": {name: options}, **NEEDS.get(name, {})}


def cell_with(changes: dict[str, Any]) -> CellConfig:
    return tiny_cell({**SMALL, **changes})


def options_without_dropout(name: str) -> dict[str, Any]:
    return {"dropout": 0.0} if name == "clip_order" else {}


def own_views(name: str) -> tuple[str, ...]:
    views = task_views(cell_with(only(name)))
    return views[name].own_views if name in views else ()


OWN = [name for name in TASKS if own_views(name)]
"""The tasks that make views of their own unless told otherwise."""


def learner(cell: CellConfig) -> Learner:
    objective = build_objective(cell, range(16), STEPS)
    device = torch.device("cpu")
    return Learner(objective, cell, total_steps=STEPS, steps_per_epoch=2, device=device, precision="float32")


def one_batch(cell: CellConfig, views: Sequence[str]) -> Batch:
    return loaded_batches(cell, SOURCE, views)[0]


def test_there_are_tasks() -> None:
    assert {"rotation", "reverse", "shuffle", "speed", "clip_order"} <= set(OWN)


@pytest.mark.parametrize("name", TASKS)
class TestContract:
    def test_it_overfits_a_fixed_batch_and_says_how_well(self, name: str) -> None:
        training = learner(cell_with(only(name, **options_without_dropout(name))))
        batch = one_batch(cell_with(only(name)), training.objective.view_names)
        values = [training.step([batch], step) for step in range(STEPS)]
        assert torch.tensor([value.loss for value in values]).isfinite().all()
        first, last = values[0].metrics, values[-1].metrics
        if name == "playback_regression":
            assert last.keys() == {"playback_error", "playback_error_of_mean"}
            assert last["playback_error"] < 0.3 * last["playback_error_of_mean"]
        else:
            assert last.keys() == {f"{name}_accuracy", f"{name}_majority"}
            assert first[f"{name}_accuracy"] < last[f"{name}_accuracy"]
            assert last[f"{name}_majority"] < 0.8
            assert last[f"{name}_accuracy"] >= 0.9

    def test_gradient_reaches_all_of_the_backbone_and_of_the_head(self, name: str) -> None:
        cell = cell_with(only(name))
        objective = build_objective(cell, range(16), STEPS)
        objective.begin_step(0)
        objective(one_batch(cell, objective.view_names)).loss.backward()
        assert any(parameter.startswith("backbone.") for parameter, _ in objective.named_parameters())
        for parameter, value in objective.named_parameters():
            assert value.grad is not None, parameter
            assert value.grad.abs().max() > 1e-12, parameter

    def test_its_configuration_is_read_back_as_written(self, name: str) -> None:
        cell = cell_with(only(name, weight=0.5))
        again = cell_from(resolved(cell), "read back")
        assert again == cell
        assert cell_id(again) == cell_id(cell) != cell_id(cell_with(only(name)))


def changes_of(name: str, **more: Any) -> dict[str, Any]:
    return {"sampling.windows": None, "clip.size": 16, **only(name), **more}


def doubled(cell: CellConfig, step: int) -> list[Batch]:
    objective = build_objective(cell, range(16), STEPS)
    return [in_float64(loaded_batches(cell, SOURCE, objective.view_names, step)[0])]


def train(name: str, chunk: int | None = None) -> dict[str, Any]:
    return taken(cell_of(changes=changes_of(name), chunk=chunk), doubled)


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_chunks_train_as_the_whole_batch(name: str) -> None:
    assert_same_training(train(name, 4), train(name))


def on_rank(_: int) -> dict[str, dict[str, Any]]:
    return {name: train(name) for name in TASKS}


@pytest.mark.slow
def test_two_ranks_train_as_one() -> None:
    ranks = run_ranks(on_rank, 2)
    for name in TASKS:
        expected = train(name)
        for results in ranks:
            assert_same_training(results[name], expected)


@pytest.mark.parametrize("name", OWN)
class TestOwnViews:
    def test_other_tasks_move_none_of_its_draws_nor_those_of_the_pair(self, name: str) -> None:
        pair = ("query", "key")
        together = cell_with({"objective.pretext": {other: {} for other in OWN}})
        alone, plain = cell_with({"objective.pretext": {name: {}}}), cell_with({})
        everything = one_batch(together, (*pair, *(view for other in OWN for view in own_views(other))))
        for batch in (one_batch(alone, (*pair, *own_views(name))), one_batch(plain, pair)):
            for view in batch.views:
                assert torch.equal(batch.views[view].clips, everything.views[view].clips)
            assert all(torch.equal(answer, everything.targets[key]) for key, answer in batch.targets.items())

    def test_as_augmentation_alone_it_is_contrasted_and_asks_nothing(self, name: str) -> None:
        cell = cell_with({"objective.pretext": {name: {"supervise": False}}})
        objective = build_objective(cell, range(16), STEPS)
        assert list(objective.terms) == ["contrastive"]
        assert set(own_views(name)) <= set(objective.view_names)
        output = objective(one_batch(cell, objective.view_names))
        assert f"contrast_{name}" in output.metrics
        assert not {metric for metric in output.metrics if metric.endswith("_majority")}
        output.loss.backward()
        assert reached(objective.term("contrastive").get_submodule("transformed.projections.0").parameters())

    def test_as_task_alone_nothing_contrasts_it(self, name: str) -> None:
        cell = cell_with({"objective.pretext": {name: {"contrast": False}}})
        objective = build_objective(cell, range(16), STEPS)
        output = objective(one_batch(cell, objective.view_names))
        assert {f"{name}_accuracy", f"{name}_majority"} <= output.metrics.keys()
        assert not {metric for metric in output.metrics if metric.startswith("contrast_")}

    def test_the_majority_rate_is_that_of_its_answers(self, name: str) -> None:
        cell = cell_with(only(name))
        objective = build_objective(cell, range(16), STEPS)
        batch = one_batch(cell, objective.view_names)
        (answer,) = [target for key, target in batch.targets.items() if key.split("/")[0] == name]
        expected = max(answer.tolist().count(kind) for kind in set(answer.tolist())) / BATCH
        assert objective(batch).metrics[f"{name}_majority"].item() == pytest.approx(expected)


def reached(parameters: Any) -> bool:
    gradients: list[Tensor | None] = [parameter.grad for parameter in parameters]
    return all(gradient is not None and bool(gradient.any()) for gradient in gradients)
