"""Every published table, figure and row is computed by a shipped study, or listed with the reason why not."""

from __future__ import annotations

from functools import cache

import pytest

from raysl.planning.coverage import Coverage, coverage_lines, published_coverage
from raysl.planning.study import study_name
from raysl.published import Match, Uncovered, match, published_table, published_tables, uncovered
from tests.search_spaces.shipped import STUDIES, document_of

NOTHING = Uncovered({}, {}, {}, {})


@cache
def shipped() -> tuple[tuple[str, Match], ...]:
    """What the shipped studies reproduce; that their rows and columns exist, loading them tests elsewhere."""
    found = []
    for path in STUDIES:
        data = document_of(path).data
        if "reproduces" in data:
            rows = data.get("published", {}).get("rows", {})
            found.append((study_name(path), match(published_table(data["reproduces"]), rows, {})))
    return tuple(found)


@cache
def shipped_coverage() -> Coverage:
    return published_coverage(shipped())


def whole(table: str, name: str = "study") -> tuple[str, Match]:
    """A study that matches all rows of a table."""
    found = published_table(table)
    return name, Match(found, {f"row {position}": position for position in range(len(found.rows))}, {})


def test_every_entry_is_covered_or_listed_and_none_is_both() -> None:
    assert [entry.title for entry in shipped_coverage().neither] == []
    assert [(entry.title, entry.studies) for entry in shipped_coverage().both] == []


def test_every_row_of_every_table_is_an_entry() -> None:
    expected = [
        (table.id, row) for table in published_tables() for row in (range(len(table.rows)) if table.rows else (None,))
    ]
    assert [(entry.table.id, entry.row) for entry in shipped_coverage().entries] == expected


def test_known_entries() -> None:
    by_title = {entry.title: entry for entry in shipped_coverage().entries}
    assert by_title["cvrl_t8 row 3 (800, 66.1, 86.8)"].studies == ("cvrl/table8_epochs",)
    assert by_title["tclr_f9"].studies == ("tclr/table11_temperatures",)
    assert by_title["tclr_f7"].studies == ("tclr/figure7_clips_retrieval_ucf101",)
    assert "clip_order" in by_title["tclr_t3 row 3 (VCOP, None)"].reason
    assert by_title["taco_f7"].studies == ("taco/figure7_transfer_last_layer",)
    assert by_title["taco_t4 row 0 (MotionPred, C3D, 61.2, 33.4)"].reason == uncovered().others
    assert by_title["taco_t4 row 11 (TaCo(MoCo), R50, 85.1, 51.6)"].studies == ("taco/table4_own_row",)
    assert by_title["cvrl_f1"].studies == ("cvrl/table2_linear_k400", "cvrl/table2_linear_k600")


def test_no_study_computes_other_authors_rows() -> None:
    others = [entry for entry in shipped_coverage().entries if not entry.own]
    assert {entry.table.kind for entry in others} == {"comparison"}
    assert [entry.title for entry in others if entry.studies or entry.reason != uncovered().others] == []


@pytest.mark.parametrize("name", [name for name, _ in shipped()])
def test_a_study_is_missed(name: str) -> None:
    """Without a study its rows are open, where no other study has them: the count does not cover by accident."""
    others = [pair for pair in shipped() if pair[0] != name]
    found = published_coverage(others).neither
    only_here = [entry for entry in shipped_coverage().entries if entry.studies == (name,)]
    rows_of = {entry.table.id for entry in only_here if entry.row is not None}
    drawn = {figure for figure, source in uncovered().drawn_from.items() if source in rows_of}
    expected = [entry for entry in shipped_coverage().entries if entry in only_here or entry.table.id in drawn]
    assert [entry.title for entry in found] == [entry.title for entry in expected]


def test_a_table_with_rows_is_not_covered_by_a_study_that_matches_none() -> None:
    found = published_coverage([("study", Match(published_table("cvrl_t6"), {}, {}))], NOTHING)
    assert not any(entry.studies for entry in found.entries)
    whole_figure = published_coverage([("study", Match(published_table("sstl_f1"), {}, {}))], NOTHING)
    assert [entry.title for entry in whole_figure.entries if entry.studies] == ["sstl_f1"]


def test_a_figure_that_draws_a_table_needs_all_of_its_rows() -> None:
    listed = Uncovered({}, {"tclr_f9": "tclr_t10"}, {}, {})
    part = ("part", Match(published_table("tclr_t10"), {"a": 0}, {}))
    rest = ("rest", Match(published_table("tclr_t10"), {"b": 1}, {}))
    for matches, expected in (([part], ()), ([part, rest], ("part", "rest")), ([whole("tclr_t10")], ("study",))):
        entries = published_coverage(matches, listed).entries
        assert next(entry for entry in entries if entry.title == "tclr_f9").studies == expected


def test_a_figure_that_draws_a_comparison_needs_its_own_rows_alone() -> None:
    listed = Uncovered({}, {"cvrl_f1": "cvrl_t4"}, {}, {})
    own = Match(published_table("cvrl_t4"), {"a": 23, "b": 24, "c": 25, "d": 26}, {})
    entries = published_coverage([("study", own)], listed).entries
    assert next(entry for entry in entries if entry.title == "cvrl_f1").studies == ("study",)


def test_what_is_listed_and_covered_is_both_but_for_the_rules() -> None:
    listed = Uncovered({"architecture": "none"}, {}, {"sstl_f1": "gone"}, {("cvrl_t6", 0): "gone"}, "others'")
    found = published_coverage([whole("sstl_f1"), whole("cvrl_t6"), whole("taco_t4")], listed)
    assert [entry.title for entry in found.both] == ["cvrl_t6 row 0 (0, 54.7, 79.1)", "sstl_f1"][::-1]
    assert all(not entry.reason for entry in found.entries if entry.table.id == "taco_t4")
    own = published_table("sstl_t1").own_rows
    reasons = {entry.row: entry.reason for entry in found.entries if entry.table.id == "sstl_t1"}
    assert reasons == {row: "" if row in own else "others'" for row in range(len(published_table("sstl_t1").rows))}
    assert all(entry.reason == "none" for entry in found.entries if entry.table.id == "cvrl_t1")


def test_lines_count_what_the_authors_trained() -> None:
    tables = [table for table in published_tables() if table.kind != "architecture"]
    rows = sum(len(table.own_rows) for table in tables)
    quoted = sum(len(table.rows) for table in tables) - rows
    part = ("part", Match(published_table("tclr_t10"), {"a": 0}, {}))
    own = ("own", Match(published_table("taco_t4"), {"TaCo": 11}, {}))
    listed = Uncovered(
        {"architecture": "none"}, {}, {"cvrl_t5": "no detector"}, {("tclr_t10", 1): "gone"}, "others' methods"
    )
    first, second = coverage_lines(published_coverage([whole("cvrl_t6"), whole("sstl_f1"), part, own], listed))
    assert first == (
        f"published: 3 of {len(tables)} tables and figures covered whole and 1 in part, 6 of {rows} rows that are "
        "their authors' own"
    )
    assert second == (
        f"listed as not covered, with the reason: 1 tables and figures, 6 rows; neither: {len(tables) - 5} tables "
        f"and figures, {rows - 12} rows; beside them {quoted} rows of other authors, and 1 table without results"
    )
