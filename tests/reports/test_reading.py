"""Sentences whose figures come from a table."""

from __future__ import annotations

import pytest

from raysl.errors import ConfigError
from raysl.reports.reading import KINDS, fill_reading
from raysl.reports.table import Table, build_table
from raysl.reports.text import sample_text
from tests.reports.examples import example


@pytest.fixture
def table() -> Table:
    return build_table(example())


def test_each_kind_is_what_the_table_has(table: Table) -> None:
    row = next(row for row in table.rows if row.entries[0].difference is not None and row.entries[0].difference.videos)
    entry, heading = row.entries[0], table.source.columns[0].heading
    assert entry.difference is not None

    def filled(kind: str) -> str:
        return fill_reading(f"{{{row.name} | {heading} | {kind}}}", table, "reading.md")

    assert filled("value") == sample_text(entry.sample)
    assert filled("mean") == f"{entry.sample.mean:.1f}"
    assert filled("difference") == f"{entry.difference.sample.mean:+.1f}"
    assert filled("side") == ("above" if (entry.difference.sample.mean or 0) > 0 else "below")
    assert filled("decided") == ("decided" if entry.difference.decided else "not decided")
    assert all(filled(kind) for kind in KINDS)


@pytest.mark.parametrize(
    ("placeholder", "why"),
    [
        ("{one | two}", "write {row"),
        ("{nobody | %s | mean}", "no such row"),
        ("{%r | nothing | mean}", "0 columns begin with 'nothing'"),
        ("{%r | %s | meen}", "did you mean 'mean'"),
        ("{%b | %s | difference}", "has no difference"),
    ],
)
def test_what_cannot_be_filled_is_said_with_what_there_is(placeholder: str, why: str, table: Table) -> None:
    heading, baseline = table.source.columns[0].heading, str(table.source.baseline)
    row = next(row.name for row in table.rows if row.name != baseline)
    text = placeholder.replace("%s", heading).replace("%r", row).replace("%b", baseline)
    with pytest.raises(ConfigError, match=why):
        fill_reading(f"It is {text}.", table, "reading.md")
