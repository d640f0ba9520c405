"""One real training step without a store: the cheap check of a cell before money is spent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from raysl.config.cell import CellConfig
from raysl.data.places import NOTHING
from raysl.data.source import VideoSource
from raysl.errors import DataError
from raysl.models.backbone import Backbone
from raysl.objectives.build import build_backbone
from raysl.objectives.objective import Objective
from raysl.training.batches import StepBatches
from raysl.training.check_cell import check_cell
from raysl.training.loop import Run
from raysl.training.memory import naming_remedies, peak_mb, reset_peak
from raysl.training.precision import choose_device, resolve_precision
from raysl.training.threads import cpu_threads
from raysl.training.unreadable import Unreadable


@dataclass(frozen=True)
class StepReport:
    """What a first step gave.

    Attributes:
        loss: of the step; None for random weights, which take none.
        seconds: of the step itself; the first of a process, so slower than later ones.
        loading: seconds that its clips took before it: much longer than later ones where their videos are not in the
            cache yet, and which loader processes would have spent beside a step.
        steps: that the whole training has.
        peak_memory_mb: of the process while it ran (of the GPU where there is one), MiB.
        backbone: after the step.
        network: backbone and heads after the step; None for random weights.
    """

    loss: float | None
    seconds: float
    peak_memory_mb: float
    backbone: Backbone
    network: Objective | None = None
    loading: float = 0.0
    steps: int = 0


def try_step(
    cell: CellConfig,
    source: VideoSource | None,
    *,
    device: torch.device | str | None = None,
    files: Mapping[str, Path] = NOTHING,
) -> StepReport:
    """Builds the cell as `pretrain` does and takes its first step, on one rank with the whole global batch.

    A cell that starts from another one starts from weights drawn from the seed here.

    Raises:
        CellFailure, ConfigError: as `pretrain` would.
    """
    check_cell(cell)
    chosen = choose_device(device)
    reset_peak(chosen)
    with cpu_threads(cell), naming_remedies("a training step", cell):
        if cell.pretraining == "none":
            started = time.perf_counter()
            backbone = build_backbone(cell, files)
            return StepReport(None, time.perf_counter() - started, peak_mb(chosen), backbone)
        if source is None:
            raise DataError("a training step needs a source of videos, and none was passed")
        precision = resolve_precision(cell.training.precision, chosen)
        unreadable = Unreadable(source, cell.training.max_unreadable)
        run = Run(
            cell,
            source,
            found=None,
            unreadable=unreadable,
            precision=precision,
            device=chosen,
            attempts=[],
            cores=1,
            files=files,
        )
        batches = StepBatches(run.loader, run.length, cell.training.accumulate, 0, chosen)
        started = time.perf_counter()
        loaded, failure = batches.next()
        if failure is not None:
            raise failure
        began = time.perf_counter()
        loss = run.learner.step(loaded, 0).loss
        seconds, network = time.perf_counter() - began, run.learner.objective
        peak, steps = peak_mb(chosen), run.length.steps
        return StepReport(loss, seconds, peak, network.backbone, network, began - started, steps)
