"""A sentence for each row against the baseline."""

from __future__ import annotations

from raysl.reports.input import Column
from raysl.reports.statistics import LEAST_SEEDS, LEVEL
from raysl.reports.table import Difference, Table
from raysl.reports.text import escaped, p_text


def in_words(table: Table) -> str:
    """A line a row: of every headline metric the difference, its interval, and whether it is decided."""
    lines = []
    for row in table.rows:
        if row.name != table.source.baseline:
            said = [
                _said(table.source.columns[position], difference)
                for position in table.shown
                if (difference := row.entries[position].difference) is not None
            ]
            lines.append(f"- {escaped(row.name)}: {'; '.join(said) or 'nothing to compare'}.")
    return "\n".join(lines)


def decided_in_words(table: Table) -> str:
    """A line for each difference of a headline metric that the seeds decide, in the order of the table."""
    return "\n".join(
        f"- {escaped(row.name)}: {_said(table.source.columns[position], difference)}"
        for row in table.rows
        for position in table.shown
        if (difference := row.entries[position].difference) is not None and difference.decided
    )


def _said(column: Column, difference: Difference) -> str:
    """``linear/ucf101 top1 +6.1 points, 95 % interval +2.0 to +10.2, decided over seeds (p 0.012)`` and over videos."""
    sample, where = difference.sample, escaped(column.heading)
    if difference.same:
        return f"{where} the same results"
    found = f"{where} {sample.mean:+.1f} points"
    if len(sample.values) < LEAST_SEEDS:
        each = ", ".join(f"{value:+.1f}" for value in sample.values)
        return f"{found} ({each}), too few seeds to decide" if len(sample.values) > 1 else f"{found} at one seed"
    if sample.low is None or sample.high is None:
        return f"{found} at each of {len(sample.values)} seeds, so that there is no interval and no test"
    found += f", 95 % interval {sample.low:+.1f} to {sample.high:+.1f}"
    if difference.p_adjusted is None:
        return found
    found += f", {'decided' if difference.decided else 'not decided'} over seeds (p {p_text(difference.p_adjusted)})"
    if difference.videos is None or difference.videos.p_adjusted is None:
        return found
    over_videos = difference.videos.p_adjusted
    joined = "and" if (over_videos < LEVEL) == difference.decided else "but"
    return f"{found}, {joined} {'' if over_videos < LEVEL else 'not '}over test videos (p {p_text(over_videos)})"
