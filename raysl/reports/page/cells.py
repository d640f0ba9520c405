"""A cell on the page, read from the store."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raysl.config.cells import Cell
from raysl.errors import StorageError
from raysl.reports.curves import CellCurves, CurveReader
from raysl.results import StoredCell, StoredEvaluation
from raysl.results.folder import CellFolder
from raysl.results.frame import flatten


@dataclass(frozen=True)
class EvaluationDetail:
    """One evaluation of a cell.

    Attributes:
        metrics: from name to percent; empty if there is no result.
        value: of the headline metric.
        classes: from name to accuracy in percent, if the protocol has it.
        reason: why there is no result.
    """

    label: str
    metrics: Mapping[str, float]
    classes: Mapping[str, float]
    reason: str = ""
    value: float | None = None


@dataclass(frozen=True)
class CellDetail:
    """One cell of a study.

    Attributes:
        name: of its folder; empty if there is none.
        verdict: done, failed or missing.
        status: of its weights: done, running, ...
        config: resolved, from dotted key to value; the plan's if nothing is stored.
        curves: thinned; None if there are none.
        environment: commit, packages and hardware, by name.
        warnings: for the reader, a sentence each.
        commands: that compute it again.
        own_commands: the last of these, of its weights alone.
    """

    row: str
    seed: str
    title: str
    name: str
    verdict: str
    status: str
    reason: str
    config: Mapping[str, Any]
    evaluations: tuple[EvaluationDetail, ...]
    minutes: float | None = None
    clips_per_second: float | None = None
    curves: CellCurves | None = None
    environment: Mapping[str, str] | None = None
    commit: str = ""
    warnings: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def own_commands(self) -> tuple[str, ...]:
        return tuple(line for line in self.commands if "-m raysl.training" in line)


def read_cell(
    found: StoredCell,
    row: str,
    planned: Callable[[], Mapping[str, Any]],
    command: str,
    storage: str,
    reader: CurveReader,
) -> CellDetail:
    """Everything about a cell; parts that cannot be read become warnings.

    Args:
        planned: has its resolved configuration, for a cell that the store does not have.
        command: that computes its study.
        storage: the store's address, in commands.
        reader: of the store's curves.
    """
    cell, folder, warnings = found.cell, found.folder, list[str]()
    config, provenance, curves = dict[str, Any](), dict[str, Any](), None
    if folder is not None and found.state.status != "missing":
        config = _read(folder, folder.config, warnings) or {}
        provenance = _read(folder, folder.provenance, warnings) or {}
        curves = reader.of(folder.name)
    summary = found.state.progress if found.state.status == "done" else {}
    git = provenance.get("git") or {}
    return CellDetail(
        row,
        f"{cell.seed}" + ("" if cell.fold is None else f", fold {cell.fold}"),
        cell.title,
        "" if folder is None else folder.name,
        found.own,
        found.state.status,
        found.reason,
        flatten(config or dict(planned())),
        tuple(_evaluation(one) for one in found.evaluations),
        summary.get("minutes"),
        summary.get("clips_per_second") or None,
        curves,
        _environment(provenance) if provenance else None,
        str(git.get("commit") or ""),
        (*warnings, *_warnings(summary, git, found)),
        _commands(cell, folder, provenance, command, storage),
    )


def _read(
    folder: CellFolder, reader: Callable[[], dict[str, Any] | None], warnings: list[str]
) -> dict[str, Any] | None:
    try:
        return reader()
    except StorageError as error:
        warnings.append(folder.without_place(str(error)))
        return None


def _evaluation(one: StoredEvaluation) -> EvaluationDetail:
    record = one.record or {}
    metrics, details = record.get("metrics"), record.get("details")
    classes = details.get("class_accuracy") if isinstance(details, dict) else None
    if one.status != "done" or not isinstance(metrics, dict):
        return EvaluationDetail(one.label, {}, {}, one.reason or "not evaluated yet")
    own = {str(key): float(value) for key, value in metrics.items()}
    value = own.get(str(record.get("headline")), next(iter(own.values()), None))
    return EvaluationDetail(one.label, own, classes if isinstance(classes, dict) else {}, "", value)


def _environment(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Commit, packages and the hardware of the last attempt; not when that was."""
    last = (provenance.get("attempts") or [{}])[-1]
    git, data = provenance.get("git") or {}, provenance.get("data") or {}
    hardware = [", ".join(f"{key} {value}" for key, value in one.items()) for one in last.get("hardware") or []]
    named = {
        "commit": f"{git.get('commit', 'unknown')}{' with changes' if git.get('dirty') else ''}",
        "data": f"{data.get('name', '')} {data.get('snapshot', '')}".strip(),
        "precision": provenance.get("precision") or "",
        "packages": ", ".join(f"{name} {version}" for name, version in (provenance.get("packages") or {}).items()),
        **{key: str(last[key]) for key in ("workers", "threads", "loader_workers", "colors_on") if key in last},
        "hardware": "; ".join(dict.fromkeys(hardware)),
    }
    return {key: str(value) for key, value in named.items() if value}


MUCH_WAITING, LONG_MINUTES = 0.2, 0.5
"""The share of the time of a training of this length from which on its waiting for clips is a warning."""


def _warnings(summary: Mapping[str, Any], git: Mapping[str, Any], found: StoredCell) -> list[str]:
    counted = {
        "unreadable": "unreadable training video(s) left out or replaced",
        "missing": "video(s) of the training set's lists have no file",
        "too_short": "training video(s) shorter than a clip or window, continued past the end",
        "left_out": "readable training video(s) not trained on: too short, or no label",
    }
    said = [f"{summary[key]} {what}" for key, what in counted.items() if summary.get(key)]
    waited, minutes = summary.get("data_wait_share") or 0.0, summary.get("minutes") or 0.0
    if waited > MUCH_WAITING and minutes > LONG_MINUTES:
        said.append(f"{waited:.0%} of the training time was spent waiting for clips")
    said += [f"the representation had {summary['collapsed']}"] if summary.get("collapsed") else []
    said += ["the code differed from its commit"] if git.get("dirty") else []
    return said + ([found.elsewhere] if found.elsewhere else [])


def _commands(
    cell: Cell, folder: CellFolder | None, provenance: Mapping[str, Any], command: str, storage: str
) -> tuple[str, ...]:
    """Commands for the study in another store, at the commit; then for its weights only, with as many workers."""
    commit = str((provenance.get("git") or {}).get("commit") or "")
    lines = [f"git checkout {commit}"] if len(commit) == 40 else []
    lines.append(f"{command} --storage again  # every cell of the study")
    if folder is not None and cell.pretrains and provenance:
        last = (provenance.get("attempts") or [{}])[-1]
        config = shlex.quote(f"{storage.rstrip('/')}/cells/{folder.name}/cell.yaml")
        run = "python" if last.get("workers", 1) == 1 else f"torchrun --nproc-per-node {last['workers']}"
        lines.append(f"{run} -m raysl.training {config} --storage again  # these weights alone")
    return tuple(lines)
