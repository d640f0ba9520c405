"""Results of several versions of one data set: a table of them would compare what cannot be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from raysl.data.snapshot import data_key
from raysl.errors import ConfigError, StorageError
from raysl.results import StoredCell, StoredEvaluation


def refuse_several_versions(title: str, found: Iterable[StoredCell]) -> None:
    """Refuses cells whose results are of several versions of one data set.

    Where this machine knows the data, a shelf finds results of that version alone. Where it does not, it takes for each
    cell the only ones that there are, which may differ from cell to cell in test videos, labels or contents.

    Raises:
        ConfigError: naming the data set, its versions, and a cell of each.
    """
    versions: dict[tuple[str, str], dict[str, tuple[StoredCell, StoredEvaluation | None]]] = {}
    for one in found:
        for what, key, version, evaluation in _results(one):
            versions.setdefault((what, key), {}).setdefault(version, (one, evaluation))
    for (what, _), known in versions.items():
        if len(known) > 1:
            listed = "; ".join(_described(version, *one) for version, one in known.items())
            raise ConfigError(
                f"{title.strip()}: no table, since {what} is of {len(known)} versions of its data, which cannot be "
                f"compared: {listed}. Say which is meant by the folder of its data set (--root NAME=PATH), or run the "
                "study again"
            )


def _results(found: StoredCell) -> Iterator[tuple[str, str, str, StoredEvaluation | None]]:
    """What was computed of which data set, the version of it that was read, and the evaluation if it is one."""
    if found.folder is None or found.state.status != "done":
        return
    cell = found.cell
    if cell.pretrains:
        key = " ".join(f"{data_key(one.data)} {one.pretraining}" for one in cell.config.chain)
        yield cell.stage, key, found.folder.name.rpartition("-")[2], None
    for one in found.evaluations:
        if one.name is not None and one.record is not None:
            yield one.label, data_key(one.config.data), one.name.rpartition("-")[2], one


def _described(version: str, found: StoredCell, evaluation: StoredEvaluation | None) -> str:
    """``969e9529 (ucf101: train 453, test 193 videos) of study/row/seed0``"""
    record: Mapping[str, Any] = {}
    if evaluation is not None:
        record = evaluation.record or {}
    elif found.folder is not None:
        with suppress(StorageError):  # of an unreadable record the version's hash must do
            record = found.folder.provenance() or {}
    data = record.get("data") or {}
    counts = ", ".join(f"{split} {count}" for split, count in (data.get("videos") or {}).items())
    said = f" ({data.get('name')}: {counts} videos)" if counts else ""
    return f"{version}{said} of {found.cell.title}"
