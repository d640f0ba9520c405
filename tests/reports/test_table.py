"""From results to a table: pairs, holes, corrections, and the golden files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from raysl.reports import CellResult, Column, EvaluationRecord, ReportInput, RowInput, build_table, render_csv
from raysl.reports import render_markdown as markdown
from raysl.reports.footnotes import Footnotes
from tests.reports.examples import LINEAR, RETRIEVAL, answers, done, example, linear

GOLDEN = Path(__file__).parent / "golden"


def cells(*records: EvaluationRecord, prefix: str = "x") -> tuple[CellResult, ...]:
    return tuple(
        CellResult(seed, f"{prefix}{seed}", "done", "", {"linear/ucf": record}) for seed, record in enumerate(records)
    )


def two_rows(ours: tuple[CellResult, ...], base: tuple[CellResult, ...]) -> ReportInput:
    return ReportInput("t", (RowInput("base", base), RowInput("ours", ours)), (LINEAR,), "base")


def test_golden_markdown() -> None:
    assert markdown(build_table(example())) == (GOLDEN / "table.md").read_text(encoding="utf-8")


def test_golden_csv() -> None:
    assert render_csv(build_table(example())) == (GOLDEN / "table.csv").read_text(encoding="utf-8")


def test_difference_is_paired_by_seed_whatever_the_order() -> None:
    base = cells(linear(1), linear(5), linear(9))
    ours = cells(linear(2), linear(7), linear(10), prefix="y")
    difference = build_table(two_rows(ours[::-1], base)).rows[1].entries[0].difference
    assert difference is not None
    assert sorted(difference.sample.values) == pytest.approx([10.0, 10.0, 20.0])
    assert difference.sample.p == pytest.approx(stats.ttest_rel([20, 70, 100], [10, 50, 90]).pvalue)
    assert difference.p_videos == pytest.approx(2 * 0.5**4), "four videos, all won once"


def test_only_seeds_that_both_have_are_paired() -> None:
    base = cells(linear(1), linear(5), linear(9))
    ours = (*cells(linear(2), prefix="y"), CellResult(1, "y1", "failed", "NaN"), CellResult(2, "y2", "running"))
    entry = build_table(two_rows(ours, base)).rows[1].entries[0]
    assert entry.difference is not None
    assert entry.difference.sample.values == (10.0,)
    assert entry.difference.sample.p is None
    assert entry.difference.p_videos == 1.0
    assert entry.holes == ("seed 1: failed: NaN", "seed 2: running")


def test_below_three_seeds_the_values_stand() -> None:
    text = markdown(build_table(two_rows(cells(linear(2), linear(7), prefix="y"), cells(linear(1), linear(5)))))
    assert "| ours | 20.0, 70.0 (2) |" in " ".join(text.split())
    assert "+10.0, +20.0 (2), p – / 0.250" in text, "three videos, all won: 2 / 2^3"


def test_rows_that_share_all_cells_are_not_tested() -> None:
    shared = cells(linear(1), linear(5), linear(9))
    difference = build_table(two_rows(shared, shared)).rows[1].entries[0].difference
    assert difference is not None
    assert difference.same
    assert difference.p_seeds_adjusted is None
    assert difference.p_videos_adjusted is None


def test_rows_that_share_cells_but_not_the_evaluation_are_tested() -> None:
    ours = cells(linear(2, name="e9"), linear(7, name="e9"), linear(10, name="e9"))
    difference = build_table(two_rows(ours, cells(linear(1), linear(5), linear(9)))).rows[1].entries[0].difference
    assert difference is not None
    assert not difference.same


def test_different_test_videos_are_never_compared() -> None:
    ours = cells(linear(2, of=11), linear(3, of=11), linear(4, of=11), prefix="y")
    table = build_table(two_rows(ours, cells(linear(1), linear(5), linear(9))))
    assert table.rows[1].entries[0].difference is None
    assert any("test videos differ" in text for _, text in table.footnotes)
    assert table.test_videos == {"linear/ucf": (10, 11)}


def test_videos_are_tested_under_the_headline_metric_only() -> None:
    entry = build_table(example()).rows[0].entries[1]
    assert entry.difference is not None
    assert entry.difference.p_videos is None
    assert entry.difference.sample.p is not None


def test_holm_spans_the_whole_table() -> None:
    random = build_table(example()).rows[0].entries
    tested = [entry.difference for entry in random if entry.difference is not None]
    smallest = min(tested, key=lambda one: one.sample.p or 1.0)
    assert smallest.sample.p is not None
    assert smallest.p_seeds_adjusted == pytest.approx(2 * smallest.sample.p), "two tests over seeds in this table"


def test_a_metric_that_a_cell_lacks_is_a_hole() -> None:
    source = replace(two_rows(cells(linear(2)), cells(linear(1))), columns=(Column("linear/ucf", "top5"),))
    assert build_table(source).rows[0].entries[0].holes == ("seed 0: linear/ucf has no metric top5",)


def test_a_failed_evaluation_is_a_hole_with_its_reason() -> None:
    failed = EvaluationRecord("e1", failure="a class has one video")
    entry = build_table(two_rows(cells(failed), cells(linear(1)))).rows[1].entries[0]
    assert entry.holes == ("seed 0: linear/ucf failed: a class has one video",)


def test_left_out_videos_are_said_once_for_all_or_by_cell() -> None:
    lost = {"unreadable test": 2, "unreadable train": 1}
    same = build_table(two_rows(cells(linear(2, left_out=lost)), cells(linear(1, left_out=lost))))
    assert same.footnotes == (("a", "linear/ucf: videos left out: 2 unreadable test, 1 unreadable train (every cell)"),)
    one = build_table(two_rows(cells(linear(2, left_out=lost)), cells(linear(1))))
    assert one.footnotes[0][1].endswith("(ours seed 0)")


def test_what_a_row_was_not_trained_on_is_said_with_its_seeds() -> None:
    cells = tuple(replace(cell, missing=7, too_short=cell.seed, left_out=5) for cell in example().rows[1].cells)
    table = build_table(replace(example(), rows=(RowInput("SimCLR", cells),), baseline=None))
    texts = [text for _, text in table.footnotes]
    assert "SimCLR, seeds 0, 1, 2: 7 video(s) of the training set's lists have no file" in texts
    assert "SimCLR, seed 2: 2 training video(s) shorter than a clip or window, continued past the end" in texts
    assert "SimCLR, seeds 0, 1, 2: 5 readable training video(s) not trained on: too short, or no label" in texts
    assert len(table.rows[0].marks) == 4, "seed 0 has no video that is too short"


def test_letters_go_on_after_z() -> None:
    notes = Footnotes()
    letters = [notes.letter(str(number)) for number in range(54)]
    assert [letters[position] for position in (0, 25, 26, 51, 52, 53)] == ["a", "z", "aa", "az", "ba", "bb"]
    assert notes.letter("0") == "a"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baseline": "IC"}, "'IC'"),
        ({"columns": (LINEAR, LINEAR)}, "twice"),
        ({"rows": (RowInput("SimCLR", (done(0, "a", 1, 1.0), done(0, "b", 1, 1.0))),)}, "a seed of row 'SimCLR'"),
    ],
)
def test_input_that_makes_no_table(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(example(), **change)  # type: ignore[arg-type]


def test_without_baseline_there_are_no_differences() -> None:
    table = build_table(replace(example(), baseline=None))
    assert "Difference" not in markdown(table)
    assert all(entry.difference is None for row in table.rows for entry in row.entries)


def test_columns_have_headings() -> None:
    assert (LINEAR.heading, RETRIEVAL.heading, Column("x/y", "").heading) == (
        "linear/ucf top1",
        "retrieval/ucf R@5",
        "x/y",
    )
    assert len(answers(3)) == 10
