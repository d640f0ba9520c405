"""SSTL's terms in training: the same bank on every rank, in chunks, in the checkpoint, and after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.distributed import rank, world_size
from raysl.errors import CellFailure
from raysl.objectives.build import build_objective
from raysl.testing.ranks import run_ranks
from raysl.training.checkpoint import Checkpoint
from raysl.training.loop import KilledError
from raysl.training.pretrain import pretrain
from raysl.views.batch import Batch
from tests.objectives.batches import part_of, placed, random_batch, renumbered, small
from tests.training.material import assert_equal_states, curves_of, final, folder_of, tiny_cell
from tests.training.steps import STEPS, VIDEOS, assert_same_training, cell_of, learner_of, taken

BATCH = VIDEOS // 2
SSTL: dict[str, Any] = {
    "objective.contrastive": small("simclr", projector="shared", bank_negatives=8),
    "objective.clip_to_video": {},
    "objective.pretext": {"playback_regression": {"hidden_dim": 8}},
    "objective.projector": {"hidden_dim": 12, "output_dim": 8},
    "objective.memory": {"cells": 3},
    "augment.temporal": {"buffer_frames": 2, "max_rate": 1.5},
}
BANKS = ("terms.contrastive.memory.entries", "terms.clip_to_video.memory.entries")
CASES: dict[str, dict[str, Any]] = {
    "whole": {},
    "chunks": {"chunk": 2},
    "literal": {"changes": {"objective.memory": {"cells": 2, "update": "literal"}}},
    "one cell": {"changes": {"objective.memory": {"cells": 1, "update": "own_only"}}},
    "views apart": {"changes": {"batch_norm_per_view": True, "batch_norm_group": 4}},
    "without contrast": {"changes": {"objective.contrastive": None}, "accumulate": 2},
}


def sstl(*, changes: dict[str, Any] | None = None, **training: Any) -> CellConfig:
    """Batches of half of the videos, the other half outside."""
    small_steps = {"name": "sgd", "learning_rate": {"value": 0.005, "at_batch": BATCH}}
    tuned = {**SSTL, "clip.size": 16, "clip.resize": 16, "batch_norm_group": 2, "optimizer": small_steps}
    return cell_of(batch=BATCH, changes=tuned | (changes or {}), **training)


def batches(cell: CellConfig, step: int) -> list[Batch]:
    """This rank's part of a step's batches: the one half of the videos, the other half, in turn."""
    share = BATCH // world_size()
    rows = slice(rank() * share, (rank() + 1) * share)
    numbers = [step * cell.training.accumulate + index for index in range(cell.training.accumulate)]
    whole = [placed(random_batch(BATCH, torch.float64, seed, cell.clip.frames), seed) for seed in numbers]
    return [part_of(renumbered(batch, number % 2 * BATCH), rows) for number, batch in zip(numbers, whole, strict=True)]


def trained(case: str) -> dict[str, Any]:
    return taken(sstl(**CASES[case]), batches)


def start(place: int, chunk: int | None) -> list[Tensor]:
    """The bank under both names, and a weight, of a learner that was given others on each rank."""
    objective = build_objective(sstl(chunk=chunk), range(VIDEOS), STEPS)
    with torch.no_grad():
        objective.get_buffer(BANKS[0]).fill_(1 + place)
        objective.backbone.get_parameter("stem.0.weight").fill_(1 + place)
    state = learner_of(sstl(chunk=chunk), objective.double()).objective.state_dict()
    return [state[name] for name in (*BANKS, "backbone.stem.0.weight")]


def on_rank(place: int) -> dict[str, Any]:
    starts = {chunk: start(place, chunk) for chunk in (None, 2)}
    return {**{case: trained(case) for case in CASES}, "starts": starts}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(on_rank, 2)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_train_as_one(ranks: list[dict[str, Any]], case: str) -> None:
    alone = trained(case)
    for results in ranks:
        assert_same_training(results[case], alone)
    banks = [results[case]["state"][name] for results in ranks for name in BANKS if name in results[case]["state"]]
    assert len(banks) == (2 if case == "without contrast" else 4)
    assert all(torch.equal(bank, banks[0]) for bank in banks)


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [None, 2])
def test_a_shared_bank_is_not_broadcast_under_either_name(ranks: list[dict[str, Any]], chunk: int | None) -> None:
    for place, results in enumerate(ranks):
        *banks, weight = results["starts"][chunk]
        assert all(torch.equal(bank, torch.full_like(bank, 1 + place)) for bank in banks)
        assert torch.equal(weight, torch.ones_like(weight))


def test_chunks_train_as_the_whole_batch() -> None:
    assert_same_training(trained("chunks"), trained("whole"))


def test_every_step_moves_the_bank_where_its_videos_are_and_terms_share_it() -> None:
    learner = learner_of(sstl())
    first, second = (learner.objective.get_buffer(name) for name in BANKS)
    assert first is second
    for step in range(STEPS):
        before = first.clone()
        learner.step(batches(sstl(), step), step)
        moved = (first != before).any(dim=-1).any(dim=-1)
        assert moved.nonzero().flatten().tolist() == list(range(step % 2 * BATCH, (step % 2 + 1) * BATCH))
    torch.testing.assert_close(first.norm(dim=-1), torch.ones(VIDEOS, 3).double())


def test_a_step_with_a_loss_that_is_not_finite_leaves_the_bank_alone() -> None:
    learner, expected = learner_of(sstl()), learner_of(sstl())
    bank = learner.objective.get_buffer(BANKS[0])
    before, (broken,) = bank.clone(), batches(sstl(), 0)
    broken.views["key"].distortion.fill_(torch.nan)
    with pytest.raises(CellFailure, match="the loss is nan"):
        learner.step([broken], 0)
    assert torch.equal(bank, before)
    for trained_next in (learner, expected):
        trained_next.objective.begin_step(1)
        trained_next.objective.end_step()
    assert torch.equal(bank, expected.objective.get_buffer(BANKS[0]))


def test_a_bank_of_two_terms_is_in_the_checkpoint_once() -> None:
    objective = build_objective(sstl(), range(50_000), STEPS)
    bank = objective.get_buffer(BANKS[0])
    content = Checkpoint(cell="", step=0, precision="float32", model=objective.state_dict()).to_bytes()
    rest = sum(v.nbytes for name, v in objective.state_dict().items() if name not in BANKS)
    assert bank.nbytes < len(content) < 1.2 * bank.nbytes + 2 * rest


def test_killed_within_an_epoch_and_resumed_is_the_run_that_was_not_killed(source: VideoSource, tmp_path: Path) -> None:
    cell = tiny_cell(**SSTL, **{"training.checkpoint_steps": 2, "training.steps": 7})  # epochs of four steps
    whole, killed = (folder_of(tmp_path / part, cell, source) for part in ("whole", "killed"))
    pretrain(cell, whole, source)
    for kill in (3, 6):
        with pytest.raises(KilledError):
            pretrain(cell, killed, source, stop_after=kill)
    pretrain(cell, killed, source)
    expected, found = final(whole, cell), final(killed, cell)
    assert_equal_states(expected.model, found.model)
    assert set(BANKS) <= found.model.keys()
    assert found.model[BANKS[0]].data_ptr() == found.model[BANKS[1]].data_ptr()
    columns = [name for name in curves_of(whole) if not str(name).startswith("time/")]
    assert curves_of(killed)[columns].equals(curves_of(whole)[columns])
    assert {"loss/clip_to_video", "loss/playback_regression", "metric/playback_error"} <= set(columns)
