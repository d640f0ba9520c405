"""The computing of one cell, in this process or on every rank of a process group."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from raysl.config.cells import Cell
from raysl.config.identity import resolved
from raysl.data.snapshot import Snapshot
from raysl.distributed import (
    broadcast_object,
    ending_together,
    is_of_all_ranks,
    may_pass,
    of_all_ranks,
    on_every_rank,
    on_first_rank,
    rank,
)
from raysl.errors import CellFailure, LeftError, NodeFault, RayslError, StorageError, StoreLostError
from raysl.evaluation.evaluate import evaluate, reads_network, record
from raysl.evaluation.monitor import monitor_of
from raysl.evaluation.protocol import EvaluationResult
from raysl.models.backbone import Backbone
from raysl.objectives.objective import Objective
from raysl.results import CellFolder, StoredCell, StoredEvaluation
from raysl.results.folder import EVALUATION, DamagedWeightsError
from raysl.training.load_backbone import load_backbone, load_network
from raysl.training.loop import ProgressCallback
from raysl.training.memory import naming_remedies
from raysl.training.precision import choose_device, resolve_precision
from raysl.training.pretrain import pretrain
from raysl.training.probe import Probe
from raysl.training.progress import Progress
from raysl.training.threads import cpu_threads
from raysl.work.claims import claimed
from raysl.work.site import OnReading, Site

OnStage = Callable[[str, Progress | None], None]
"""Takes the stage of a cell and its progress."""

PRETRAINING = "pretraining"
"""The name under which faults of a cell's training are stored; faults of evaluations are under their names."""


def pretrain_cell(
    cell: Cell,
    site: Site,
    on_progress: ProgressCallback | None = None,
    probe: Probe | None = None,
    on_reading: OnReading | None = None,
) -> str | None:
    """Pretrains the cell unless it is done, from its newest checkpoint on. Collective.

    Args:
        probe: evaluates the backbone while it trains, instead of the cell's own monitor.
        on_reading: called with the progress of preparing the data set on this node.

    Returns:
        Why it failed, on every rank, if the configuration determines that (it is then stored as the cell's result);
        None if it is done.

    Raises:
        NodeFault: this machine could not do it this time; noted in the cell's folder.
        StorageError: the store cannot be read or written.
    """
    folder, config = site.folder(cell), cell.config
    if on_first_rank(lambda: folder.state().status) == "done":
        return None
    on_first_rank(lambda: _begin(folder, cell))
    try:
        with noted_faults(folder, PRETRAINING, site):
            with cpu_threads(config):
                resize = config.clip.resize
                source = on_every_rank(lambda: site.open(config.data, resize, on_reading)) if cell.pretrains else None
            begun = cell.start
            start = None if begun is None else _start(begun, site)
            monitor = None if source is None or probe is not None else monitor_of(config, source, cell.title)
            pretrain(
                config,
                folder,
                source,
                on_progress=on_progress,
                files=site.places.roots,
                probe=probe,
                start=start,
                monitor=monitor,
            )
    except CellFailure as failure:
        return failure.reason
    return None


def _start(cell: Cell, site: Site) -> Backbone:
    """The backbone of a cell that another starts from. Collective.

    Raises:
        NodeFault: it is not done, or its weights are damaged: then it is computed anew, by the next run at the latest.
    """
    try:
        return on_every_rank(lambda: load_backbone(cell.config, site.found(cell)))
    except DamagedWeightsError as error:
        on_first_rank(lambda: site.found(cell).reopen())
        reason = f"{error}; its done.json was taken back, so that it is computed anew, before what starts from it"
        raise of_all_ranks(NodeFault(reason)) from error


def _begin(folder: CellFolder, cell: Cell) -> None:
    folder.write_config(resolved(cell.config))
    folder.clear_faults(PRETRAINING)


def evaluate_cell(cell: Cell, site: Site, *, of_network: bool | None = None) -> str | None:
    """Computes the missing evaluations of a trained cell, except those of other cells that they train. Collective.

    Args:
        of_network: those that read the whole network, or those that do not; None: both.

    Returns:
        Which evaluations failed and why, on every rank; they are stored as failed. None where none did.

    Raises:
        NodeFault: this machine could not do some of them this time, on every rank; noted in the cell's folder.
        StorageError: the store cannot be read or written.
    """
    missing = on_first_rank(lambda: site.shelf.find(cell).to_compute)
    wanted = [one for one in missing if of_network is None or reads_network(one.config) == of_network]
    if not wanted:
        return None
    folder = site.folder(cell)
    on_first_rank(lambda: folder.clear_faults(EVALUATION))
    kept = _Kept(folder, site, {str(one.name): one for one in wanted})
    with (
        noted_faults(folder, EVALUATION, site),
        cpu_threads(cell.config),
        ending_together(),
        naming_remedies("an evaluation", cell.config, trains=False),
    ):
        _evaluate(cell, kept)
    failed, faults, unfit = broadcast_object((kept.failed, kept.faults, kept.unfit))
    if faults:
        raise of_all_ranks(NodeFault("; ".join(faults), unfit=unfit))
    return "; ".join(failed) or None


def _evaluate(cell: Cell, kept: _Kept) -> None:
    """Failures are in ``kept`` on rank 0."""

    def network() -> tuple[Objective, tuple[str, ...]]:
        source = kept.site.open(config.data, resize)
        return load_network(config, kept.folder, source), source.catalog.classes

    config, device, resize = cell.config, choose_device(), cell.config.clip.resize
    named = {name: one.config for name, one in kept.wanted.items() if one.name is not None}
    try:
        evaluate(
            on_every_rank(lambda: load_backbone(config, kept.folder)).to(device),
            named,
            config.clip,
            lambda evaluation: kept.site.open(evaluation.data, resize),
            seed=config.training.seed,
            device=device,
            precision=resolve_precision(config.training.precision, device),
            cell=config,
            network=network,
            files=kept.site.places.roots,
            on_result=kept.save,
            on_failure=kept.fail,
        )
    except DamagedWeightsError as error:
        on_first_rank(kept.folder.reopen)
        reason = f"{error}; done.json was taken back, so that the cell is computed anew"
        raise of_all_ranks(NodeFault(reason, may_pass=True)) from error
    except (StorageError, LeftError):
        raise
    except RayslError as error:
        if not broadcast_object(bool(kept.failed or kept.faults)):
            raise of_all_ranks(NodeFault(f"cell {kept.folder.name} cannot be evaluated: {error}")) from error


class _Kept:
    """Stores the results of evaluations, on rank 0."""

    def __init__(self, folder: CellFolder, site: Site, wanted: dict[str, StoredEvaluation]) -> None:
        self.folder, self.site, self.wanted = folder, site, wanted
        self.failed: list[str] = []
        self.faults: list[str] = []
        self.unfit: frozenset[int] = frozenset()

    def save(self, name: str, result: EvaluationResult, snapshot: Snapshot) -> None:
        self.folder.save_evaluation(name, record(result, self.wanted[name].config, snapshot), result.predictions)
        self.folder.clear_faults(name)

    def fail(self, name: str, error: RayslError) -> None:
        """A fault of this machine is noted; any other error of an evaluation is its result."""
        config, reason = self.wanted[name].config, self.site.without_paths(str(error))
        if isinstance(error, NodeFault):
            self.folder.note_fault(name, rank(), {"reason": reason, "traceback": _traceback(error)})
            self.unfit |= error.unfit
            self.faults.append(f"evaluation {config.label}: {reason}")
        else:
            self.folder.fail_evaluation(name, reason, {"label": config.label, "evaluation": resolved(config)})
            self.folder.clear_faults(name)
            self.failed.append(f"evaluation {config.label}: {reason}")


def compute_cell(cell: Cell, site: Site, on_stage: OnStage) -> str | None:
    """Pretrains and evaluates the cell in this process; a fault that may pass is tried once more.

    Returns:
        Why it or an evaluation failed, as its result; None where all is there.

    Raises:
        ClaimedError: another run computes it.
        NodeFault, StorageError: as `pretrain_cell` and `evaluate_cell`.
    """

    def compute() -> str | None:
        on_stage(cell.stage, None)
        failed = pretrain_cell(
            cell,
            site,
            lambda progress: on_stage(cell.stage, progress),
            on_reading=lambda text: on_stage(text, None),
        )
        if failed is not None:
            return failed
        on_stage("evaluating", None)
        return evaluate_cell(cell, site)

    with claimed(site.store, site.folder(cell).name, site.run):
        try:
            return compute()
        except NodeFault as fault:
            if not fault.may_pass:
                raise
        gc.collect()
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()
        return compute()


def workers_of(found: StoredCell) -> int:
    """DDP workers that the missing parts of a cell need: one process if nothing is trained."""
    return found.cell.config.training.workers if found.to_train else 1


@contextmanager
def noted_faults(folder: CellFolder, part: str, site: Site) -> Iterator[None]:
    """Stores this rank's fault with the cell, traceback included, and raises it again.

    A failure that the configuration determines (`CellFailure`) is no fault. An exception that is not ours becomes a
    `NodeFault` with its name.
    """
    this = rank()  # not available any more once the process group is closed
    try:
        yield
    except (CellFailure, LeftError, StoreLostError):
        raise
    except Exception as error:
        known = isinstance(error, RayslError)
        said = str(error) if known else f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[-1]}"
        reason = site.without_paths(said)
        fault = {"reason": reason, "traceback": _traceback(error), "follows": _is_of_a_lost_rank(error)}
        try:
            folder.note_fault(part, this, fault)
        except StorageError as problem:
            reason += f" (it could not be noted: {problem})"
        if isinstance(error, StorageError):
            raise
        fault_raised = NodeFault(reason, may_pass(error), getattr(error, "unfit", ()))
        raise (of_all_ranks(fault_raised) if is_of_all_ranks(error) else fault_raised) from error


def _is_of_a_lost_rank(error: Exception) -> bool:
    """Whether a collective failed because another rank is gone; that rank's error has the reason."""
    return isinstance(error, RuntimeError) and "onnection" in str(error)


def _traceback(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
