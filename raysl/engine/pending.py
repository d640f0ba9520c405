"""What of a plan the store holds, and the jobs that fill the holes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from raysl.config.component import Chosen
from raysl.config.identity import resolved
from raysl.data.places import Places
from raysl.engine.cell_job import CellJob, EvaluationJob
from raysl.engine.prepare import Prepared
from raysl.evaluation.run import trains
from raysl.planning.manifests import NO_DATA, data_hash, manifest_key
from raysl.planning.plan import Work
from raysl.results import CellFolder, CellState, Store

Verdict = Literal["done", "failed", "missing"]


@dataclass(frozen=True)
class Look:
    """One cell as the store has it.

    Attributes:
        verdict: done where the backbone and all evaluations are there; failed where any part failed, and nothing else
            can be done about the rest.
        reason: of a failure, or of why it cannot be computed; empty where neither is known.
        folder, state: None where the data set was never read, so that not even the folder's name is known.
        open: names of evaluations that are not there. failed: those that failed, and why.
    """

    item: Work
    verdict: Verdict
    reason: str = ""
    folder: CellFolder | None = None
    state: CellState | None = None
    open: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    blocked: str = ""


def look(item: Work, store: Store, prepared: Prepared) -> Look:
    """Reads how far a cell is.

    Raises:
        StorageError: the store cannot be read.
    """
    blocked = _blocked(item, prepared)
    if item.cell.pretraining != "none" and manifest_key(item.cell.data) not in prepared.manifests:
        return Look(item, "missing", blocked, blocked=blocked)
    folder = store.folder(item.id, data_hash(item, prepared.manifests))
    state = folder.state()
    if state.status == "failed":
        return Look(item, "failed", state.reason, folder, state, blocked=blocked)
    if state.status != "done":
        return Look(item, "missing", blocked, folder, state, blocked=blocked)
    records = {name: folder.evaluation(name) for name in _names(item, prepared).values()}
    failed = {
        name: str(record["reason"]) for name, record in records.items() if record and record["status"] == "failed"
    }
    missing = tuple(name for name, record in records.items() if record is None)
    unknown = len(item.evaluations) - len(records)
    if missing or unknown:
        return Look(item, "missing", blocked, folder, state, missing, failed, blocked)
    reason = "; ".join(f"evaluation {name}: {why}" for name, why in failed.items())
    return Look(item, "failed" if failed else "done", reason, folder, state, (), failed)


def reopen(found: Look) -> None:
    """Takes failures back, so that what failed is computed again."""
    if found.folder is None or found.state is None:
        return
    if found.state.status == "failed":
        found.folder.clear_failure()
    for name in found.failed:
        found.folder.clear_evaluation(name)


def job(found: Look, store: Store, places: Places, prepared: Prepared) -> CellJob:
    """The computing of what a cell lacks; a broken folder's markers are taken back first."""
    item = found.item
    if found.folder is not None and found.state is not None and found.state.status == "broken":
        found.folder.reopen()
    done = found.state is not None and found.state.status == "done"
    names = {id: name for id, name in _names(item, prepared).items() if not done or name in found.open}
    wanted = [(names[id], planned.config) for id, planned in item.evaluations.items() if id in names]
    used = _used(item)
    return CellJob(
        id=item.id,
        title=item.title,
        cell=resolved(item.cell),
        data_hash=NO_DATA if item.cell.pretraining == "none" else data_hash(item, prepared.manifests),
        store=store,
        places=places,
        evaluations=tuple(
            EvaluationJob(name, resolved(config), trains(config))
            for name, config in wanted
            if manifest_key(config.data) not in prepared.unavailable
        ),
        manifests={key: prepared.manifests[key].hash for key in used if key in prepared.manifests},
        pretrained=done,
    )


def can_advance(found: Look, prepared: Prepared) -> bool:
    """Whether anything that is missing can be computed with the data sets that can be read."""
    item = found.item
    done = found.state is not None and found.state.status == "done"
    if not done:
        return item.cell.pretraining == "none" or manifest_key(item.cell.data) not in prepared.unavailable
    readable = {
        id for id, planned in item.evaluations.items() if manifest_key(planned.config.data) not in prepared.unavailable
    }
    names = _names(item, prepared)
    return any(names[id] in found.open for id in readable)


def uses_workers(item: Work) -> bool:
    """Whether anything of the cell is trained, on ``training.workers``."""
    return item.cell.pretraining != "none" or any(trains(planned.config) for planned in item.evaluations.values())


def _names(item: Work, prepared: Prepared) -> dict[str, str]:
    """Id to name in the store, of the evaluations whose data set is known."""
    keys = {id: manifest_key(planned.config.data) for id, planned in item.evaluations.items()}
    return {id: f"{id}-{prepared.manifests[key].hash}" for id, key in keys.items() if key in prepared.manifests}


def _used(item: Work) -> dict[str, Chosen]:
    sets: Iterable[Chosen] = [planned.config.data for planned in item.evaluations.values()]
    if item.cell.pretraining != "none":
        sets = [item.cell.data, *sets]
    return {manifest_key(data): data for data in sets}


def _blocked(item: Work, prepared: Prepared) -> str:
    """Why data that the cell reads is not there; empty where all of it is."""
    return "; ".join(prepared.unavailable[key] for key in _used(item) if key in prepared.unavailable)
