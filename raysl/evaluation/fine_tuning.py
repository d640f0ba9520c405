"""Training a backbone and a classifier on labels, from weights that are given, without checkpoints.

A run that is interrupted begins anew: fine-tuning is short, and its result is stored only when it is whole.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.distributed import of_all_ranks, on_every_rank, rank, world_size
from raysl.errors import LeftError, NodeFault
from raysl.models.backbone import Backbone, pool
from raysl.objectives.build import objective_on
from raysl.objectives.objective import Objective
from raysl.objectives.supervised import Supervised
from raysl.signals import saving_first
from raysl.training.batches import StepBatches, exchange
from raysl.training.learner import Learner, StepValues
from raysl.training.length import Length, training_length
from raysl.training.precision import Precision
from raysl.training.progress import Pace, Progress
from raysl.training.random_state import seed_rank
from raysl.views.loader import PretrainingLoader

REPORT_SECONDS = 10.0
"""At least so often is progress reported."""


@dataclass(frozen=True)
class FineTuned:
    """The network at the end of training, and what its epochs gave.

    Attributes:
        objective: backbone and classifier, on the device.
        length: of the training.
        learning_rate: the base rate, as used at this batch.
        losses, accuracies: of each epoch, means over its steps; accuracy in percent, of the training clips as seen.
    """

    objective: Objective
    length: Length
    learning_rate: float
    losses: tuple[float, ...]
    accuracies: tuple[float, ...]

    def logits(self, clips: Tensor) -> Tensor:
        """``[N, 3, T, H, W]`` to ``[N, classes]`` float32."""
        term = self.objective.term("supervised")
        assert isinstance(term, Supervised)
        logits: Tensor = term.classifier(pool(self.objective.backbone(clips))).float()
        return logits


class FineTuning:
    """One training on one rank; the constructor and `run` are collective.

    Args:
        cell: a supervised cell: data, clip, augmentation, optimizer, schedule, batch, length and seed.
        backbone: copied; the classifier's weights are drawn from the cell's seed.
        videos: catalog indices to train on, ascending.
        frozen_statistics: batch norms of the backbone normalise by the statistics they came with, and keep them.
    """

    def __init__(
        self,
        cell: CellConfig,
        backbone: Backbone,
        source: VideoSource,
        videos: Sequence[int],
        *,
        device: torch.device,
        precision: Precision,
        frozen_statistics: bool = False,
    ) -> None:
        self.cell, self.source, self.device = cell, source, device
        self.loader, self.learner, self.length = on_every_rank(lambda: self._build(backbone, videos, precision))
        if frozen_statistics:
            for module in self.learner.objective.backbone.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        self._pace = Pace(cell.training.batch_size)
        seed_rank(cell.training.seed, rank())

    def _build(
        self, backbone: Backbone, videos: Sequence[int], precision: Precision
    ) -> tuple[PretrainingLoader, Learner, Length]:
        cell, classes = self.cell, len(self.source.catalog.classes)
        loader = PretrainingLoader(
            cell,
            self.source,
            view_names=("query",),
            rank=rank(),
            world_size=world_size(),
            videos=videos,
            pin=self.device.type == "cuda",
        )
        length = training_length(cell.training, loader.steps_per_epoch)
        start = copy.deepcopy(backbone).requires_grad_(True)
        objective = objective_on(start, cell, videos, length.steps, classes=classes)
        learner = Learner(
            objective,
            cell,
            total_steps=length.steps,
            steps_per_epoch=length.steps_per_epoch,
            device=self.device,
            precision=precision,
        )
        return loader, learner, length

    def run(self, on_progress: Callable[[Progress], None]) -> FineTuned:
        """Takes all steps.

        Raises:
            CellFailure: loss or gradient is not finite; on every rank at the same step.
            NodeFault: a training video cannot be read any more; on every rank.
            LeftError: it was asked to end (`raysl.signals`), on every rank. There are no checkpoints to go on from.
        """
        with saving_first():
            return self._run(on_progress)

    def _run(self, on_progress: Callable[[Progress], None]) -> FineTuned:
        batches = StepBatches(self.loader, self.length, self.cell.training.accumulate, 0, self.device)
        losses, accuracies, epoch = [], [], list[StepValues]()
        reported = time.monotonic()
        for done in range(1, self.length.steps + 1):
            values, tick = self._step(batches, done, time.monotonic() - reported > REPORT_SECONDS)
            epoch.append(values)
            if tick or self.length.ends_epoch(done):
                reported = time.monotonic()
                on_progress(self._progress(done, values.loss))
            if self.length.ends_epoch(done):
                losses.append(sum(step.loss for step in epoch) / len(epoch))
                accuracies.append(100 * sum(step.metrics["accuracy"] for step in epoch) / len(epoch))
                epoch.clear()
        self.learner.state()  # running statistics over all ranks
        return FineTuned(self.learner.objective, self.length, self.learner.base_rate, tuple(losses), tuple(accuracies))

    def _step(self, batches: StepBatches, done: int, due: bool) -> tuple[StepValues, bool]:
        started = time.perf_counter()
        step_batches, failure = batches.next()
        lost = tuple(path for batch in step_batches for path in batch.unreadable)
        signals = exchange(failure, lost, due, self.device)
        if signals.leave:
            raise of_all_ranks(LeftError("its fine-tuning was ended from outside, and begins anew"))
        if signals.unreadable:
            # No other video stands in: all rows of a table are fine-tuned on the same ones.
            raise of_all_ranks(
                NodeFault(
                    f"{self.source.catalog.name}: {', '.join(signals.unreadable)} could be read when the data set was, "
                    "and cannot be read now: restore the file",
                    may_pass=True,
                )
            )
        loaded = time.perf_counter()
        values = self.learner.step(step_batches, done - 1)
        self._pace.step(time.perf_counter() - started, loaded - started)
        return values, signals.tick

    def _progress(self, done: int, loss: float) -> Progress:
        return Progress(
            epoch=self.length.epoch(done),
            epochs=self.length.epochs,
            step=done,
            steps=self.length.steps,
            clips_per_second=self._pace.clips_per_second,
            loss=loss,
            seconds_left=self._pace.seconds_left(self.length.steps - done),
            data_wait_share=self._pace.data_wait_share,
        )
