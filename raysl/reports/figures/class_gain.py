"""What each row gains over the baseline class by class (SSTL's Figure 5), from the stored predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from raysl.reports.figure import BLACK, COLOURS, Figure, FigureInput, shortened, tidy
from raysl.reports.figures.class_accuracy import answers_by_class, class_name, classified
from raysl.reports.figures.intervals import bars, row_names, seed_ticks
from raysl.reports.figures.neighbours import baseline_and_best_first
from raysl.reports.input import Column, EvaluationRecord, RowInput
from raysl.reports.pairs import computed_on_other_videos, seed_pairs
from raysl.reports.statistics import DIFFERENCE, paired

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("panel", "unit", "row", "baseline", "label", "name", "videos", "kind", "seed", "value", "low", "high")
MOST_CLASSES = 30
"""The most classes of a panel: those with the largest gains and losses."""


def table(source: FigureInput) -> pd.DataFrame:
    """Lines of kind mean and seed, by class; largest gain first. The best row comes first, the baseline has none.

    Seeds are those that the row and the baseline have in common; rows with the baseline's own results are absent.
    """
    found = source.table
    baseline = found.source.by_name.get(found.source.baseline or "")
    if baseline is None:
        return tidy((), COLUMNS)
    rows = [row for row in baseline_and_best_first(found) if row is not baseline]
    parts = (_gains(row, baseline, column) for row in rows for column in classified(found))
    return tidy((line for lines in parts for line in lines), COLUMNS)


def _gains(row: RowInput, baseline: RowInput, column: Column) -> Iterator[dict[str, Any]]:
    pairs = [pair for pair in seed_pairs(row, baseline, column) if all(record.answers for record in pair.records)]
    if not pairs or computed_on_other_videos(pairs) or all(pair.same for pair in pairs):
        return
    classes = answers_by_class(pairs[0].records[0])
    ours, theirs = ([_shares(pair.records[side]) for pair in pairs] for side in (0, 1))
    samples = {
        label: paired([one[label] for one in ours], [one[label] for one in theirs], DIFFERENCE) for label in classes
    }
    head = {"panel": f"{row.name}, {column.heading}", "unit": "points", "row": row.name, "baseline": baseline.name}
    for label in sorted(classes, key=lambda label: (-(samples[label].mean or 0.0), label)):
        own = {**head, "label": label, "name": class_name(pairs[0].records, label), "videos": len(classes[label])}
        sample = samples[label]
        yield {**own, "kind": "mean", "value": sample.mean, "low": sample.low, "high": sample.high}
        for pair, value in zip(pairs, sample.values, strict=True):
            yield {**own, "kind": "seed", "seed": pair.cells[0].seed, "value": value}


def _shares(record: EvaluationRecord) -> dict[int, float]:
    """From class to the share of its test videos that was right, in percent."""
    return {label: 100 * float(sum(right) / len(right)) for label, right in answers_by_class(record).items()}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    data = data.assign(row=data["label"].astype(str))
    labels = _largest(list(dict.fromkeys(data["row"])))
    height = {label: -float(position) for position, label in enumerate(labels)}
    drawn = data[data["row"].isin(labels)]
    means = drawn[drawn["kind"] == "mean"]
    at = means["row"].map(height)
    colours = [COLOURS[0] if value >= 0 else COLOURS[1] for value in means["value"]]
    axes.barh(at, means["value"], height=0.5, color=colours, alpha=0.6)
    bars(axes, means, at, BLACK)
    seed_ticks(axes, drawn, height, 0.0)
    axes.axvline(0, color=BLACK, linewidth=0.8)
    left_out = data["label"].nunique() - len(labels)
    baseline = shortened(data["baseline"].iloc[0], 28, 1)
    heading = f"accuracy over {baseline} (points)" + (f"; {left_out} classes between are left out" if left_out else "")
    row_names(axes, means["name"].tolist(), heading, 24)


def _largest(labels: list[str]) -> list[str]:
    """From both ends, if there are too many."""
    half = MOST_CLASSES // 2
    return labels if len(labels) <= MOST_CLASSES else [*labels[:half], *labels[-half:]]


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 4.2, 0.9 + 0.22 * min(MOST_CLASSES, data["label"].nunique())


FIGURE = Figure(
    title="What each class gains over the baseline",
    caption=(
        "Bars: means of the differences of a class's accuracy, paired by seed, sorted; lines: their 95 % t-intervals, "
        "not corrected for the number of classes; small ticks: seeds. The row with the best mean comes first."
    ),
    table=table,
    draw=draw,
    size=size,
    most_panels=6,
    order=82,
)
