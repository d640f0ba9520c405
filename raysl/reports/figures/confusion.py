"""Confusion matrices for each row and evaluation, from the stored predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.figure import Figure, FigureInput, lines_of, shortened, tidy
from raysl.reports.figures.class_accuracy import class_name, class_names, classified, records_of
from raysl.reports.figures.heat_map import shaded
from raysl.reports.input import Column
from raysl.reports.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "true", "true_name", "predicted", "predicted_name", "answers", "value")
MOST_CLASSES = 20


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each pair of classes that occurs: answers over all seeds, and their share of the class."""
    found = source.table
    lines = [line for column in classified(found) for row in _in_order(found) for line in _matrix(found, row, column)]
    return tidy(lines, COLUMNS)


def _in_order(found: Table) -> list[str]:
    """The baseline first: panels beyond the limit are only in the CSV."""
    names = [row.name for row in found.rows]
    return sorted(names, key=lambda name: name != found.source.baseline)


def _matrix(found: Table, row: str, column: Column) -> Iterator[dict[str, Any]]:
    records = records_of(found, row, column)
    answers = [answer for record in records for answer in record.answers.values() if answer[1] is not None]
    counts = Counter(answers)
    totals = Counter(label for label, _ in answers)
    for (true, predicted), count in sorted(counts.items()):
        assert predicted is not None
        yield {
            **{"panel": f"{row}, {column.heading}", "unit": "%", "row": row},
            **{"true": true, "true_name": class_name(records, true)},
            **{"predicted": predicted, "predicted_name": class_name(records, predicted)},
            **{"answers": count, "value": 100 * count / totals[true]},
        }


def draw(data: pd.DataFrame, axes: Axes) -> None:
    labels = _classes(data)
    names = dict(zip(data["true"], data["true_name"], strict=True))
    names |= dict(zip(data["predicted"], data["predicted_name"], strict=True))
    values = np.zeros((len(labels), len(labels)))
    for line in lines_of(data[data["true"].isin(labels) & data["predicted"].isin(labels)]):
        values[labels.index(line.true), labels.index(line.predicted)] = line.value
    texts = {(int(y), int(x)): f"{values[y, x]:.0f}" for y, x in np.argwhere(values >= 0.5)}
    shaded(axes, values, texts, "%", (0, 100))
    class_names(axes, [names[label] for label in labels], 90)
    axes.set_yticks(range(len(labels)), [shortened(names[label], 24, 1) for label in labels])
    every = len(set(data["true"]) | set(data["predicted"]))
    axes.set_xlabel("predicted" if len(labels) == every else f"predicted ({len(labels)} of {every} classes)")
    axes.set_ylabel("true")


def _classes(data: pd.DataFrame) -> list[int]:
    """All, or those most often confused, in their order."""
    wrong = data[data["true"] != data["predicted"]]
    counts: Counter[int] = Counter()
    for line in lines_of(wrong):
        counts[line.true] += line.answers
        counts[line.predicted] += line.answers
    every = set(data["true"]) | set(data["predicted"])
    return sorted(sorted(every, key=lambda label: (-counts[label], label))[:MOST_CLASSES])


def size(data: pd.DataFrame) -> tuple[float, float]:
    classes = min(MOST_CLASSES, data["true"].nunique())
    return 2.3 + 0.26 * classes, 1.9 + 0.22 * classes


FIGURE = Figure(
    title="Confusion matrices",
    caption="Share of a true class's answers in percent, over all seeds. The baseline stands first.",
    table=table,
    draw=draw,
    size=size,
    beside=3,
    most_panels=6,
    order=90,
)
