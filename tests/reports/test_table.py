"""From results to a table: pairs, holes, corrections, and the golden files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from raysl.reports import CellResult, Column, EvaluationRecord, ReportInput, RowInput, build_table, render_csv
from raysl.reports import render_markdown as markdown
from raysl.reports.footnotes import Footnotes
from raysl.reports.markdown import render_summary
from raysl.reports.power import detectable
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
    assert difference.videos is not None
    assert difference.videos.p == pytest.approx(2 * 0.5**4), "four videos, all won once"


def test_only_seeds_that_both_have_are_paired() -> None:
    base = cells(linear(1), linear(5), linear(9))
    ours = (*cells(linear(2), prefix="y"), CellResult(1, "y1", "failed", "NaN"), CellResult(2, "y2", "running"))
    entry = build_table(two_rows(ours, base)).rows[1].entries[0]
    assert entry.difference is not None
    assert entry.difference.sample.values == (10.0,)
    assert entry.difference.sample.p is None
    assert entry.difference.videos is not None
    assert entry.difference.videos.p == 1.0
    assert entry.holes == ("seed 1: failed: NaN", "seed 2: running")


def test_below_three_seeds_the_values_stand() -> None:
    text = markdown(build_table(two_rows(cells(linear(2), linear(7), prefix="y"), cells(linear(1), linear(5)))))
    assert "| ours | 20.0, 70.0 (2) |" in " ".join(text.split())
    assert "| +10.0, +20.0 (2) | – | – | – | [-2.3, +32.3] | 0.250 |" in " ".join(text.split()), "2 / 2^3, all won"
    assert "- ours: linear/ucf top1 +15.0 points (+10.0, +20.0), too few seeds to decide." in text


def test_rows_that_share_all_cells_are_not_tested() -> None:
    shared = cells(linear(1), linear(5), linear(9))
    difference = build_table(two_rows(shared, shared)).rows[1].entries[0].difference
    assert difference is not None
    assert difference.same
    assert difference.p_adjusted is None
    assert difference.videos is None


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
    assert entry.difference.videos is None
    assert entry.difference.sample.p is not None


def test_holm_spans_the_headline_metrics_of_the_whole_table() -> None:
    cells = {
        name: tuple(done(seed, f"{name}{seed}", right + seed + lift * (seed == 1), 50.0 + seed**2) for seed in range(3))
        for name, right, lift in (("base", 1, 0), ("near", 2, 1), ("far", 5, 1))
    }
    columns = (LINEAR, replace(RETRIEVAL, metric="R@1"), RETRIEVAL)
    table = build_table(
        ReportInput("t", tuple(RowInput(name, found) for name, found in cells.items()), columns, "base")
    )
    assert table.headlines == (True, True, False)
    differences = [entry.difference for row in table.rows[1:] for entry in row.entries]
    p_values = [one.sample.p for one in differences if one is not None and one.p_adjusted is not None]
    assert (len(p_values), table.family) == (4, 4), "R@5 is no headline"
    adjusted = [one.p_adjusted for one in differences if one is not None and one.p_adjusted is not None]
    smallest = min(one for one in p_values if one is not None)
    assert min(adjusted) == pytest.approx(4 * smallest)
    assert [one.decided for one in differences if one is not None] == [False, False, False, True, True, False]


def test_equal_differences_count_in_the_family_and_decide_nothing() -> None:
    base, same = cells(linear(1), linear(4), linear(6)), cells(linear(3), linear(6), linear(8), prefix="y")
    other = cells(linear(5), linear(9), linear(10), prefix="z")
    source = ReportInput("t", (RowInput("base", base), RowInput("s", same), RowInput("o", other)), (LINEAR,), "base")
    table = build_table(source)
    equal, unequal = (row.entries[0].difference for row in table.rows[1:])
    assert equal is not None
    assert unequal is not None
    assert (equal.sample.p, equal.p_adjusted, equal.decided) == (None, 1.0, False)
    assert unequal.sample.p is not None
    assert unequal.p_adjusted == pytest.approx(2 * unequal.sample.p)
    text = markdown(table)
    assert "- s: linear/ucf top1 +20.0 points at each of 3 seeds, so that there is no interval and no test." in text
    assert "| +20.0 (all equal) (3) |" in " ".join(text.split())


def test_the_tests_units_are_recordings_and_the_table_says_of_how_many_clips() -> None:
    known = {video: f"r{int(video[1:]) // 2}" for video in answers(0)}
    base, ours = (
        cells(*(replace(linear(right), recordings=known) for right in rights), prefix=prefix)
        for rights, prefix in (((2, 2, 2), "x"), ((6, 6, 6), "y"))
    )
    table = build_table(two_rows(ours, base))
    (entry,) = table.rows[1].entries
    assert entry.difference is not None
    assert entry.difference.videos is not None
    assert entry.difference.videos.p == pytest.approx(2 * 0.5**2), "four clips of two recordings"
    assert table.recordings == {"linear/ucf": (5,)}
    text = markdown(table)
    assert "linear/ucf 10 clips of 5 recordings, which are flipped and left out as wholes." in text
    assert "With fewer than 6 recordings no p over test videos can be below 0.05." in text
    alone = markdown(build_table(two_rows(cells(linear(6), prefix="y"), cells(linear(2)))))
    assert "10 clips, taken as independent (the data set does not say which are of one recording)" in alone
    assert "p is too small if some are" in alone


def test_equal_values_have_no_interval_and_none_leaves_0_to_100() -> None:
    text = markdown(build_table(two_rows(cells(linear(9), linear(10), linear(10)), cells(*[linear(4)] * 3))))
    assert "| base | 40.0 (3, all equal) |" in " ".join(text.split())
    assert "| ours | 96.7 [82.3, 100.0] (3) |" in " ".join(text.split())
    assert "is cut there" in text
    assert "is cut there" not in markdown(build_table(two_rows(cells(linear(4)), cells(linear(5)))))


def test_decided_over_seeds_and_over_videos_are_said_apart() -> None:
    base = cells(linear(10, 40), linear(12, 40), linear(11, 40))
    ours = cells(linear(20, 40), linear(22, 40), linear(22, 40), prefix="y")
    text = markdown(build_table(two_rows(ours, base)))
    assert "| ours | 53.3 ± 7.2 (3) | +25.8 ✓ |" in " ".join(text.split())
    assert "decided over seeds (p 0.001), and over test videos (p <0.001)" in text
    one = dict.fromkeys(answers(0, 40), "r")
    base, ours = (
        cells(*(replace(linear(right, 40), recordings=one) for right in rights), prefix=prefix)
        for prefix, rights in (("x", (10, 12, 11)), ("y", (20, 22, 22)))
    )
    assert "decided over seeds (p 0.001), but not over test videos (p 1.000)" in markdown(
        build_table(two_rows(ours, base))
    )


def test_what_the_seeds_can_show_is_said_under_the_table() -> None:
    base = cells(linear(10, 40), linear(12, 40), linear(11, 40))
    ours = cells(linear(20, 40), linear(22, 40), linear(23, 40), prefix="y")
    table = build_table(two_rows(ours, base))
    (planning,) = table.planning
    (entry,) = table.rows[1].entries
    assert entry.difference is not None
    assert planning.spread == entry.difference.sample.spread
    assert planning.detectable == pytest.approx(detectable(planning.spread, 3))
    assert planning.corrected == planning.detectable, "one test"
    said = f"linear/ucf top1 {planning.detectable:.1f} / {planning.corrected:.1f} points with 3 seeds"
    assert said in markdown(table)
    wide = two_rows(cells(linear(1, 40), linear(39, 40), linear(9, 40)), cells(*[linear(9, 40)] * 3, prefix="z"))
    assert "linear/ucf top1 over 100 / over 100 points with 3 seeds" in markdown(build_table(wide))
    again = replace(table.source, rows=(*table.source.rows, RowInput("more", cells(*[linear(9, 40)] * 3, prefix="z"))))
    (both,) = build_table(again).planning
    assert both.corrected == pytest.approx(detectable(both.spread, 3, 0.025)), "two tests"


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


def test_seeds_whose_representation_collapsed_are_named() -> None:
    said = "collapsed by step 8: spread of features 0.001"
    cells = tuple(replace(cell, collapsed=said if cell.seed else "") for cell in example().rows[1].cells)
    table = build_table(replace(example(), rows=(RowInput("SimCLR", cells),), baseline=None))
    assert f"SimCLR, seeds 1, 2: the representation had {said}" in [text for _, text in table.footnotes]
    assert len(table.rows[0].marks) == 1


def test_letters_go_on_after_z() -> None:
    notes = Footnotes()
    letters = [notes.letter(str(number)) for number in range(54)]
    assert [letters[position] for position in (0, 25, 26, 51, 52, 53)] == ["a", "z", "aa", "az", "ba", "bb"]
    assert notes.letter("0") == "a"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"baseline": "IC"}, "'IC'"),
        ({"columns": (LINEAR, LINEAR)}, "repeated"),
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


def test_the_end_of_a_run_has_the_table_its_holes_and_a_line_for_each_decided_difference() -> None:
    text = render_summary(build_table(example()))
    assert markdown(build_table(example())).startswith(text.partition("\n\n- [a]")[0]), "title, scale and results"
    assert "- [b] strong | wide, seed 1: failed: the loss is NaN at step 12" in text.replace("\\", "")
    assert [line for line in text.splitlines() if "decided" in line] == [
        "- random: linear/ucf top1 -36.7 points, 95 % interval -65.4 to -8.0, decided over seeds (p 0.032), but not "
        "over test videos (p 0.125)"
    ]
    open_ = build_table(two_rows(cells(linear(5), linear(7), linear(3), prefix="y"), cells(*[linear(5)] * 3)))
    assert render_summary(open_).endswith("number of tests: 1):\n\n- none")
    assert "Differences" not in render_summary(build_table(replace(example(), baseline=None)))


def test_columns_have_headings() -> None:
    assert (LINEAR.heading, RETRIEVAL.heading, Column("x/y", "").heading) == (
        "linear/ucf top1",
        "retrieval/ucf R@5",
        "x/y",
    )
    assert len(answers(3)) == 10


def test_a_penalty_at_the_end_of_its_grid_and_a_fit_that_was_not_solved_are_said() -> None:
    details: list[dict[str, Any]] = [
        {"c_at_edge_of_grid": True, "converged": True},
        {"c_at_edge_of_grid": False, "converged": True},
        {"c_at_edge_of_grid": True, "converged": False},
    ]
    column = Column("linear/ucf", "top1")
    cells = tuple(
        CellResult(seed, f"c{seed}", "done", evaluations={"linear/ucf": replace(linear(5), details=own)})
        for seed, own in enumerate(details)
    )
    table = build_table(ReportInput("t", (RowInput("r", cells),), (column,)))
    edge, unsolved = (text for _, text in table.footnotes)
    assert edge.startswith("linear/ucf: the penalty c that cross-validation chose is an end of its grid")
    assert edge.endswith("(r seed 0, r seed 2)")
    assert "not solved within its steps" in unsolved
    assert unsolved.endswith("(r seed 2)")
    assert table.column_marks == (("a", "b"),)
