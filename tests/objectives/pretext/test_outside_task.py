"""A task in a package of its own, by its import path: trained, stored, read back; and the switches of its view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from raysl import results
from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.objectives.build import build_objective
from raysl.planning.study import load_study
from raysl.testing.pretext_task import SMALL, SOURCE
from raysl.testing.steps import learning
from raysl.training.pretrain import pretrain
from tests.cells import TINY, tiny_cell
from tests.objectives.outside import FADE, FOLDER
from tests.objectives.task_videos import MovingSource, loaded_batches
from tests.training.material import curves_of, final, folder_of, tiny_source

STEPS = 40


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)


def cell_of(options: dict[str, Any] | None = None, **changes: Any) -> CellConfig:
    return tiny_cell({**SMALL, "objective.pretext": {FADE: options or {}}, **changes})


@pytest.mark.parametrize("view", ["own", "pair"])
def test_it_learns_alone(view: str) -> None:
    cell = cell_of({"view": view}, **{"objective.contrastive": None})
    training = learning(cell)
    (batch, *_) = loaded_batches(cell, SOURCE, training.objective.view_names)
    values = [training.step([batch], step) for step in range(STEPS)]
    assert values[0].terms.keys() == {FADE}
    assert values[-1].metrics["fade_accuracy"] > max(0.9, values[-1].metrics["fade_majority"])
    assert values[-1].loss < 0.5 * values[0].loss


def test_the_answer_is_what_was_done_to_the_clip() -> None:
    cell = cell_of({"strength": 1.0}, augment={"name": "none"})
    (batch, *_) = loaded_batches(cell, MovingSource(*[60] * 16), ("fade",))
    clips, answers = batch.views["fade"].clips, batch.targets["fade/fade"]
    assert set(answers.tolist()) == {0, 1}
    for clip, out in zip(clips, answers.tolist(), strict=True):
        black = clip.std(dim=(0, 2, 3)).argmin()  # the frame without contrast
        assert black == (clip.shape[1] - 1 if out else 0)


@pytest.mark.parametrize("framework", ["simclr", "moco", "byol", "simsiam", "instdisc"])
def test_every_framework_contrasts_it(framework: str) -> None:
    small = {"moco": {"queue_size": 16}, "instdisc": {"negatives": 8}}.get(framework, {})
    training = learning(cell_of(**{"objective.contrastive": {"framework": framework, **small}}))
    (batch, *_) = loaded_batches(cell_of(), SOURCE, training.objective.view_names)
    values = training.step([batch], 0)
    assert values.terms.keys() == {"contrastive", FADE}
    assert {f"contrast_{FADE}", "fade_accuracy", "fade_majority"} <= values.metrics.keys()


def test_what_is_not_contrasted_leaves_the_frameworks_loss_alone() -> None:
    views = ("query", "key", "fade")
    (batch, *_) = loaded_batches(cell_of(), SOURCE, views)
    values = {
        name: build_objective(cell, range(16), STEPS)
        for name, cell in {
            "none": tiny_cell(SMALL),
            "task": cell_of({"contrast": False}),
            "both": cell_of(),
            "augmentation": cell_of({"supervise": False}),
        }.items()
    }
    # The backbone's batch norms see the task's view too, so the losses over its features are compared on one set.
    features = values["both"].feature_maps(batch)
    losses = {name: one.losses(one.reduced(features), batch).terms for name, one in values.items()}
    assert torch.equal(losses["none"]["contrastive"], losses["task"]["contrastive"])
    assert torch.equal(losses["both"]["contrastive"], losses["augmentation"]["contrastive"])
    assert not torch.equal(losses["both"]["contrastive"], losses["task"]["contrastive"])
    assert torch.equal(losses["both"][FADE], losses["task"][FADE])
    assert {name for name, terms in losses.items() if FADE in terms} == {"task", "both"}


def test_a_study_trains_it_and_keeps_it(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    rows = f"rows:\n  plain: {{}}\n  fade:\n    objective.pretext: {{{FADE}: {{weight: 0.5}}}}"
    study.write_text(f"title: a task from elsewhere\n{TINY}\n{rows}\nevaluations: [linear/synthetic]\n")
    plain, fade = (row.cell for row in load_study(study).rows)
    assert cell_id(plain) != cell_id(fade)
    source = tiny_source(tmp_path)
    folder = folder_of(tmp_path / "store", fade, source)
    summary = pretrain(fade, folder, source)
    assert summary.steps == fade.training.steps
    curves = curves_of(folder)
    assert (curves[f"loss/{FADE}"] > 0).all()
    assert curves["metric/fade_accuracy"].between(0, 1).all()
    (stored,) = results.open(tmp_path / "store").cells()
    state = final(stored, fade).model
    again = build_objective(fade, range(16), 4)
    again.load_state_dict(state)
    assert any(name.startswith("terms.fading_lab/fade.head") for name in state)
