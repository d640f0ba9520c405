"""The contract of every loss over clips in time that comes with raysl; then how they share a projector and windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import find, names
from raysl.errors import ConfigError
from raysl.models.projector import Projector
from raysl.objectives.build import build_objective
from raysl.objectives.objective import Objective
from raysl.objectives.term import Term
from raysl.testing import TemporalLossContract
from raysl.testing.steps import learner_of, learning
from raysl.testing.temporal_loss import BATCH, FRAMES, LEARNING, STEPS
from raysl.testing.term import Told, on_two_ranks
from raysl.views.batch import Batch
from tests.cells import tiny_cell
from tests.objectives.batches import PROJECTOR, TIMESTEPS, WINDOWS, random_batch

FRAMEWORK = "tclr_released"
LOSSES = [*names("temporal loss"), FRAMEWORK]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in names("temporal loss")},
    FRAMEWORK: (FRAMEWORK, {"projector": "shared"}),
    "local_local released": ("local_local", {"variant": "released"}),
    "global_local released": ("global_local", {"variant": "released"}),
}
ALL: dict[str, Any] = {
    "objective.contrastive": {"framework": "simclr", "projector": "shared"},
    **{f"objective.{name}": {} for name in names("temporal loss")},
}
"""Every temporal loss and an instance loss at once."""


def only(name: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """The changes of a cell that make a loss its only term."""
    if name == FRAMEWORK:
        return {"objective.contrastive": {"framework": name, "projector": "shared", **(options or {})}}
    return {f"objective.{name}": options or {}}


def cell_with(changes: dict[str, Any]) -> CellConfig:
    return tiny_cell({**LEARNING, **changes})


def objective_of(changes: dict[str, Any]) -> Objective:
    return build_objective(cell_with(changes), range(BATCH), STEPS)


def fixed_batch(dtype: torch.dtype = torch.float32) -> Batch:
    return random_batch(BATCH, dtype, frames=FRAMES)


def use(contract: TemporalLossContract, case: str) -> TemporalLossContract:
    """The contract of this case."""
    contract.component, contract.options = CASES[case]
    return contract


@pytest.fixture(scope="module")
def all_on_two_ranks() -> list[Told]:
    losses = [use(TestTemporalLosses(), case) for case in CASES if case != FRAMEWORK]
    return on_two_ranks([one.training() for one in (*losses, use(TestReleased(), FRAMEWORK))])


class TestTemporalLosses(TemporalLossContract):
    @pytest.fixture(autouse=True, params=[case for case in CASES if case != FRAMEWORK])
    def one(self, request: pytest.FixtureRequest) -> None:
        use(self, request.param)

    @pytest.fixture
    def two_ranks(self, all_on_two_ranks: list[Told]) -> list[Told]:
        return all_on_two_ranks


class TestReleased(TestTemporalLosses):
    """Over windows too, and a framework."""

    kind = "framework"

    @pytest.fixture(autouse=True)
    def one(self) -> None:
        use(self, FRAMEWORK)


WITH_PROJECTOR = [
    name
    for name in LOSSES
    if "projector" in find("framework" if name == FRAMEWORK else "temporal loss", name).options.model_fields
]


def projector_of(term: Term) -> Projector:
    assert isinstance(term.projector, Projector)
    return term.projector


@pytest.mark.parametrize("name", WITH_PROJECTOR)
def test_a_projector_of_its_own_needs_no_shared_one(name: str) -> None:
    own = {**only(name, {"projector": {"hidden_dim": 5, "output_dim": 3}}), "objective.projector": None}
    term = objective_of({**own, "objective.memory": None}).term(next(iter(objective_of(own).terms)))
    assert projector_of(term).output_dim == 3
    both = objective_of({**ALL, **own, "objective.projector": PROJECTOR})
    projectors = [projector_of(both.term(other)) for other in both.terms]
    assert len({id(projector) for projector in projectors if projector.output_dim == 8}) == 1
    assert both(fixed_batch()).loss.isfinite()


@pytest.mark.parametrize("name", LOSSES)
def test_a_shared_projector_that_is_not_there_is_refused_at_load(name: str) -> None:
    with pytest.raises(ConfigError, match=r"objective\.projector"):
        cell_with({**only(name), "objective.projector": None})


@pytest.mark.parametrize("per_view", [False, True])
def test_the_shared_projector_is_one_set_of_parameters_for_all_terms(per_view: bool) -> None:
    training = learning(cell_with({**ALL, "batch_norm_per_view": per_view}), BATCH)
    objective = training.objective
    projectors = {id(objective.term(name).projector) for name in objective.terms}
    assert len(objective.terms) == len(ALL)
    assert len(projectors) == 1
    one = sum(p.numel() for p in (*objective.backbone.parameters(), *objective.term("local_local").parameters()))
    assert sum(p.numel() for p in objective.parameters()) == one
    seen = [id(p) for group in training.optimizer.param_groups for p in group["params"]]
    assert len(seen) == len(set(seen))
    assert set(seen) == {id(p) for p in objective.parameters()}


def test_the_shared_projector_starts_the_same_whatever_shares_it() -> None:
    objectives = [objective_of(changes) for changes in (only("local_local"), ALL)]
    states = [projector_of(objective.term("local_local")).state_dict() for objective in objectives]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_gradient_of_a_shared_projector_is_the_sum_over_its_terms() -> None:
    names_of = ("local_local", "global_local")
    together = gradients({f"objective.{name}": {} for name in names_of}, fixed_batch(torch.float64))[1]
    apart = [gradients(only(name), fixed_batch(torch.float64))[1] for name in names_of]
    weight = "projector.layers.0.weight"
    parts = [next(g for key, g in found.items() if key.endswith(weight)) for found in (together, *apart)]
    torch.testing.assert_close(parts[0], parts[1] + parts[2], rtol=1e-10, atol=1e-12)


def gradients(changes: dict[str, Any], batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Terms and gradients of one float64 step, batch norm per view."""
    cell = cell_with({**changes, "batch_norm_per_view": True})
    objective = build_objective(cell, range(BATCH), STEPS).double()
    training = learner_of(cell, objective)
    training.objective.begin_step(0)
    output = training.objective(batch)
    output.loss.backward()
    return output.terms, {name: p.grad for name, p in objective.named_parameters() if p.grad is not None}


OVER_WINDOWS = [name for name in LOSSES if name != "clip_to_video"]


@pytest.mark.parametrize("name", OVER_WINDOWS)
@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ({"sampling.windows": None}, r"set sampling\.windows: global_local"),
        ({"sampling.windows": {"name": "global_local", "local_clips": 1}}, r"two or more local clips.*has 1"),
    ],
    ids=["none", "one clip"],
)
def test_windows_that_are_missing_or_too_few_are_refused_at_load(
    name: str, windows: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=rf"{name}.*{message}"):
        cell_with({**only(name), **windows})


FOUR = {"sampling.windows": {"name": "global_local", "local_clips": 4, "skips": [4]}}


@pytest.mark.parametrize(
    ("backbone", "last_stage_time", "frames", "left"),
    [("r3d_18", "halved", 16, 2), ("r3d_18", "kept", 8, 2), ("r2plus1d_18", "halved", 16, 2), ("c3d", "halved", 16, 2)],
)
def test_local_clips_that_do_not_divide_the_timesteps_are_refused_at_load(
    backbone: str, last_stage_time: str, frames: int, left: int
) -> None:
    network = {"name": backbone, "width": 0.0625, "last_stage_time": last_stage_time}
    shape = {**FOUR, "backbone": network, "clip": {"frames": frames, "size": 112, "resize": 112}}
    message = rf"4 local clips.*the {left} timestep\(s\).*{backbone}.*{frames} frames"
    with pytest.raises(ConfigError, match=message):
        cell_with({**shape, **only("global_local")})
    for other in (name for name in OVER_WINDOWS if name != "global_local"):
        assert cell_with({**shape, **only(other)})
    kept = {**shape, "backbone": {**network, "last_stage_time": "kept"}, "clip.frames": 16}
    assert cell_with({**kept, **only("global_local")})


REUSE = {"sampling.windows": {**WINDOWS["sampling.windows"], "instance_pair": "reuse_global"}}


def clips_seen(objective: Objective, batch: Batch) -> int:
    """Clips that pass the backbone."""
    seen: list[int] = []
    handle = objective.backbone.register_forward_hook(lambda module, given, made: seen.append(len(given[0])))
    objective.begin_step(0)
    objective(batch)
    handle.remove()
    return sum(seen)


def test_reusing_the_global_clip_saves_a_pass_and_is_feeding_it_as_the_query() -> None:
    random, reused = objective_of(ALL), objective_of({**ALL, **REUSE})
    views = 2 + 1 + 2 * TIMESTEPS
    assert clips_seen(random, fixed_batch()) == views * BATCH
    assert clips_seen(reused, fixed_batch()) == (views - 1) * BATCH
    assert "query" not in reused.view_names
    batch = fixed_batch(torch.float64)
    fed = Batch(views={**batch.views, "query": batch.views["global"]})
    without = Batch(views={name: view for name, view in batch.views.items() if name != "query"})
    expected, found = gradients(ALL, fed), gradients({**ALL, **REUSE}, without)
    for wanted, given in zip(expected, found, strict=True):
        assert wanted.keys() == given.keys()
        for name, value in wanted.items():
            torch.testing.assert_close(given[name], value, rtol=1e-9, atol=1e-12)


def test_the_reused_clip_is_in_the_bank_where_it_lies_in_its_video() -> None:
    changes = {**only("clip_to_video"), **REUSE, "objective.memory": {"cells": 2, "update": "own_only"}}
    objective = objective_of(changes)
    memory: Any = objective.term("clip_to_video").memory
    before = memory.entries.clone()
    early = {
        name: replace(view, center=torch.full_like(view.center, 0.1)) for name, view in fixed_batch().views.items()
    }
    objective.begin_step(0)
    objective(Batch(views=early))
    objective.end_step()
    moved = (memory.entries - before).norm(dim=2)
    assert (moved[:, 0] > 0.1).all()
    assert (moved[:, 1] < 1e-6).all()
