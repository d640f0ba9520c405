"""Remarks about the rows of a plan before money is spent on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.config.load import advice
from raysl.planning.study import Study


def advice_lines(cells: Iterable[Cell]) -> list[str]:
    """Each piece of advice once, with its rows first: ``note: study/row; study/other row: ...``."""
    rows: dict[str, dict[str, None]] = {}
    for cell in cells:
        for text in advice(cell.config):
            rows.setdefault(text, {})[f"{cell.study}/{cell.row}"] = None
    return [f"note: {'; '.join(names)}: {text}" for text, names in rows.items()]


def empty_columns(study: Study, cells: Iterable[Cell], classes: Callable[[Chosen], int | None]) -> list[str]:
    """A line for each column that would stay empty because its data sets have too few classes.

    Args:
        cells: of the study.
        classes: how many a data set has; None if unknown.
    """
    below = {row.name for row in study.trivial}
    cells, lines = [cell for cell in cells if cell.row not in below], []
    for column in map(study.column, study.options.columns or ()):
        label, _, metric = column.partition(":")
        rows: dict[str, dict[str, None]] = {}
        for cell in cells:
            for one in cell.evaluations:
                needed = one.protocol.component.needs_classes.get(metric, 0) if one.label == label else 0
                found = classes(one.data) if needed else None
                if found is not None and found < needed:
                    has = f"data set {one.data.bound_name!r} has {found} classes, and {metric} is of {needed} or more"
                    rows.setdefault(has, {})[cell.row] = None
        every = {cell.row for cell in cells}
        for said, names in rows.items():
            whose = "all rows" if len(names) == len(every) else "; ".join(names)
            lines.append(f"note: {study.name}: column {column} will be empty in {whose}: {said}; leave it out")
    return lines
