"""Training with batch-norm groups: the number of ranks moves neither weights nor running statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from raysl.data.source import VideoSource
from raysl.errors import ConfigError
from raysl.objectives.build import build_objective
from raysl.testing.ranks import run_ranks
from raysl.training.check_cell import check_world
from raysl.training.pretrain import pretrain
from tests.training.material import final, folder_of, tiny_cell, tiny_source
from tests.training.steps import assert_same_training, batches_of, cell_of, learner_of, taken

CASES: dict[str, tuple[dict[str, Any], set[str]]] = {
    "batch": ({"changes": {"batch_norm_group": "batch"}}, {"GlobalBatchNorm"}),
    "share": ({"changes": {"batch_norm_group": 8}}, {"BatchNorm3d", "BatchNorm1d"}),
    "smaller": ({}, {"GroupedBatchNorm"}),
    "spanning": ({"batch": 12}, {"GroupedBatchNorm"}),
    "shuffled": (
        {"framework": "moco", "changes": {"objective.contrastive.shuffle": True, "batch_norm_group": 8}},
        {"BatchNorm3d", "BatchNorm1d"},
    ),
    **{
        f"{framework}, views apart in {group}": (
            {"framework": framework, "changes": {"batch_norm_per_view": True, "batch_norm_group": group}},
            {"GroupedBatchNorm"},
        )
        for framework, group in (("simclr", "batch"), ("simclr", 4), ("moco", 8), ("byol", "batch"))
    },
}
"""What differs from groups of four of sixteen videos, and the batch norms on two ranks."""


def queue_after_a_step(rank: int, chunk: int | None) -> tuple[Tensor, Tensor]:
    """MoCo's queue where it had other keys on each rank, and a weight that had another value on each."""
    cell = cell_of("moco", chunk=chunk, changes={"objective.contrastive.queue_size": 32})
    objective = build_objective(cell, range(16), 3)
    with torch.no_grad():
        objective.backbone.get_parameter("stem.0.weight").fill_(1 + rank)
        objective.get_buffer("terms.contrastive.queue.columns").fill_(1 + rank)
    learner = learner_of(cell, objective=objective.double())
    learner.step(batches_of(cell, 0), 0)
    state = learner.objective.state_dict()
    return state["terms.contrastive.queue.columns"][:, -1], state["backbone.stem.0.weight"]


def on_rank(rank: int) -> dict[str, Any]:
    trained = {name: taken(cell_of(**changes)) for name, (changes, _) in CASES.items()}
    return {**trained, "queues": [queue_after_a_step(rank, chunk) for chunk in (None, 4)]}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(on_rank, 2)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_train_as_one(ranks: list[dict[str, Any]], case: str) -> None:
    changes, classes = CASES[case]
    alone = taken(cell_of(**changes))
    for results in ranks:
        assert_same_training(results[case], alone)
        assert results[case]["classes"] == classes


@pytest.mark.slow
def test_queues_are_not_broadcast_and_weights_are(ranks: list[dict[str, Any]]) -> None:
    for (first, first_weight), (second, second_weight) in zip(*(results["queues"] for results in ranks), strict=True):
        assert torch.equal(second, 2 * first)
        assert torch.equal(second_weight, first_weight)


def test_groups_change_what_is_learned() -> None:
    first, second = (taken(cell_of(changes={"batch_norm_group": group})) for group in (8, "batch"))
    assert first["losses"]["0"][0] != second["losses"]["0"][0]


@pytest.mark.parametrize("framework", ["simclr", "moco", "byol"])
def test_views_apart_in_chunks_train_as_the_whole_batch(framework: str) -> None:
    apart = {"batch_norm_per_view": True}
    whole, chunks = (taken(cell_of(framework, chunk=chunk, changes=apart)) for chunk in (None, 4))
    assert_same_training(chunks, whole)


@pytest.mark.parametrize("framework", ["moco", "byol"])
def test_with_views_apart_a_target_encoder_sees_a_view_as_the_online_one_does(framework: str) -> None:
    """A target passes one view at a time, the online network all: only apart do their statistics agree."""
    differences = []
    for apart in (True, False):
        cell = cell_of(framework, changes={"batch_norm_per_view": apart})
        objective, (batch,) = learner_of(cell).objective, batches_of(cell, 0)
        target = objective.get_submodule("terms.contrastive.target.encoder.backbone")
        online = objective.together(batch, ["query", "key"])["key"]
        differences.append((online - target(batch.views["key"].clips)).abs().max().item())
    assert differences[0] < 1e-9
    assert differences[1] > 1e-3


def test_another_number_of_ranks_must_divide_into_chunks() -> None:
    cell = cell_of(batch=24, chunk=4)
    check_world(cell, 3)
    check_world(cell, 12)
    with pytest.raises(ConfigError, match=r"training\.chunk 8 does not divide the 12 videos of each of the 2 workers"):
        check_world(cell_of(batch=24, chunk=8), 2)


def test_a_chunk_of_a_workers_share_needs_no_groups_on_one_rank() -> None:
    """A cell of four workers that pass their whole share is tried on one rank, where a chunk would be part of it."""
    cell = cell_of(workers=4, chunk=4, changes={"batch_norm_group": "batch"})
    learner = learner_of(cell)
    assert cell.training.chunk_in_use is None
    assert learner.step(batches_of(cell, 0), 0).loss > 0


GROUPED = {"training.steps": 1, "batch_norm_group": 2}


def _train_on_rank(_: int, videos: str, storage: str) -> None:
    cell = tiny_cell(**GROUPED, **{"training.workers": 2})
    source = tiny_source(Path(videos))
    pretrain(cell, folder_of(Path(storage), cell, source), source)


@pytest.mark.slow
def test_a_checkpoint_holds_the_statistics_of_all_ranks(
    video_folder: Path, source: VideoSource, tmp_path: Path
) -> None:
    cell = tiny_cell(**GROUPED)
    alone, both = (folder_of(tmp_path / name, cell, source) for name in ("one", "two"))
    pretrain(cell, alone, source)
    run_ranks(_train_on_rank, 2, str(video_folder), str(tmp_path / "two"))
    expected, found = final(alone, cell).model, final(both, cell).model
    running = [name for name in expected if "running" in name]
    assert len(running) == 10, "mean and variance of five batch norms"
    for name in running:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)
