"""The pairs of classes that the baseline confuses most, and how many of their videos each row recalls (TCLR 4.4)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from raysl.reports.figure import MOST_ROWS, Figure, FigureInput, lines_of, rows_drawn, shortened, tidy
from raysl.reports.figures.class_accuracy import answers_by_class, class_name, classified, records_of
from raysl.reports.figures.heat_map import shaded
from raysl.reports.input import Column, EvaluationRecord
from raysl.reports.statistics import PERCENT, describe
from raysl.reports.table import Table
from raysl.reports.text import sample_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = (
    *("panel", "unit", "baseline", "row", "pair", "first", "second", "videos", "confused_by_baseline", "confused"),
    *("seeds", "value", "low", "high", "text"),
)
PAIRS = 4
"""Number of pairs without a common class: eight classes, as in TCLR."""
ALL = "all of these"

Pair = tuple[int, int]


def table(source: FigureInput) -> pd.DataFrame:
    """For each row and pair the mean recall of the two classes over seeds; if there are several pairs, last for all.

    ``confused`` is the share of the pair's videos that were taken for the other class, both classes counting the same.
    """
    lines = [line for column in classified(source.table) for line in _column(source.table, column)]
    return tidy(lines, COLUMNS)


def _column(found: Table, column: Column) -> Iterator[dict[str, Any]]:
    baseline = found.source.baseline
    own = _predicted(found, baseline, column) if baseline is not None else []
    if not own:
        return
    pairs = most_confused(own)
    groups = [(pair,) for pair in pairs] + ([tuple(pairs)] if len(pairs) > 1 else [])
    for row in found.rows:
        records = _predicted(found, row.name, column)
        if not records or any(set(record.correct) != set(own[0].correct) for record in records):
            continue  # recalls of other videos are not comparable
        for number, group in enumerate(groups):
            names = [class_name(own, label) for pair in group for label in pair]
            classes = names if len(group) == 1 else ["", ""]
            yield {
                **{"panel": column.heading, "unit": "%", "baseline": baseline, "row": row.name, "pair": number},
                **{"first": classes[0] or ALL, "second": classes[1]},
                **{"confused_by_baseline": _confused(own, group), "confused": _confused(records, group)},
                **_recall(records, group),
            }


def _predicted(found: Table, row: str, column: Column) -> list[EvaluationRecord]:
    """The seeds of a row with predicted classes."""
    records = records_of(found, row, column)
    return [one for one in records if all(predicted is not None for _, predicted in one.answers.values())]


def most_confused(records: Sequence[EvaluationRecord]) -> list[Pair]:
    """The pairs of classes most often taken for each other, none of which has a class in common with one before it."""
    rates = confusion_rates(records)
    labels = sorted({label for record in records for label, _ in record.answers.values()})
    candidates = [(rates[one, two] + rates[two, one], one, two) for one, two in combinations(labels, 2)]
    chosen: list[Pair] = []
    for rate, one, two in sorted(candidates, key=lambda found: (-found[0], found[1:])):
        taken = {label for pair in chosen for label in pair}
        if rate > 0 and len(chosen) < PAIRS and not taken & {one, two}:
            chosen.append((one, two))
    return chosen


def confusion_rates(records: Sequence[EvaluationRecord]) -> dict[tuple[int, int], float]:
    """From true and predicted class to the share of the true class's answers, over all records; 0 if there is none."""
    answers = [answer for record in records for answer in record.answers.values()]
    totals = Counter(label for label, _ in answers)
    counts = Counter((label, predicted) for label, predicted in answers if predicted is not None)
    return defaultdict(float, {pair: count / totals[pair[0]] for pair, count in counts.items()})


def _confused(records: Sequence[EvaluationRecord], pairs: Sequence[Pair]) -> float:
    rates = confusion_rates(records)
    return 50 * sum(rates[one, two] + rates[two, one] for one, two in pairs) / len(pairs)


def _recall(records: Sequence[EvaluationRecord], pairs: Sequence[Pair]) -> dict[str, Any]:
    """The mean over the classes of the share of their videos that were answered rightly."""
    labels = [label for pair in pairs for label in pair]
    by_class = [answers_by_class(record) for record in records]
    values = [100 * float(np.mean([sum(one[label]) / len(one[label]) for label in labels])) for one in by_class]
    sample = describe(values, PERCENT)
    numbers = {"seeds": len(values), "value": sample.mean, "low": sample.low, "high": sample.high}
    return {"videos": sum(len(by_class[0][label]) for label in labels), **numbers, "text": sample_text(sample)}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    rows, pairs = rows_drawn(data), sorted(set(data["pair"]))
    values, texts = np.full((len(rows), len(pairs)), np.nan), {}
    for line in lines_of(data[data["row"].isin(rows)]):
        at = rows.index(line.row), pairs.index(line.pair)
        values[at], texts[at] = line.value, line.text.replace(" (", "\n(")
    shaded(axes, values, texts, "%", (0, 100))
    heads = data.drop_duplicates("pair").set_index("pair")
    axes.set_xticks(range(len(pairs)), [_named(heads.loc[pair]) for pair in pairs])
    marks = [" (baseline)" if row == data["baseline"].iloc[0] else "" for row in rows]
    axes.set_yticks(range(len(rows)), [shortened(row) + mark for row, mark in zip(rows, marks, strict=True)])


def _named(line: Any) -> str:
    names = [shortened(name, 19, 1) for name in (line["first"], line["second"]) if name]
    return "\n".join([*names, f"({line['confused_by_baseline']:.0f} %)"])


def size(data: pd.DataFrame) -> tuple[float, float]:
    rows = min(MOST_ROWS, data["row"].nunique())
    return 3.1 + 1.2 * data["pair"].nunique(), 1.4 + 0.34 * rows


FIGURE = Figure(
    title="The pairs of classes that the baseline confuses most",
    caption=(
        "Mean recall of both classes, over seeds, ± the half-width of its 95 % t-interval. Below the names: how many "
        "of their videos the baseline takes for the other class. Pairs are chosen by the baseline's own answers, which "
        "makes its recall of them rather low: a part of what other rows gain is chance."
    ),
    table=table,
    draw=draw,
    size=size,
    order=92,
)
