"""What every term of the objective keeps: it resumes bit for bit, and trains in chunks and on two ranks as on one."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.objectives.objective import Objective
from raysl.testing.cells import tiny_cell
from raysl.testing.component import TrainedContract, takes_seconds
from raysl.testing.ranks import run_ranks
from raysl.testing.steps import VIDEOS, assert_same_training, batches_of, cell_of, learner_of, learning, taken
from raysl.training.learner import Learner
from raysl.views.batch import Batch


@dataclass(frozen=True)
class Training:
    """Three steps in float64 by plain gradient descent, batch norm in groups of four videos; any process can do it.

    Attributes:
        changes: of `raysl.testing.steps.cell_of`.
        size: global batch, videos.
        batches: this rank's, of a cell and a step.
    """

    changes: Mapping[str, Any]
    size: int = VIDEOS
    batches: Callable[[CellConfig, int], list[Batch]] = batches_of

    def __call__(self, chunk: int | None = None) -> dict[str, Any]:
        """What `raysl.testing.steps.taken` tells of it; of two batches a step where the loss allows it."""
        cell = cell_of(self.changes, batch=self.size)
        more = 1 if self.batches is not batches_of or learner_of(cell).objective.compares_across_batch else 2
        return taken(cell_of(self.changes, batch=self.size, chunk=chunk, accumulate=more), self.batches)

    @property
    def key(self) -> str:
        """What tells it from others, the same in every process."""
        return f"{self.changes} {self.size} {self.batches.__qualname__}"


Told = dict[str, dict[str, Any]]
"""By the key of a training, what `raysl.testing.steps.taken` tells of it."""
_WHOLE: Told = {}


def as_a_whole(training: Training) -> dict[str, Any]:
    """Of one rank, without chunks; several tests compare with it."""
    if training.key not in _WHOLE:
        _WHOLE[training.key] = training()
    return _WHOLE[training.key]


def on_two_ranks(trainings: Sequence[Training]) -> list[Told]:
    """What each of two ranks tells of these, four videos at a time; the two processes are started once for all."""
    return run_ranks(_in_chunks, 2, trainings)


def _in_chunks(rank: int, trainings: Sequence[Training]) -> Told:
    return {training.key: training(chunk=4) for training in trainings}


class TermContract(TrainedContract):
    """Base of the contracts of frameworks, temporal losses and pretext tasks.

    Attributes:
        videos: of the training set in the tests of learning.
        chunks: sizes of the parts in which a batch is computed, videos.
    """

    videos: int = 16
    chunks: tuple[int, ...] = (4,)

    def training(self) -> Training:
        """What is compared between chunks, ranks and the whole."""
        raise NotImplementedError

    def learning(self) -> dict[str, Any]:
        """The changes of `raysl.testing.cells.tiny_cell` with which it learns by itself, in some thirty steps."""
        raise NotImplementedError

    def batch_at(self, objective: Objective, step: int) -> Batch:
        """What it learns on in a step."""
        raise NotImplementedError

    def learner(self) -> Learner:
        return learning(tiny_cell(self.learning()), self.videos)

    def test_a_checkpoint_midway_goes_on_bit_for_bit(self) -> None:
        straight, resumed = self.learner(), self.learner()
        batches = [self.batch_at(straight.objective, step) for step in range(4)]
        for step in range(2):
            straight.step([batches[step]], step)
        saved = io.BytesIO()
        torch.save((straight.state(), straight.optimizer.state_dict(), straight.schedule.state_dict()), saved)
        saved.seek(0)
        resumed.load(*torch.load(saved))
        for step in range(2, 4):
            values = [training.step([batches[step]], step) for training in (straight, resumed)]
            assert values[0] == values[1]
        ours, theirs = straight.objective.state_dict(), resumed.objective.state_dict()
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []

    @takes_seconds
    def test_chunks_train_as_the_whole_batch(self) -> None:
        for chunk in self.chunks:
            assert_same_training(self.training()(chunk), as_a_whole(self.training()))

    @pytest.fixture
    def two_ranks(self) -> list[Told]:
        """What each of two ranks tells of the training. Where many components have one contract, override it by a
        fixture that asks `on_two_ranks` for all of them at once.
        """
        return on_two_ranks([self.training()])

    @takes_seconds
    def test_two_ranks_train_as_one(self, two_ranks: list[Told]) -> None:
        for told in two_ranks:
            assert_same_training(told[self.training().key], as_a_whole(self.training()))
