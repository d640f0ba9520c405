"""What every framework keeps: it learns, tells of collapse, and what it remembers waits for the end of a step."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from raysl.errors import ConfigError
from raysl.models.backbone import Backbone
from raysl.objectives.objective import Objective
from raysl.objectives.term import Term, TermContext
from raysl.testing.batches import WINDOWS, context, random_batch, renumbered, view
from raysl.testing.cells import TINY_BACKBONE
from raysl.testing.component import takes_seconds
from raysl.testing.term import TermContract, Training
from raysl.views.batch import Batch

STEPS = 32
BATCHES = [renumbered(random_batch(8, seed=seed), 8 * seed) for seed in range(4)]
"""Of 32 videos: an epoch."""
RUNNING = ("running_mean", "running_var", "num_batches_tracked")


class FrameworkContract(TermContract):
    """Of a framework: ``COMPONENT = Component(kind="framework", ...)``.

    ``options`` should make it small: a narrow projector, a queue of two batches of eight, negatives of 16 videos.

    Attributes:
        remembers: whether it keeps something from step to step: a queue, a bank.
        projector: options of a projector that leaves the law of what it is given as it is.
    """

    kind: ClassVar[str] = "framework"
    place: ClassVar[str] = "objective.contrastive"
    videos: int = 32
    chunks: tuple[int, ...] = (4, 8)
    remembers: bool = False
    projector: dict[str, Any] = {"hidden_layers": 0, "output_dim": 8, "batch_norm": "none"}  # noqa: RUF012

    def host(self, options: Any) -> dict[str, Any]:
        return {**self.base, self.place: {"framework": self.component, **options}, **self.changes}

    def training(self) -> Training:
        return Training({self.place: {"framework": self.component, **self.options}, **self.changes})

    def learning(self) -> dict[str, Any]:
        return {
            **WINDOWS,
            self.place: {"framework": self.component, **self.options},
            "backbone": TINY_BACKBONE,
            "training.steps": STEPS,
            "optimizer": {"name": "adamw", "learning_rate": {"value": 3e-3, "at_batch": 8}},
            "schedule": "constant",
            **self.changes,
        }

    def batch_at(self, objective: Objective, step: int) -> Batch:
        return BATCHES[step % 4]

    def build(self, given: TermContext | None = None, **options: Any) -> Term:
        """The term for a backbone of six channels, or as ``given``."""
        torch.manual_seed(0)
        term = self.found.build(self.resolved(**options), given or context())
        assert isinstance(term, Term)
        return term

    def test_loss_is_a_scalar_and_metrics_carry_no_gradient(self) -> None:
        term = self.build()
        output = term(features(term), random_batch())
        assert output.loss.shape == ()
        assert output.loss.requires_grad
        assert "embedding_std" in output.metrics
        assert all(value.shape == () and not value.requires_grad for value in output.metrics.values())

    def test_gradient_reaches_features_and_parameters(self) -> None:
        term = self.build()
        given = {view: rows.requires_grad_() for view, rows in features(term).items()}
        term(given, random_batch()).loss.backward()
        gradients = [given[view].grad for view in term.view_names]
        assert all(gradient is not None and gradient.any() for gradient in gradients)
        assert [name for name, p in term.named_parameters() if p.requires_grad and p.grad is None] == []

    def test_has_a_nonnegative_weight(self) -> None:
        assert self.resolved().weight == 1.0
        with pytest.raises(ConfigError, match="weight"):
            self.resolved(weight=-0.1)

    @takes_seconds
    def test_the_loss_falls_over_an_epochs_batches_again_and_again(self) -> None:
        training = self.learner()
        values = [training.step([BATCHES[step % 4]], step) for step in range(STEPS)]
        losses = torch.tensor([value.loss for value in values])
        assert losses.isfinite().all()
        assert losses[-4:].mean() < losses[:4].mean()

    def test_a_step_under_bfloat16_autocast_stays_near_float32_and_keeps_float32_state(self) -> None:
        losses = []
        for precision in ("float32", "bfloat16"):
            objective = self.learner().objective
            objective.begin_step(0)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16"):
                output = objective(BATCHES[0])
            objective.end_step()
            assert output.loss.dtype == torch.float32
            floats = [value for value in objective.state_dict().values() if value.is_floating_point()]
            assert all(value.dtype == torch.float32 for value in floats)
            losses.append(output.loss.item())
        assert losses[1] == pytest.approx(losses[0], rel=0.1, abs=0.1)

    def test_what_outlives_a_step_gets_no_gradient_and_waits_for_its_end(self) -> None:
        objective = self.learner().objective
        trained = {key for key, parameter in objective.named_parameters() if parameter.requires_grad}
        # A batch norm's running statistics are the one thing that a forward pass may move.
        kept = [key for key in objective.state_dict() if key not in trained and key.split(".")[-1] not in RUNNING]
        before = {key: objective.state_dict()[key].clone() for key in kept}
        objective.begin_step(0)
        for batch in BATCHES[:2]:
            objective(batch).loss.backward()
        assert [key for key in kept if not torch.equal(objective.state_dict()[key], before[key])] == []
        assert all(parameter.grad is None for parameter in objective.parameters() if not parameter.requires_grad)
        assert not any(buffer.requires_grad for buffer in objective.buffers())
        objective.end_step()
        if self.remembers:
            assert [key for key in kept if not torch.equal(objective.state_dict()[key], before[key])] != []

    def test_embedding_std_tells_collapsed_from_spread(self) -> None:
        constant = self.on_pixels(16)
        collapsed = constant(alike(constant, torch.ones(16, 3, 1, 4, 4)))
        assert collapsed.metrics["embedding_std"] < 0.01
        varied = self.on_pixels(512, projector=self.projector)
        spread = varied(alike(varied, torch.randn(512, 3, 1, 4, 4)))
        assert spread.metrics["embedding_std"] == pytest.approx(1, abs=0.1)
        assert spread.metrics["uniformity"] < -1

    def on_pixels(self, videos: int, **options: Any) -> Objective:
        given = context(backbone=Pixels(), videos=range(videos), batch_size=videos)
        return Objective(given.backbone, {"contrastive": (self.build(given, **options), 1.0)})


class Pixels(Backbone):
    """Sixteen pixels of a clip as its channels: what is spread stays spread."""

    feature_dim = 48

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, clips: Tensor) -> Tensor:
        return (self.scale * clips).reshape(len(clips), 48, 1, 1, 1)


def alike(objective: Objective, clips: Tensor) -> Batch:
    """The same clips as every view."""
    return Batch(views=dict.fromkeys(objective.view_names, view(clips)))


def features(term: Term) -> dict[str, Tensor]:
    """What a term is given of four videos."""
    generator = torch.Generator().manual_seed(0)
    return {name: term.reduce(torch.rand(4, 6, 2, 1, 1, generator=generator)) for name in term.view_names}
