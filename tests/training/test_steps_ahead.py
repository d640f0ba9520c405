"""Steps whose values are read later: the same training, the same failures; and what makes the host wait for a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.config.objective_sections import SupervisedOptions
from raysl.data.source import VideoSource
from raysl.errors import CellFailure, NodeFault
from raysl.objectives.frameworks import simclr_term
from raysl.objectives.losses.representation_metrics import representation_metrics
from raysl.objectives.pretext.clip_order import ClipOrderOptions
from raysl.objectives.pretext.clip_order_term import ClipOrder
from raysl.objectives.supervised import Supervised
from raysl.training import loop
from raysl.training.batches import Signals, exchange
from raysl.training.loop import KilledError
from raysl.training.monitor import Monitor
from raysl.training.optimizers.lars_optimizer import LARS
from raysl.training.pretrain import pretrain
from raysl.views.batch import Batch
from tests.objectives.batches import context, small, view
from tests.training.material import FAILING, assert_equal_states, curves_of, final, folder_of, tiny_cell
from tests.training.steps import STEPS, batches_of, cell_of, learner_of
from tests.training.waits import Waits

PLATEAU: dict[str, Any] = {
    "schedule": {"name": "plateau", "patience": 0, "threshold": 0.9},
    "training.steps": None,
    "training.epochs": 3,
}
"""Epochs of four steps, and a rate that falls after each but the first."""


def ahead(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setattr("raysl.training.learner.steps_ahead", lambda device: steps)


def measured(curves: pd.DataFrame) -> pd.DataFrame:
    return curves[[name for name in curves if not str(name).startswith("time/")]]


@pytest.mark.parametrize("changes", [{}, PLATEAU, {"training.log_steps": 4}], ids=["cosine", "plateau", "log_steps"])
def test_steps_ahead_change_no_bit(
    changes: dict[str, Any], source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = tiny_cell(**changes, **{"training.checkpoint_steps": 2, "training.monitor.points": 2})
    ends = []
    for steps in (0, 1, 3):
        ahead(monkeypatch, steps)
        monitor = Monitor(2, lambda backbone: {"spread": 0.5})
        folder = folder_of(tmp_path / str(steps), cell, source)
        with pytest.raises(KilledError):
            pretrain(cell, folder, source, stop_after=3, monitor=monitor)
        pretrain(cell, folder, source, monitor=monitor)
        ends.append((final(folder, cell), measured(curves_of(folder))))
    (first, curves), *others = ends
    for found, found_curves in others:
        assert_equal_states(first.model, found.model)
        assert first.schedule == found.schedule
        pd.testing.assert_frame_equal(found_curves, curves, check_exact=True)


FAILURES: dict[str, dict[str, Any]] = {
    "within an epoch": {"training.steps": 6},
    "at its end": {"training.steps": 6, "step": 4},
    "at the last step": {"training.steps": 3},
    "before a checkpoint": {"training.steps": 6, "training.checkpoint_steps": 3},
    "before a measurement": {"training.steps": 6, "training.monitor.points": 2},
    "between logged steps": {"training.steps": 6, "training.log_steps": 5},
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_step_that_is_not_finite_is_found_as_if_no_step_were_ahead(
    case: str, source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = dict(FAILURES[case])
    step = changes.pop("step", 3)
    cell = tiny_cell(**changes, **{"objective.contrastive": {"framework": FAILING, "step": step}})
    found = []
    for steps in (0, 1):
        ahead(monkeypatch, steps)
        folder = folder_of(tmp_path / str(steps), cell, source)
        monitor = Monitor(cell.training.monitor.points, lambda backbone: {"spread": _finite(backbone)})
        with pytest.raises(CellFailure, match=f"the loss is nan at step {step}") as caught:
            pretrain(cell, folder, source, monitor=monitor)
        newest = folder.latest_checkpoint()
        assert newest is None or newest[0] < step
        assert caught.value.details["step"] == step
        curves = folder.curves()
        found.append((folder.state().reason, json.dumps(caught.value.details), None if curves is None else len(curves)))
    assert found[0] == found[1]


def _finite(backbone: torch.nn.Module) -> float:
    assert all(bool(parameter.isfinite().all()) for parameter in backbone.parameters())
    return 0.5


def test_a_gradient_that_is_not_finite_is_found_too(
    source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(loss: torch.Tensor, videos: int, reduction: str) -> torch.Tensor:
        return loss + (0 * loss).sqrt()  # 0, with a gradient of 0 / 0

    monkeypatch.setattr(simclr_term, "reduced", broken)
    ahead(monkeypatch, 1)
    folder = folder_of(tmp_path, tiny_cell(), source)
    with pytest.raises(CellFailure, match="the gradient norm is nan at step 1") as caught:
        pretrain(tiny_cell(), folder, source)
    assert caught.value.details["last_good"] is None


def test_what_failed_first_is_named(source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch after a step that is not finite cannot be read; without steps ahead nobody would have asked for it."""
    asked = []

    def failing(*given: Any) -> Signals:
        asked.append(given)
        if len(asked) == 4:
            raise NodeFault("a disk is gone")
        return exchange(*given)

    monkeypatch.setattr(loop, "exchange", failing)
    ahead(monkeypatch, 3)
    cell = tiny_cell(**{"objective.contrastive": {"framework": FAILING, "step": 3}, "training.monitor.points": 0})
    with pytest.raises(CellFailure, match="the loss is nan at step 3") as caught:
        pretrain(cell, folder_of(tmp_path / "both", cell, source), source)
    assert caught.value.details["last_good"] is not None
    asked.clear()
    with pytest.raises(NodeFault, match="a disk is gone"):
        pretrain(tiny_cell(), folder_of(tmp_path / "one", tiny_cell(), source), source)


def test_metrics_are_computed_at_logged_steps_alone(
    source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    curves = []

    def counted(*rows: torch.Tensor) -> dict[str, torch.Tensor]:
        computed[-1] += 1
        return representation_metrics(*rows)

    monkeypatch.setattr(simclr_term, "representation_metrics", counted)
    for every in (1, 4):
        computed.append(0)
        cell = tiny_cell(**{"training.log_steps": every, "training.steps": 9})
        folder = folder_of(tmp_path / str(every), cell, source)
        pretrain(cell, folder, source)
        curves.append(measured(curves_of(folder)).set_index("step"))
    assert computed == [9, 3]
    assert list(curves[1].index) == [4, 8, 9]
    pd.testing.assert_frame_equal(curves[1], curves[0].loc[[4, 8, 9]], check_exact=True)


def waiting(cell: CellConfig) -> dict[str, int]:
    """What steps wait for, without the optimizer's own."""
    learner = learner_of(cell)
    learner.ahead, learner.optimizer.step = STEPS, lambda: None  # type: ignore[method-assign,assignment]
    batches = [batches_of(cell, step) for step in range(STEPS)]
    seen = (one.video for step in batches for batch in step for one in batch.views.values())
    with Waits(seen) as waits:
        for step in range(STEPS - 1):  # the last ends an epoch
            learner.take(batches[step], step)
    return dict(waits.found)


CASES: dict[str, CellConfig] = {
    **{name: cell_of(name) for name in ("byol", "moco", "simclr", "simsiam", "tclr_released")},
    "over the batch": cell_of(changes={"batch_norm_group": "batch"}),
    "moco, shuffled": cell_of(changes={"objective.contrastive": small("moco", shuffle=True)}),
    "clipped": cell_of(clip_gradient_norm=1.0),
    "chunks": cell_of(chunk=4),
    "instdisc": cell_of("instdisc"),
    "instdisc, nce": cell_of(changes={"objective.contrastive": small("instdisc", loss="nce")}),
    "temporal memory": cell_of(
        batch=8,
        changes={
            "objective.contrastive": small("simclr", projector="shared", bank_negatives=8),
            "objective.clip_to_video": {},
            "objective.projector": {"hidden_dim": 12, "output_dim": 8},
            "objective.memory": {"cells": 3},
        },
    ),
    "windows": cell_of(changes={"objective.local_local": {"projector": {"hidden_dim": 6, "output_dim": 4}}}),
}


@pytest.mark.parametrize("case", CASES)
def test_no_step_waits_for_the_device(case: str) -> None:
    assert waiting(CASES[case]) == ({"__bool__": 1} if "nce" in case else {}), "whether Z is known is asked once"


def test_dropout_that_is_drawn_by_video_waits_for_nothing() -> None:
    given = context(classes=3)
    order = ClipOrder(ClipOrderOptions(hidden_dim=5, dropout=0.5), given)
    labels = Supervised(SupervisedOptions(dropout=0.5), given)
    names = (*order.view_names, *labels.view_names)
    answers = dict.fromkeys(("clip_order", "label"), torch.tensor([0, 1, 2, 0]))
    batch = Batch({name: view(torch.zeros(4, 3, 2, 2, 2)) for name in names}, answers)
    features = {name: torch.rand(4, given.feature_dim) for name in names}
    with Waits(one.video for one in batch.views.values()) as waits:
        order(features, batch)
        labels(features, batch)
    assert not waits.found


def test_lars_waits_for_nothing() -> None:
    weights = [torch.nn.Parameter(torch.randn(3, 3)), torch.nn.Parameter(torch.zeros(3))]
    groups = [{"params": weights, "weight_decay": 0.1, "adapt": True}]
    optimizer = LARS(groups, lr=0.1, momentum=0.9, trust_coefficient=0.001)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    with Waits() as waits:
        optimizer.step()
    assert not waits.found


def test_the_finder_finds() -> None:
    numbers = torch.arange(4.0)
    with Waits() as waits:
        assert float(numbers[0]) == 0.0
        assert numbers[numbers > 1].sum().item() == 5.0
        torch.bincount(numbers.long())
        numbers.new_tensor(1.0)
    assert set(waits.found) == {"__float__", "item", "a mask as index", "bincount", "new_tensor"}
