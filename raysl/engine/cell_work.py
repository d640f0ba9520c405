"""The computing of one cell, in this process or on every rank of a process group; knows nothing of Ray."""

from __future__ import annotations

from collections.abc import Sequence

from raysl.config.component import Chosen
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import resolved
from raysl.config.load import evaluation_from
from raysl.data.manifest import from_bytes
from raysl.data.manifest_types import Manifest
from raysl.data.source import VideoSource, open_source
from raysl.distributed import broadcast_object, rank
from raysl.engine.cell_job import CellJob, EvaluationJob
from raysl.errors import CellFailure, ConfigError, DataError, RayslError, StorageError
from raysl.evaluation.agreement import on_every_rank, on_first_rank
from raysl.evaluation.protocol import EvaluationResult
from raysl.evaluation.run import evaluate, record
from raysl.planning.manifests import manifest_key
from raysl.training.backbone import load_backbone
from raysl.training.loop import pretrain
from raysl.training.precision import choose_device, resolve_precision
from raysl.training.probe import Probe
from raysl.training.run import ProgressCallback
from raysl.training.threads import cpu_threads


def open_data(job: CellJob, data: Chosen) -> VideoSource:
    """A data set on this node, with the manifest that the driver stored.

    Raises:
        DataError: it is not on this node, or not as the manifest has it.
        StorageError: the manifest cannot be read.
    """
    path = f"manifests/{manifest_key(data)}/{job.manifests[manifest_key(data)]}"
    content = job.store.read(path)
    if content is None:
        raise StorageError(f"{job.store.place.shown}/{path} is gone: run the study again to make it anew")
    return open_source(data, job.places, resize=job.config.clip.resize, manifest=from_bytes(content))


def pretrain_cell(job: CellJob, on_progress: ProgressCallback | None = None, probe: Probe | None = None) -> str | None:
    """Pretrains the cell unless it is done. Collective; goes on from its newest checkpoint.

    Args:
        probe: looks at the backbone while it trains.

    Returns:
        Why it failed, on every rank, where that is deterministic (it is then stored as the cell's result); else None.

    Raises:
        StorageError: the store cannot be read or written.
    """
    folder, cell = job.folder, job.config
    if on_first_rank(lambda: folder.state().status) == "done":
        return None
    on_first_rank(lambda: folder.write_config(resolved(cell)))
    try:
        with cpu_threads(cell):
            source = None if cell.pretraining == "none" else on_every_rank(lambda: open_data(job, cell.data))
        pretrain(cell, folder, source, on_progress=on_progress, files=job.places.roots, probe=probe)
    except (CellFailure, ConfigError, DataError) as error:
        details = error.details if isinstance(error, CellFailure) else {"error": type(error).__name__}
        if rank() == 0:
            folder.mark_failed(str(error), details)
        return str(error)
    return None


def evaluate_cell(
    job: CellJob, *, trained: bool | None = None, on_progress: ProgressCallback | None = None
) -> str | None:
    """Computes the evaluations that the store lacks, on a pretrained cell; a failed one is stored as failed.

    Collective.

    Args:
        trained: those that train the network, or those that do not; None: both.
        on_progress: of those that train.

    Returns:
        Which failed and why; None where all are there. On every rank.

    Raises:
        StorageError: the store cannot be read or written.
    """
    folder, cell = job.folder, job.config
    asked = [wanted for wanted in job.evaluations if trained is None or wanted.trains == trained]
    missing = on_first_rank(lambda: [wanted for wanted in asked if folder.evaluation(wanted.name) is None])
    if not missing:
        return None
    failures: list[str] = []
    unforeseen: RayslError | None = None
    with cpu_threads(cell):
        try:
            _evaluate(job, missing, failures, on_progress)
        except StorageError:
            raise
        except RayslError as error:
            unforeseen = error
    failures = broadcast_object(failures)
    if unforeseen is not None and not failures:
        raise RayslError(f"cell {folder.name} cannot be evaluated: {unforeseen}") from unforeseen
    return "; ".join(failures) or None


def _evaluate(
    job: CellJob, missing: Sequence[EvaluationJob], failures: list[str], on_progress: ProgressCallback | None
) -> None:
    """``failures`` are filled on rank 0."""
    cell, folder, device = job.config, job.folder, choose_device()
    original = {wanted.name: evaluation_from(wanted.config, f"evaluation {wanted.name}") for wanted in missing}
    # Rows may give one label different options; under their names all of them are told apart.
    named = [config.model_copy(update={"label": name}) for name, config in original.items()]

    def save(evaluation: EvaluationConfig, result: EvaluationResult, manifest: Manifest) -> None:
        kept = record(result, original[evaluation.label], manifest)
        folder.save_evaluation(evaluation.label, kept, result.predictions)

    def fail(evaluation: EvaluationConfig, error: RayslError) -> None:
        of = original[evaluation.label]
        folder.fail_evaluation(evaluation.label, str(error), {"label": of.label, "evaluation": resolved(of)})
        failures.append(f"evaluation {of.label}: {error}")

    evaluate(
        on_every_rank(lambda: load_backbone(cell, folder)).to(device),
        named,
        cell.clip,
        lambda evaluation: open_data(job, evaluation.data),
        seed=cell.training.seed,
        device=device,
        precision=resolve_precision(cell.training.precision, device),
        cell=cell,
        on_result=save,
        on_failure=fail,
        on_progress=None if on_progress is None else lambda _, progress: on_progress(progress),
    )
