"""`raysl compare`: two cells of a store side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from raysl.commands.cell_results import known_titles
from raysl.commands.inputs import Planned
from raysl.commands.terminal import PlainConsole
from raysl.results import CellFolder, Store, Titles
from raysl.results.find_cell import find_cell, title_of
from raysl.results.frame import flatten

ABSENT = "–"
SUMMARY = ("minutes", "clips_per_second", "final_loss", "steps", "unreadable", "missing", "too_short", "left_out")


@dataclass(frozen=True)
class Side:
    """One of the two cells.

    Attributes:
        name: of its folder.
        title: ``study/row/seed0`` if a study that was given, or that was run on the store, has it.
        state: done, or another status with its reason.
        config: from dotted key to value; for an evaluation ``LABEL.protocol.clips``.
        results: from label to ``(version of its data, metrics in percent)``; a failure's reason instead of metrics.
        made: provenance of the result.
    """

    name: str
    title: str
    state: str
    config: Mapping[str, Any]
    results: Mapping[str, tuple[str, Mapping[str, float] | str]]
    made: Mapping[str, Any]


def compare_cells(
    store: Store, pair: tuple[str, str], planned: Iterable[Planned], console: PlainConsole, *, everything: bool = False
) -> None:
    """Prints configuration, results and provenance of two cells; equal values only on request.

    Args:
        pair: folder names, beginnings of them (an id), or titles: of the planned studies, or without any those that
            the store has kept.

    Raises:
        ConfigError: a cell that the store does not have, or that several fit; the candidates are named.
        StorageError: a file of a cell cannot be read.
    """
    titles = known_titles(store, planned)
    sides = [_read(find_cell(store, text, titles), titles) for text in pair]
    one, two = sides
    for letter, side in zip("AB", sides, strict=True):
        said = f" ({side.title})" if side.title else ""
        console.print(f"{letter}: {side.name}{said}: {side.state}")
    if one.name == two.name:
        console.print("A and B are the same cell.")
    _print_values("configuration", one.config, two.config, console, everything)
    _print_results(one, two, console, everything)
    _print_values("made with", one.made, two.made, console, everything)


def _read(folder: CellFolder, titles: Titles) -> Side:
    state, provenance = folder.state(), folder.provenance() or {}
    records, faults = folder.read_evaluations()
    labels = [str(record.get("label", name)) for name, record in records.items()]
    config, results = flatten(folder.config() or {}), {}
    for (name, record), label in zip(records.items(), labels, strict=True):
        own = label if labels.count(label) == 1 else f"{label} [{name.rpartition('-')[0]}]"
        options = {key: value for key, value in (record.get("evaluation") or {}).items() if key != "label"}
        config |= flatten(options, f"{own}.")
        metrics = record.get("metrics") if record["status"] == "done" else f"failed: {record['reason']}"
        results[own] = (name.rpartition("-")[2], metrics if isinstance(metrics, dict | str) else {})
    results |= {name: ("", fault.reason) for name, fault in faults.items()}
    said = state.status + (f": {state.reason}" if state.reason else "")
    summary = state.progress if state.status == "done" else {}
    return Side(folder.name, title_of(folder.name, titles), said, config, results, _made(provenance, summary))


def _made(provenance: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    """Values of provenance and summary to compare: not times, nor names of files."""
    last = (provenance.get("attempts") or [{}])[-1]
    hardware = (last.get("hardware") or [{}])[0]
    chosen = {
        "data": provenance.get("data") or {},
        **{key: summary[key] for key in SUMMARY if key in summary},
        "attempts": len(provenance.get("attempts") or []) or None,
        **{key: last[key] for key in ("workers", "threads", "loader_workers") if key in last},
        "precision": provenance.get("precision"),
        "hardware": {key: hardware.get(key) for key in ("cpu", "gpu", "cpus", "system") if key in hardware},
        "commit": (provenance.get("git") or {}).get("commit"),
        "commit changed": (provenance.get("git") or {}).get("dirty"),
        "changes of the code": (provenance.get("git") or {}).get("changes"),
        "packages": provenance.get("packages") or {},
    }
    return {key: value for key, value in flatten(chosen).items() if value is not None}


def _print_values(
    title: str, one: Mapping[str, Any], two: Mapping[str, Any], console: PlainConsole, everything: bool
) -> None:
    keys = list(dict.fromkeys((*one, *two)))
    shown = [key for key in keys if everything or _text(one, key) != _text(two, key)]
    if not shown:
        console.print(f"{title}: no difference in {len(keys)} values")
        return
    table = _table(title, "key", "A", "B")
    for key in shown:
        table.add_row(key, _text(one, key), _text(two, key))
    console.print(table)


def _print_results(one: Side, two: Side, console: PlainConsole, everything: bool) -> None:
    table, hidden = _table("results, percent", "evaluation", "metric", "A", "B", "B - A"), 0
    for label in dict.fromkeys((*one.results, *two.results)):
        (version, ours), (other, theirs) = (side.results.get(label, ("", "not evaluated")) for side in (one, two))
        if isinstance(ours, str) or isinstance(theirs, str):
            texts = [value if isinstance(value, str) else "done" for value in (ours, theirs)]
            table.add_row(label, "", *texts, "")
            continue
        if version != other:
            table.add_row(label, "", f"on data {version}", f"on data {other}", "other videos or labels: not to compare")
        for metric in dict.fromkeys((*ours, *theirs)):
            values = (ours.get(metric), theirs.get(metric))
            if values[0] == values[1] and not everything:
                hidden += 1
            else:
                table.add_row(label, metric, *map(_percent, values), _change(*values) if version == other else ABSENT)
    if table.row_count:
        console.print(table)
    if hidden:
        console.print(f"results: {hidden} of equal value not shown")
    elif not table.row_count:
        console.print("results: neither has any")


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _text(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return ABSENT
    value = values[key]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _percent(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.2f}"


def _change(one: float | None, two: float | None) -> str:
    return ABSENT if one is None or two is None else f"{two - one:+.2f}"
