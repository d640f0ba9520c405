"""The rows that a cell contributes to the store's table."""

from __future__ import annotations

from typing import Any

from raysl.errors import StorageError
from raysl.results.folder import CellFolder
from raysl.results.titles import Titles


def flatten(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted keys; lists stay values, an empty mapping is None."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat.update(flatten(value, f"{path}."))
        else:
            flat[path] = None if isinstance(value, dict) else value
    return flat


def cell_rows(cell: CellFolder, titles: Titles) -> list[dict[str, Any]]:
    """One row per evaluation of the cell; one row without evaluation columns if it has none."""
    state = cell.state()
    called = tuple(title.text for title in titles.get(cell.name.partition("-")[0], ()))
    head: dict[str, Any] = {"cell": cell.name, "titles": called, "status": state.status, "reason": state.reason}
    head |= _configuration(cell)
    if state.status == "done":
        head |= flatten(state.progress, "summary.")
    rows = [head | _evaluation(name, record) for name, record in cell.evaluations().items()]
    return rows or [head]


def _configuration(cell: CellFolder) -> dict[str, Any]:
    try:
        return flatten(cell.config() or {})
    except StorageError:  # the cell's state has it: broken, with the reason
        return {}


def _evaluation(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """The record, its lists of unreadable videos as their lengths."""
    metrics = record.get("metrics")
    rest = {key: value for key, value in record.items() if key not in ("metrics", "predictions")}
    details = rest.get("details")
    if isinstance(details, dict) and isinstance(details.get("unreadable"), dict):
        counts = {split: len(videos) for split, videos in details["unreadable"].items()}
        rest["details"] = {**details, "unreadable": counts}
    row: dict[str, Any] = {"evaluation": name} | flatten(rest, "evaluation.")
    if isinstance(metrics, dict):
        row |= {f"metric.{metric}": value for metric, value in metrics.items()}
    return row
