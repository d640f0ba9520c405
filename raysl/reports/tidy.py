"""A table as CSV in long form: one line per row and column, every number that the Markdown rounds."""

from __future__ import annotations

import csv
import io

from raysl.reports.input import Column, ReferenceLine
from raysl.reports.table import Entry, Table

FIELDS = (
    "kind",  # row, or reference
    "row",
    "evaluation",
    "metric",
    "n",
    "seeds",
    "values",
    "mean",
    "low",
    "high",
    "baseline",
    "difference_n",
    "difference",
    "difference_low",
    "difference_high",
    "p_seeds",
    "p_seeds_holm",
    "p_videos",
    "p_videos_holm",
    "holes",
)


def render_csv(table: Table) -> str:
    """Lists within a field (seeds, values) are separated by blanks, holes by `` | ``; what is not known is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in table.rows:
        for column, entry in zip(table.source.columns, row.entries, strict=True):
            writer.writerow(_head("row", row.name, column) | _entry(entry) | _difference(entry, table.source.baseline))
    for reference in table.source.references:
        for column in table.source.columns:
            writer.writerow(_head("reference", reference.name, column) | _reference(reference, column))
    return out.getvalue()


def _head(kind: str, name: str, column: Column) -> dict[str, str]:
    return {"kind": kind, "row": name, "evaluation": column.evaluation, "metric": column.metric}


def _entry(entry: Entry) -> dict[str, str]:
    sample = entry.sample
    return {
        "n": str(len(sample.values)),
        "seeds": " ".join(str(seed) for seed in entry.seeds),
        "values": " ".join(_number(value) for value in sample.values),
        "mean": _number(sample.mean),
        "low": _number(sample.low),
        "high": _number(sample.high),
        "holes": " | ".join(entry.holes),
    }


def _difference(entry: Entry, baseline: str | None) -> dict[str, str]:
    difference = entry.difference
    if difference is None:
        return {"baseline": baseline or ""}
    return {
        "baseline": baseline or "",
        "difference_n": str(len(difference.sample.values)),
        "difference": _number(difference.sample.mean),
        "difference_low": _number(difference.sample.low),
        "difference_high": _number(difference.sample.high),
        "p_seeds": "" if difference.same else _number(difference.sample.p),
        "p_seeds_holm": _number(difference.p_seeds_adjusted),
        "p_videos": _number(difference.p_videos),
        "p_videos_holm": _number(difference.p_videos_adjusted),
    }


def _reference(reference: ReferenceLine, column: Column) -> dict[str, str]:
    return {"mean": _number(reference.values.get(column.key)), "holes": ""}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
