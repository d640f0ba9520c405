"""Training on the device: the CPU's steps, the same bits twice and after a kill, several ranks, loader processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.errors import CellFailure
from raysl.testing.ranks import run_ranks
from raysl.training.loop import KilledError
from raysl.training.precision import choose_device
from raysl.training.pretrain import pretrain
from tests.models.test_backbones import TRAINED
from tests.objectives.batches import small
from tests.training.material import FAILING, assert_equal_states, curves_of, final, folder_of, tiny_cell
from tests.training.steps import assert_same_training, batches_of, cell_of, learner_of, taken
from tests.training.test_batch_groups import CASES
from tests.training.test_steps_ahead import CASES as WAITLESS

CHUNKED = {f"{name}, in chunks": {**changes, "chunk": 4} for name, (changes, _) in CASES.items() if name == "smaller"}
STEPS = {**{name: changes for name, (changes, _) in CASES.items()}, **CHUNKED}


def on_cpu(result: dict[str, Any]) -> dict[str, Any]:
    parts = {part: {name: value.cpu() for name, value in result[part].items()} for part in ("gradients", "state")}
    return {**result, **parts}


@pytest.mark.parametrize("case", STEPS)
def test_optimisation_steps_are_those_of_the_cpu(case: str, device: torch.device) -> None:
    assert_same_training(on_cpu(taken(cell_of(**STEPS[case]), device=device)), taken(cell_of(**STEPS[case])), 1e-6)


def on_rank(rank: int, named: str) -> dict[str, Any]:
    device = choose_device(named)
    return {name: on_cpu(taken(cell_of(**changes), device=device)) for name, changes in STEPS.items()}


def test_two_ranks_on_one_device_train_as_one_rank_on_the_cpu(device: torch.device) -> None:
    """Through gloo, which takes CUDA tensors too; batch norm over both ranks is `torch.nn.SyncBatchNorm` on CUDA."""
    ranks = run_ranks(on_rank, 2, str(device))
    for name, changes in STEPS.items():
        expected = taken(cell_of(**changes))
        for results in ranks:
            assert_same_training(results[name], expected, 1e-6)
    over_ranks = "SyncBatchNorm" if device.type == "cuda" else "GlobalBatchNorm"
    assert ranks[0]["batch"]["classes"] == {over_ranks}


def cell_with(network: str, **changes: Any) -> CellConfig:
    """Ten steps, a checkpoint after every third, with augmentation; a real network where it is named."""
    given: dict[str, Any] = {"augment": {"name": "standard"}}
    if network != "tiny":
        given |= {"backbone": {"name": network, "width": 0.25}, "clip.frames": 8, "clip.stride": 1}
    return tiny_cell(**{**given, "training.steps": 10, "training.checkpoint_steps": 3, **changes})


@pytest.mark.parametrize(("network", "precision"), [("r3d_18", "float32"), *((name, "bfloat16") for name in TRAINED)])
def test_twice_and_after_a_kill_the_same_bits(
    device: torch.device, network: str, precision: str, source: VideoSource, tmp_path: Path
) -> None:
    cell = cell_with(network, **{"training.precision": "auto" if device.type == "cpu" else precision})
    ends = []
    for name, kills in (("once", []), ("twice", []), ("killed", [5])):
        folder = folder_of(tmp_path / name, cell, source)
        for kill in kills:
            with pytest.raises(KilledError):
                pretrain(cell, folder, source, stop_after=kill, device=device)
        trained = pretrain(cell, folder, source, device=device)
        assert trained.precision == precision or device.type == "cpu"
        ends.append((final(folder, cell), list(curves_of(folder)["loss/total"])))
    for end, losses in ends[1:]:
        assert_equal_states(ends[0][0].model, end.model)
        assert ends[0][1] == losses


@pytest.mark.parametrize("framework", ["simclr", "moco", "byol", "instdisc"])
def test_a_cell_trains_as_on_the_cpu(device: torch.device, framework: str, source: VideoSource, tmp_path: Path) -> None:
    """In float32, where sums in another order drift apart: the first steps agree."""
    cell = cell_with("tiny", **{"objective.contrastive": small(framework)})
    losses: list[list[float]] = []
    for where in (device, torch.device("cpu")):
        folder = folder_of(tmp_path / where.type / str(len(losses)), cell, source)
        pretrain(cell, folder, source, device=where)
        losses.append(list(curves_of(folder)["loss/total"]))
    assert losses[0][:4] == pytest.approx(losses[1][:4], rel=2e-3)


@pytest.mark.parametrize("case", WAITLESS)
def test_no_step_waits_for_the_gpu(device: torch.device, case: str) -> None:
    """PyTorch itself says what waits. (tests/training/test_steps_ahead.py looks for it on the CPU.)"""
    if device.type != "cuda":
        pytest.skip("the CPU has nothing to wait for")
    cell = WAITLESS[case]
    learner = learner_of(cell, device=device)
    learner.ahead = 3
    batches = [[batch.to(device) for batch in batches_of(cell, step)] for step in range(3)]
    learner.take(batches[0], 0)  # its first step makes the optimizer's state
    torch.cuda.synchronize(device)
    torch.cuda.set_sync_debug_mode("error")
    try:
        learner.take(batches[1], 1)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("step", [3, 4])
def test_a_step_that_is_not_finite_is_named(
    device: torch.device, step: int, source: VideoSource, tmp_path: Path
) -> None:
    """Within an epoch and at its end; with the last good values, and no checkpoint of what followed."""
    failing = {"framework": FAILING, "step": step}
    cell = tiny_cell(**{"objective.contrastive": failing, "training.steps": 6, "training.checkpoint_steps": 1})
    folder = folder_of(tmp_path, cell, source)
    with pytest.raises(CellFailure, match=f"the loss is nan at step {step}") as caught:
        pretrain(cell, folder, source, device=device)
    newest = folder.latest_checkpoint()
    assert newest is not None
    assert newest[0] == step - 1
    last = caught.value.details["last_good"]
    assert isinstance(last, dict)
    assert last["loss"] == curves_of(folder)["loss/total"].iloc[-1]


def test_loader_processes_and_pinned_memory_change_no_bit(
    device: torch.device, source: VideoSource, tmp_path: Path
) -> None:
    ends = []
    for workers in (0, 2):
        cell = cell_with("tiny", **{"training.loader_workers": workers})
        folder = folder_of(tmp_path / str(workers), cell, source)
        pretrain(cell, folder, source, device=device)
        ends.append(final(folder, cell))
    assert_equal_states(ends[0].model, ends[1].model)


def test_colours_on_the_device_are_the_loaders(device: torch.device, source: VideoSource, tmp_path: Path) -> None:
    """Within 1e-4 of the clips: the first losses agree."""
    losses = []
    for where in ("loader", "device"):
        cell = cell_with("tiny", **{"training.colors_on": where, "training.loader_workers": 1})
        folder = folder_of(tmp_path / where, cell, source)
        pretrain(cell, folder, source, device=device)
        provenance = folder.provenance()
        assert provenance is not None
        assert provenance["attempts"][0]["colors_on"] == where
        losses.append(list(curves_of(folder)["loss/total"]))
    assert losses[0][:4] == pytest.approx(losses[1][:4], rel=2e-3)
    assert losses[0] != losses[1]


def test_the_gpu_is_in_the_provenance(device: torch.device, source: VideoSource, tmp_path: Path) -> None:
    cell = cell_with("tiny")
    folder = folder_of(tmp_path, cell, source)
    pretrain(cell, folder, source, device=device)
    provenance = folder.provenance()
    assert provenance is not None
    (hardware,) = provenance["attempts"][0]["hardware"]
    expected = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    assert hardware["gpu"] == expected
