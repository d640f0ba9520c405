"""Pretraining one cell: the function that plain Python, torchrun and Ray Train workers all run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import torch

from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.data.places import NOTHING
from raysl.data.snapshot import data_record
from raysl.data.source import VideoSource
from raysl.distributed import (
    broadcast_object,
    cpus_of_rank,
    ending_together,
    gather_objects,
    of_all_ranks,
    on_every_rank,
    on_first_rank,
    rank,
    world_size,
)
from raysl.errors import CellFailure, ConfigError, DataError, NodeFault
from raysl.models.backbone import Backbone
from raysl.models.inflate_options import weights_record
from raysl.objectives.build import build_backbone
from raysl.results import CellFolder
from raysl.results.encoding import digest
from raysl.training.check_cell import check_world
from raysl.training.checkpoint import Checkpoint, newest_checkpoint
from raysl.training.load_backbone import PREFIX
from raysl.training.loop import ProgressCallback, Run
from raysl.training.memory import naming_remedies
from raysl.training.monitor import Monitor
from raysl.training.precision import Precision, choose_device, colors_on_device, resolve_precision
from raysl.training.probe import Probe
from raysl.training.provenance import code_changes, git_state, hardware, package_versions
from raysl.training.recorder import Recorder, begin
from raysl.training.summary import Summary
from raysl.training.threads import cpu_threads
from raysl.training.unreadable import Unreadable


def pretrain(
    cell: CellConfig,
    folder: CellFolder,
    source: VideoSource | None,
    *,
    device: torch.device | str | None = None,
    on_progress: ProgressCallback | None = None,
    stop_after: int | None = None,
    files: Mapping[str, Path] = NOTHING,
    probe: Probe | None = None,
    start: Backbone | None = None,
    monitor: Monitor | None = None,
) -> Summary:
    """Trains the cell from its newest checkpoint to its end and marks it done. Collective: every rank calls it.

    The caller has initialised the process group, if there is one. Only rank 0 reads and writes the folder. PyTorch's
    threads are set for the time of the call; Python's, NumPy's and PyTorch's global generators are seeded.

    Args:
        source: the videos of ``cell.data``; None only for ``pretraining: none``, which needs none.
        device: None: this rank's GPU, or the CPU.
        on_progress: called on every rank at the same steps: after each epoch, and every ten seconds.
        stop_after: raises `raysl.training.loop.KilledError` after this step (from 1): a kill, for tests.
        files: from the name of a weights file to the file, for a backbone with ``init: inflate``.
        probe: evaluates the backbone while it trains.
        start: the trained backbone of ``cell.start``, if the cell starts from another; it is copied.
        monitor: measures the backbone, for the curves and a warning.

    Returns:
        The same on every rank.

    Raises:
        CellFailure: a failure that the configuration determines, on every rank at the same step; stored in the folder.
        NodeFault: something this machine could not do this time, on every rank; nothing is stored.
        ConfigError: the global batch does not divide by the number of ranks.
        StorageError: on every rank: the folder cannot be read or written, or holds a checkpoint of another cell.
    """
    check_world(cell, world_size())
    chosen = choose_device(device)
    with cpu_threads(cell) as threads, ending_together(), naming_remedies("training", cell):
        try:
            summary = _pretrain(
                cell, folder, source, chosen, threads, on_progress, stop_after, files, probe, start, monitor
            )
        except CellFailure as failure:
            if rank() == 0:
                folder.mark_failed(failure.reason, failure.details)
            raise
    return cast(Summary, broadcast_object(summary))


def _pretrain(
    cell: CellConfig,
    folder: CellFolder,
    source: VideoSource | None,
    device: torch.device,
    threads: int,
    on_progress: ProgressCallback | None,
    stop_after: int | None,
    files: Mapping[str, Path],
    probe: Probe | None,
    start: Backbone | None,
    monitor: Monitor | None,
) -> Summary | None:
    """The summary on rank 0."""
    if (start is None) != (cell.init is None):
        raise ValueError(f"cell {folder.name}: pass a backbone if, and only if, the cell starts from another one")
    attempt = _attempt(cell, device, threads)
    if cell.init is None:
        attempt |= on_every_rank(lambda: weights_record(cell.backbone.options, files))
    changes, git = code_changes(), git_state()  # as they are when the code was imported, not when the cell is done
    if changes:
        git["changes"] = digest(changes)
    if cell.pretraining == "none":
        random_weights = _provenance(cell, "float32", None, [attempt], {}, git)
        return on_first_rank(lambda: store_random_backbone(cell, folder, random_weights, files, changes))
    if source is None:
        raise DataError(f"cell {folder.name} must be pretrained, but no source of videos was passed")
    found = newest_checkpoint(folder, cell_id(cell))
    precision = _precision(cell, found, device)
    attempt["from_step"] = found.step if found is not None else 0
    attempts = [*(found.attempts if found is not None else []), attempt]
    unreadable = Unreadable(source, cell.training.max_unreadable)
    provenance = _provenance(cell, precision, source, attempts, unreadable.reasons(), git)
    on_every_rank(lambda: begin(cell, folder, provenance, changes) if rank() == 0 else None)
    try:
        run = Run(
            cell,
            source,
            found=found,
            unreadable=unreadable,
            precision=precision,
            device=device,
            attempts=attempts,
            cores=attempt["cores"],
            files=files,
            start=start,
            monitor=monitor,
        )
    except NodeFault:
        raise
    except ConfigError as error:  # what the configuration asks of this data is as deterministic as a loss that is NaN
        raise of_all_ranks(CellFailure(str(error))) from error
    with ExitStack() as stack:
        stack.callback(run.loader.close)
        recorder = on_every_rank(lambda: Recorder(folder, found) if rank() == 0 else None)
        if recorder is not None:
            stack.enter_context(recorder)
        run.train(recorder, on_progress, stop_after, probe)
        provenance = _provenance(cell, precision, source, attempts, unreadable.reasons(), git)
        return on_every_rank(lambda: None if recorder is None else recorder.finish(run.summary(recorder), provenance))


def _precision(cell: CellConfig, found: Checkpoint | None, device: torch.device) -> Precision:
    """The precision that the run began with, whatever machine it is on now."""
    asked = cell.training.precision if found is None else cast(Precision, found.precision)
    return resolve_precision(asked, device)


def _attempt(cell: CellConfig, device: torch.device, threads: int) -> dict[str, Any]:
    """What this attempt runs on, over all ranks. Collective."""
    loaders = cell.training.loader_workers
    # Chosen loader processes may be as many as there are CPUs.
    cores = cpus_of_rank() if loaders == "auto" else min(threads + loaders, cpus_of_rank())
    ranks = gather_objects({"hardware": hardware(device), "cores": cores})
    machines = [entry["hardware"] for entry in ranks]
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "from_step": 0,
        "workers": world_size(),
        "loader_workers": cell.training.planned_loader_workers,  # more once they are chosen
        "colors_on": "device" if colors_on_device(cell.training.colors_on, device) else "loader",
        "threads": threads,
        **({"compile": True} if cell.training.compile else {}),
        "cores": sum(entry["cores"] for entry in ranks),
        "hardware": [machine for index, machine in enumerate(machines) if machine not in machines[:index]],
    }


def _provenance(
    cell: CellConfig,
    precision: str,
    source: VideoSource | None,
    attempts: list[dict[str, Any]],
    unreadable: dict[str, str],
    git: dict[str, Any],
) -> dict[str, Any]:
    return {
        "cell": cell_id(cell),
        "git": git,
        "packages": package_versions(),
        "precision": precision,
        "data": None if source is None else data_record(cell.data, source.snapshot),
        "unreadable": unreadable,
        "attempts": attempts,
    }


def store_random_backbone(
    cell: CellConfig,
    folder: CellFolder,
    provenance: dict[str, Any],
    files: Mapping[str, Path] = NOTHING,
    changes: bytes = b"",
) -> Summary:
    """``pretraining: none``: stores the backbone as drawn (or inflated) as final checkpoint and marks the cell done.

    For rank 0 alone.

    Args:
        changes: the diff of the code against its commit.
    """
    weights = build_backbone(cell, files).state_dict()
    model = {PREFIX + name: value for name, value in weights.items()}
    summary = Summary(
        steps=0,
        minutes=0.0,
        clips_per_second=0.0,
        clips_per_second_per_core=0.0,
        final_loss=None,
        precision=provenance["precision"],
        unreadable=0,
        unreadable_paths=(),
        missing=0,
        too_short=0,
        left_out=0,
        attempts=1,
    )
    begin(cell, folder, provenance, changes)
    with Recorder(folder, None) as recorder:
        recorder.save(Checkpoint(cell_id(cell), step=0, precision=provenance["precision"], model=model))
        recorder.finish(summary, provenance)
    return summary
