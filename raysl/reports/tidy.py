"""A table as CSV in long form: one line per row and column, every number that the Markdown rounds."""

from __future__ import annotations

import csv
import io

from raysl.reports.input import Column, ReferenceLine
from raysl.reports.ordering import Ordering
from raysl.reports.over_videos import VideoTest
from raysl.reports.power import effect_size, seeds_to_decide
from raysl.reports.published import difference_to_published
from raysl.reports.table import Entry, Table

FIELDS = (
    "kind",  # row, reference or ordering
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
    "decided",  # over seeds, after Holm's correction over the differences of headline metrics
    "effect_size",
    "seeds_to_decide",  # alone, at 5 %
    "seeds_to_decide_holm",  # at Holm's first level
    "clips",
    "recordings",  # that the clips are of, the units over test videos; empty where the data set does not say
    "videos_low",
    "videos_high",
    "holes",
    "changes",  # of the row against the baseline, in its configuration
)
PUBLISHED_FIELDS = (
    "published_table",  # from here on only where the study reproduces a published table
    "published_column",
    "published",
    "difference_to_published",  # at scale paper alone
    "pairs_agree",  # from here on in lines of kind ordering, one for each published column
    "pairs_disagree",
    "pairs_undecided",
    "pairs_unscored",
    "tau",
)


def render_csv(table: Table) -> str:
    """Lists within a field (seeds, values) are separated by blanks, holes and changes by `` | ``; unknown is empty."""
    out = io.StringIO()
    fields = FIELDS if table.source.published is None else (*FIELDS, *PUBLISHED_FIELDS)
    writer = csv.DictWriter(out, fields, restval="", lineterminator="\n")
    writer.writeheader()
    known = {} if table.source.differences is None else table.source.differences.rows
    for row in table.rows:
        changes = {"changes": " | ".join(str(change) for change in known.get(row.name, ()))}
        for column, entry in zip(table.source.columns, row.entries, strict=True):
            ours = _head("row", row.name, column) | _entry(entry) | _difference(entry, table)
            writer.writerow(ours | changes | _published(table, row.name, column, entry))
    for reference in table.source.references:
        for column in table.source.columns:
            writer.writerow(_head("reference", reference.name, column) | _reference(reference, column))
    for ordering in table.orderings:
        writer.writerow(_head("ordering", "", ordering.column) | _ordering(table, ordering))
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


def _difference(entry: Entry, table: Table) -> dict[str, str]:
    difference, baseline = entry.difference, table.source.baseline
    if difference is None:
        return {"baseline": baseline or ""}
    return {
        "baseline": baseline or "",
        "difference_n": str(len(difference.sample.values)),
        "difference": _number(difference.sample.mean),
        "difference_low": _number(difference.sample.low),
        "difference_high": _number(difference.sample.high),
        "p_seeds": "" if difference.same else _number(difference.sample.p),
        "p_seeds_holm": _number(difference.p_adjusted),
        "decided": "" if difference.p_adjusted is None else ("yes" if difference.decided else "no"),
        "effect_size": _number(effect_size(difference.sample)),
        "seeds_to_decide": _number(seeds_to_decide(difference.sample)),
        "seeds_to_decide_holm": _number(seeds_to_decide(difference.sample, table.first_level)),
        **_over_videos(difference.videos),
    }


def _over_videos(videos: VideoTest | None) -> dict[str, str]:
    if videos is None:
        return {}
    return {
        "p_videos": _number(videos.p),
        "p_videos_holm": _number(videos.p_adjusted),
        "clips": str(videos.clips),
        "recordings": _number(videos.recordings),
        "videos_low": _number(videos.low),
        "videos_high": _number(videos.high),
    }


def _reference(reference: ReferenceLine, column: Column) -> dict[str, str]:
    return {"mean": _number(reference.values.get(column.key)), "holes": ""}


def _published(table: Table, row: str, column: Column, entry: Entry) -> dict[str, str]:
    published = table.source.published
    if published is None or row not in published.rows or column not in published.columns:
        return {}
    number = published.number(row, column)
    change = difference_to_published(table.source, entry.sample, number)
    return _where(table, column) | {"published": _number(number), "difference_to_published": _number(change)}


def _ordering(table: Table, ordering: Ordering) -> dict[str, str]:
    return _where(table, ordering.column) | {
        "pairs_agree": str(ordering.count("agree")),
        "pairs_disagree": str(ordering.count("disagree")),
        "pairs_undecided": str(ordering.count("undecided")),
        "pairs_unscored": str(ordering.count("unscored")),
        "tau": _number(ordering.tau),
    }


def _where(table: Table, column: Column) -> dict[str, str]:
    published = table.source.published
    return (
        {}
        if published is None
        else {"published_table": published.table.id, "published_column": published.columns[column]}
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
