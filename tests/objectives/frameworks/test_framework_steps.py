"""The contract of every framework over optimisation steps: it learns, resumes bit for bit, keeps what it keeps."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raysl.config.component import find, names
from raysl.models.backbone import Backbone
from raysl.objectives.build import build_objective
from raysl.objectives.objective import Objective
from raysl.objectives.term import Term
from raysl.training.learner import Learner
from raysl.views.batch import Batch
from tests.cells import TINY_BACKBONE, tiny_cell
from tests.objectives.batches import WINDOWS, context, random_batch, renumbered, small, small_options, view

VIDEOS = 32
STEPS = 32
BATCHES = [renumbered(random_batch(8, seed=seed), 8 * seed) for seed in range(4)]
FRAMEWORKS = names("framework")


def learner(name: str, **changes: Any) -> Learner:
    cell = tiny_cell(
        {
            **WINDOWS,
            "objective.contrastive": small(name, **changes),
            "backbone": TINY_BACKBONE,
            "training.steps": STEPS,
            "optimizer": {"name": "adamw", "learning_rate": {"value": 3e-3, "at_batch": 8}},
            "schedule": "constant",
        }
    )
    objective = build_objective(cell, range(VIDEOS), STEPS)
    device = torch.device("cpu")
    return Learner(objective, cell, total_steps=STEPS, steps_per_epoch=4, device=device, precision="float32")


def saved(trained: Learner) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.save((trained.state(), trained.optimizer.state_dict(), trained.schedule.state_dict()), buffer)
    buffer.seek(0)
    return buffer


@pytest.mark.slow
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_loss_falls_over_an_epochs_batches_again_and_again(name: str) -> None:
    training = learner(name)
    values = [training.step([BATCHES[step % 4]], step) for step in range(STEPS)]
    losses = torch.tensor([value.loss for value in values])
    assert losses.isfinite().all()
    assert losses[-4:].mean() < losses[:4].mean()


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_checkpoint_midway_goes_on_bit_for_bit(name: str) -> None:
    straight, resumed = learner(name), learner(name)
    for step in range(3):
        straight.step([BATCHES[step % 4]], step)
    resumed.load(*torch.load(saved(straight)))
    for step in range(3, 6):
        values = [trained.step([BATCHES[step % 4]], step) for trained in (straight, resumed)]
        assert values[0] == values[1]
    ours, theirs = straight.objective.state_dict(), resumed.objective.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_step_under_bfloat16_autocast_stays_near_float32_and_keeps_float32_state(name: str) -> None:
    losses = []
    for precision in ("float32", "bfloat16"):
        objective = learner(name).objective
        objective.begin_step(0)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            output = objective(BATCHES[0])
        objective.end_step()
        assert output.loss.dtype == torch.float32
        assert all(
            value.dtype == torch.float32 for value in objective.state_dict().values() if value.is_floating_point()
        )
        losses.append(output.loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.1, abs=0.1)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_what_outlives_a_step_gets_no_gradient_and_waits_for_its_end(name: str) -> None:
    objective = learner(name).objective
    trained = {key for key, parameter in objective.named_parameters() if parameter.requires_grad}
    # A batch norm's running statistics are the one thing that a forward pass may move.
    kept = [key for key in objective.state_dict() if key not in trained and key.split(".")[-1] not in RUNNING]
    before = {key: objective.state_dict()[key].clone() for key in kept}
    objective.begin_step(0)
    for batch in BATCHES[:2]:
        objective(batch).loss.backward()
    for key in kept:
        assert torch.equal(objective.state_dict()[key], before[key])
    assert all(parameter.grad is None for parameter in objective.parameters() if not parameter.requires_grad)
    assert not any(buffer.requires_grad for buffer in objective.buffers())
    objective.end_step()
    if name in ("moco", "instdisc"):
        assert any(not torch.equal(objective.state_dict()[key], before[key]) for key in kept)


RUNNING = ("running_mean", "running_var", "num_batches_tracked")


class Pixels(Backbone):
    """Sixteen pixels of a clip as its channels: what is spread stays spread."""

    feature_dim = 48

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, clips: Tensor) -> Tensor:
        return (self.scale * clips).reshape(len(clips), 48, 1, 1, 1)


def pixel_objective(name: str, videos: int, **options: Any) -> Objective:
    torch.manual_seed(0)
    given = context(backbone=Pixels(), videos=range(videos), batch_size=videos)
    term = find("framework", name).build(small_options(name, **options), given)
    assert isinstance(term, Term)
    return Objective(given.backbone, {"contrastive": (term, 1.0)})


def alike(objective: Objective, clips: Tensor) -> Batch:
    """The same clips as every view."""
    return Batch(views=dict.fromkeys(objective.view_names, view(clips)))


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_embedding_std_tells_collapsed_from_spread(name: str) -> None:
    constant = pixel_objective(name, 16)
    collapsed = constant(alike(constant, torch.ones(16, 3, 1, 4, 4)))
    assert collapsed.metrics["embedding_std"] < 0.01
    plain = {"hidden_layers": 0, "output_dim": 8, "batch_norm": "none"}
    if name == "simsiam":
        plain |= {"last_affine": True}
    varied = pixel_objective(name, 512, projector=plain)
    spread = varied(alike(varied, torch.randn(512, 3, 1, 4, 4)))
    assert spread.metrics["embedding_std"] == pytest.approx(1, abs=0.1)
    assert spread.metrics["uniformity"] < -1
