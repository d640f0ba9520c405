"""What every pretext task keeps: it learns, reaches the backbone, and moves no other's draws."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, ClassVar

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, names
from raysl.config.identity import cell_id, resolved
from raysl.config.load import cell_from
from raysl.errors import ConfigError
from raysl.objectives.build import build_objective
from raysl.objectives.objective import Objective
from raysl.testing.cells import TINY_BACKBONE, tiny_cell
from raysl.testing.component import BASE
from raysl.testing.term import TermContract, Training
from raysl.testing.videos import MovingSource, in_float64, loaded_batches
from raysl.views.batch import Batch
from raysl.views.task_views import task_views

BATCH, STEPS = 8, 40
SOURCE = MovingSource(*[60] * 16)
SMALL: dict[str, Any] = {
    "clip.size": 16,
    "backbone": TINY_BACKBONE,
    "training": {"steps": STEPS, "batch_size": BATCH},
    "optimizer": {"name": "adamw", "learning_rate": {"value": 3e-3, "at_batch": BATCH}},
    "schedule": "constant",
}
"""Of `tiny_cell`, so that a task is learned in a second."""


def float64_batches(cell: CellConfig, step: int) -> list[Batch]:
    """This rank's first batch of an epoch, of the views that the cell's objective reads."""
    objective = build_objective(cell, range(16), STEPS)
    return [in_float64(loaded_batches(cell, SOURCE, objective.view_names, step)[0])]


def first_batch(cell: CellConfig, views: tuple[str, ...]) -> Batch:
    return loaded_batches(cell, SOURCE, views)[0]


class PretextTaskContract(TermContract):
    """Of a task: ``COMPONENT = Component(kind="pretext task", ...)``.

    Its videos are textures that move to the right by a pixel a frame, so a task about motion can be learned on them.

    Attributes:
        metric: what its metrics are called by, ``METRIC_accuracy``; without one, by the last part of its name.
        options_to_learn: options beside ``options`` with which it can overfit a batch, such as ``{"dropout": 0.0}``.
    """

    kind: ClassVar[str] = "pretext task"
    metric: str = ""
    options_to_learn: Mapping[str, Any] = {}

    @property
    def called(self) -> str:
        return self.metric or self.component.split(".")[-1]

    def host(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**BASE, **self.changes, "objective.pretext": {self.component: dict(options)}}

    def chosen_in(self, cell: CellConfig) -> Chosen:
        return cell.objective.pretext[self.component]

    def only(self, **options: Any) -> dict[str, Any]:
        """The changes of a cell that make it the only term."""
        task = {self.component: {**self.options, **options}}
        return {"objective.contrastive": None, **self.changes, "objective.pretext": task}

    def cell(self, **options: Any) -> CellConfig:
        """A cell of this task alone."""
        return tiny_cell({**SMALL, **self.only(**options)})

    def beside_simclr(self, **options: Any) -> CellConfig:
        return tiny_cell({**SMALL, **self.changes, "objective.pretext": {self.component: {**self.options, **options}}})

    def training(self) -> Training:
        return Training({"sampling.windows": None, "clip.size": 16, **self.only()}, batches=float64_batches)

    def learning(self) -> dict[str, Any]:
        return {**SMALL, **self.only(**self.options_to_learn)}

    def batch_at(self, objective: Objective, step: int) -> Batch:
        return first_batch(tiny_cell(self.learning()), objective.view_names)

    def assert_learned(self, first: Mapping[str, float], last: Mapping[str, float]) -> None:
        """Of the metrics of the first and last of forty steps on one batch; a task that is no classification
        overrides it.
        """
        accuracy, majority = f"{self.called}_accuracy", f"{self.called}_majority"
        assert last.keys() == {accuracy, majority}
        assert first[accuracy] < last[accuracy]
        assert last[majority] < 0.8
        assert last[accuracy] >= 0.9

    @pytest.fixture
    def own_views(self) -> tuple[str, ...]:
        """The views that it makes beside the pair, by its default; the tests of these are skipped without any."""
        views = views_of(self.beside_simclr(), self.component)
        if not views:
            pytest.skip(f"{self.component} makes no view of its own")
        return views

    def test_it_overfits_a_fixed_batch_and_says_how_well(self) -> None:
        training = self.learner()
        batch = self.batch_at(training.objective, 0)
        values = [training.step([batch], step) for step in range(STEPS)]
        assert torch.tensor([value.loss for value in values]).isfinite().all()
        self.assert_learned(values[0].metrics, values[-1].metrics)

    def test_gradient_reaches_all_of_the_backbone_and_of_the_head(self) -> None:
        objective, batch = built(self.cell())
        objective.begin_step(0)
        objective(batch).loss.backward()
        assert any(parameter.startswith("backbone.") for parameter, _ in objective.named_parameters())
        for parameter, value in objective.named_parameters():
            assert value.grad is not None, parameter
            assert value.grad.abs().max() > 1e-12, parameter

    def test_its_configuration_is_read_back_as_written(self) -> None:
        cell = self.cell(weight=0.5)
        again = cell_from(resolved(cell), "read back")
        assert again == cell
        assert cell_id(again) == cell_id(cell) != cell_id(self.cell())

    def test_equal_streams_give_equal_clips_and_answers(self) -> None:
        (_, first), (_, again) = built(self.cell()), built(self.cell())
        assert first.targets.keys() == again.targets.keys()
        assert [key for key, answer in first.targets.items() if not torch.equal(answer, again.targets[key])] == []
        assert [
            name for name, view in first.views.items() if not torch.equal(view.clips, again.views[name].clips)
        ] == []

    def test_other_tasks_move_none_of_its_draws_nor_those_of_the_pair(self, own_views: tuple[str, ...]) -> None:
        pair, alone, plain = ("query", "key"), self.beside_simclr(), tiny_cell({**SMALL, **self.changes})
        tasks = {**tasks_with_views(), self.component: dict(self.options)}
        together = tiny_cell({**SMALL, **self.changes, "objective.pretext": tasks})
        everything = first_batch(together, (*pair, *(view for name in tasks for view in views_of(together, name))))
        for batch in (first_batch(alone, (*pair, *own_views)), first_batch(plain, pair)):
            for view in batch.views:
                assert torch.equal(batch.views[view].clips, everything.views[view].clips)
            assert all(torch.equal(answer, everything.targets[key]) for key, answer in batch.targets.items())

    def test_as_augmentation_alone_it_is_contrasted_and_asks_nothing(self, own_views: tuple[str, ...]) -> None:
        objective, batch = built(self.beside_simclr(supervise=False))
        assert list(objective.terms) == ["contrastive"]
        assert set(own_views) <= set(objective.view_names)
        output = objective(batch)
        assert f"contrast_{self.component}" in output.metrics
        assert not {metric for metric in output.metrics if metric.endswith("_majority")}
        output.loss.backward()
        projection = objective.term("contrastive").get_submodule("transformed.projections.0")
        assert [name for name, p in projection.named_parameters() if p.grad is None or not p.grad.any()] == []

    @pytest.mark.usefixtures("own_views")
    def test_as_task_alone_nothing_contrasts_it(self) -> None:
        objective, batch = built(self.beside_simclr(contrast=False))
        metrics = objective(batch).metrics
        assert {f"{self.called}_accuracy", f"{self.called}_majority"} <= metrics.keys()
        assert not {metric for metric in metrics if metric.startswith("contrast_")}

    @pytest.mark.usefixtures("own_views")
    def test_the_majority_rate_is_that_of_its_answers(self) -> None:
        objective, batch = built(self.cell())
        (answer,) = [target for key, target in batch.targets.items() if key.split("/")[0] == self.called]
        expected = max(answer.tolist().count(kind) for kind in set(answer.tolist())) / BATCH
        assert objective(batch).metrics[f"{self.called}_majority"].item() == pytest.approx(expected)


@cache
def tasks_with_views() -> dict[str, dict[str, Any]]:
    """The tasks that come with raysl and make views of their own, whatever else the cell has."""
    found = {}
    for name in names("pretext task"):
        with suppress(ConfigError):  # of a task that asks for another pair
            cell = tiny_cell({**SMALL, "objective.pretext": {name: {}}})
            if views_of(cell, name):
                found[name] = dict[str, Any]()
    return found


def views_of(cell: CellConfig, task: str) -> tuple[str, ...]:
    """The views that a task makes beside the pair."""
    views = task_views(cell)
    return views[task].own_views if task in views else ()


def built(cell: CellConfig) -> tuple[Objective, Batch]:
    """The objective of a cell, and a batch of all that it reads."""
    objective = build_objective(cell, range(16), STEPS)
    return objective, first_batch(cell, objective.view_names)
