"""The accuracy of each class: rows by classes, from the stored predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.figure import MOST_ROWS, Figure, FigureInput, lines_of, rows_drawn, shortened, tidy
from raysl.reports.figures.heat_map import shaded
from raysl.reports.input import Column, EvaluationRecord
from raysl.reports.pairs import result
from raysl.reports.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "label", "name", "videos", "seeds", "value", "low", "high")
MOST_CLASSES, MOST_TEXTS = 40, 150
SIDEWAYS = 12
"""Number of classes from which on their names are turned."""


def table(source: FigureInput) -> pd.DataFrame:
    """A line per row and class: the mean over seeds, and the lowest and highest seed's."""
    lines = [line for column in classified(source.table) for line in _column(source.table, column)]
    return tidy(lines, COLUMNS)


def classified(found: Table) -> list[Column]:
    """The headline columns, each evaluation once."""
    columns = [found.source.columns[position] for position in found.shown]
    return list({column.evaluation: column for column in reversed(columns)}.values())[::-1]


def records_of(found: Table, row: str, column: Column) -> list[EvaluationRecord]:
    """The seeds of a row with predictions of classes."""
    cells = found.source.by_name[row].cells
    return [record for cell in cells if (record := result(cell, column)) is not None and record.answers]


def class_name(records: Sequence[EvaluationRecord], label: int) -> str:
    names = records[0].classes
    return names[label] if 0 <= label < len(names) else f"class {label}"


def _column(found: Table, column: Column) -> Iterator[dict[str, Any]]:
    for row in found.rows:
        records = records_of(found, row.name, column)
        by_class: dict[int, list[tuple[float, int]]] = {}
        for record in records:
            for label, right in answers_by_class(record).items():
                by_class.setdefault(label, []).append((100 * float(sum(right) / len(right)), len(right)))
        for label in sorted(by_class):
            shares = [share for share, _ in by_class[label]]
            yield {
                **{"panel": column.heading, "unit": "%", "row": row.name, "label": label},
                **{"name": class_name(records, label), "videos": max(count for _, count in by_class[label])},
                **{"seeds": len(shares), "value": sum(shares) / len(shares), "low": min(shares), "high": max(shares)},
            }


def answers_by_class(record: EvaluationRecord) -> dict[int, list[bool | Fraction]]:
    """From class to whether each of its test videos was right, or the share of its right answers."""
    found: dict[int, list[bool | Fraction]] = {}
    for video, (label, _) in record.answers.items():
        found.setdefault(label, []).append(record.correct[video])
    return found


def draw(data: pd.DataFrame, axes: Axes) -> None:
    rows, labels = rows_drawn(data), classes_drawn(data)
    drawn = data[data["row"].isin(rows) & data["label"].isin(labels)]
    values = np.full((len(rows), len(labels)), np.nan)
    for line in lines_of(drawn):
        values[rows.index(line.row), labels.index(line.label)] = line.value
    texts = {(int(y), int(x)): f"{values[y, x]:.0f}" for y, x in np.argwhere(np.isfinite(values))}
    shaded(axes, values, texts if len(texts) <= MOST_TEXTS else {}, "%", (0, 100))
    names = dict(zip(drawn["label"], drawn["name"], strict=True))
    turned = 90 if len(labels) >= SIDEWAYS else 25
    class_names(axes, [names[label] for label in labels], turned)
    axes.set_yticks(range(len(rows)), [shortened(row) for row in rows])
    if len(labels) < data["label"].nunique():
        axes.set_xlabel(f"{len(labels)} of {data['label'].nunique()} classes: those in which rows differ most")


def class_names(axes: Axes, names: Sequence[str], turned: int) -> None:
    """Below the fields."""
    shown = [shortened(name, 18, 1) for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=turned, ha="right" if turned < 90 else "center")


def classes_drawn(data: pd.DataFrame) -> list[int]:
    """All, or the `MOST_CLASSES` in which rows differ most, in their order."""
    by_class = data.groupby("label")["value"]
    spread = (by_class.max() - by_class.min()).sort_values(ascending=False, kind="stable")
    return sorted(int(label) for label in spread.index[:MOST_CLASSES])


def size(data: pd.DataFrame) -> tuple[float, float]:
    classes = min(MOST_CLASSES, data["label"].nunique())
    return 2.9 + max(1.5, 0.3 * classes), 1.3 + 0.24 * min(MOST_ROWS, data["row"].nunique())


FIGURE = Figure(
    title="Accuracy of each class",
    caption="Share of the class's test videos that were answered rightly, in percent; means over seeds.",
    table=table,
    draw=draw,
    size=size,
    order=80,
)
