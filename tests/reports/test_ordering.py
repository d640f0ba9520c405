"""The published order against ours: which pairs our seeds decide, and what is said of them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from scipy import stats

from raysl.published import match, published_table
from raysl.reports import (
    CellResult,
    Column,
    EvaluationRecord,
    Published,
    ReportInput,
    RowInput,
    build_table,
    render_csv,
)
from raysl.reports import render_markdown as markdown
from tests.reports.examples import example

TOP1 = Column("linear/k", "top1")


def row(name: str, *values: float, videos: str = "v") -> RowInput:
    records = [EvaluationRecord("e", "top1", {"top1": value}, {videos: True}) for value in values]
    cells = [CellResult(seed, f"{name}{seed}", "done", "", {"linear/k": record}) for seed, record in enumerate(records)]
    return RowInput(name, tuple(cells))


def report(*rows: RowInput, table: str = "cvrl_t6", scale: str = "laptop", **matched: dict[str, Any]) -> ReportInput:
    """Rows are called ``r0``, ``r1``, ... after their number of hidden layers, unless ``matched`` says otherwise."""
    given = matched or {one.name: {"hidden_layers": int(one.name[1:])} for one in rows if one.name != "random"}
    found = match(published_table(table), given, {"linear/k": "top1" if table == "cvrl_t6" else "UCF101"})
    published = Published(found, {TOP1: found.columns["linear/k"]})
    return ReportInput("t", tuple(rows), (TOP1,), scale=scale, published=published)


def test_tau_is_over_decided_pairs_alone() -> None:
    # Published: r0 54.7 < r1 62.5 < r2 63.0 < r3 63.8.
    rows = (row("r0", 10, 11, 12), row("r1", 30, 31.2, 31.9), row("r2", 30.1, 31, 32), row("r3", 20, 21.1, 22.2))
    (ordering,) = build_table(report(*rows)).orderings
    verdicts = {(pair.first, pair.second): pair.verdict for pair in ordering.pairs}
    assert verdicts == {
        ("r0", "r1"): "agree",
        ("r0", "r2"): "agree",
        ("r0", "r3"): "agree",
        ("r1", "r2"): "undecided",
        ("r1", "r3"): "disagree",
        ("r2", "r3"): "disagree",
    }
    assert (ordering.count("agree"), ordering.count("disagree"), ordering.decided, ordering.decidable) == (3, 2, 5, 6)
    assert "+0.20 (5 of 6) |" in markdown(build_table(report(*rows)))
    assert ordering.tau == pytest.approx(0.2)


def test_tau_of_a_complete_order_is_kendalls() -> None:
    ours = {"r0": 40.0, "r1": 10.0, "r2": 30.0, "r3": 20.0}
    rows = [
        row(name, *(value + 0.1 * seed * (position + 1) for seed in range(3)))
        for position, (name, value) in enumerate(ours.items())
    ]
    (ordering,) = build_table(report(*rows)).orderings
    assert ordering.count("undecided") == 0
    assert ordering.tau == pytest.approx(stats.kendalltau([54.7, 62.5, 63.0, 63.8], list(ours.values())).statistic)


@pytest.mark.parametrize("values", [(10.0,), (10.0, 11.0), (10.0, 11.0, 12.0)])
def test_few_seeds_and_equal_differences_decide_nothing(values: tuple[float, ...]) -> None:
    source = report(row("r0", *values), row("r1", *(value + 20 for value in values)))
    (ordering,) = build_table(source).orderings
    assert (ordering.count("undecided"), ordering.tau) == (1, None)
    text = markdown(build_table(source))
    assert "below 3 common seeds there is no interval, and nothing is decided" in text


def test_other_test_videos_decide_nothing() -> None:
    source = report(row("r0", 10, 11, 12.5), row("r1", 30, 31, 32, videos="w"))
    assert build_table(source).orderings[0].count("undecided") == 1


def test_pairs_that_are_not_scored_say_why() -> None:
    rows = tuple(row(name, *values) for name, *values in (("a", 1, 2, 4), ("b", 11, 12, 13), ("c", 21, 22, 23)))
    source = report(
        *rows,
        table="cstp_t3",
        a={"framework": "SimSiam", "task_stor": True},
        b={"framework": "BYOL", "task_stor": True},
        c={"framework": "MoCo", "task_stor": True},
    )
    assert source.published is not None
    named = replace(source.published.match, unscored=frozenset({frozenset(("b", "c"))}))
    table = build_table(replace(source, published=replace(source.published, match=named)))
    reasons = {(pair.first, pair.second): pair.reason for pair in table.orderings[0].pairs}
    assert reasons == {
        ("a", "b"): "a published number was not recovered",
        ("a", "c"): "a published number was not recovered",
        ("b", "c"): "as the study says",
    }
    text = markdown(table)
    assert "linear/k top1: b and c not scored: as the study says" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| a ") and "not recovered" in line]
    assert "2.3 [0.0, 6.1] (3)" in line


def test_equal_published_numbers_give_no_order() -> None:
    rows = (row("a", 1, 2, 4), row("b", 11, 12, 13))
    twice = report(*rows, table="cvrl_t10", a={"method": "CBT"}, b={"method": "CBT"})
    assert [pair.reason for pair in build_table(twice).orderings[0].pairs] == ["the published numbers are equal"]


def test_differences_to_published_numbers_stand_at_scale_paper_alone() -> None:
    rows = (row("r0", 10, 11, 12.5), row("random", 1, 2, 3))
    at_paper, at_laptop = (build_table(report(*rows, scale=scale)) for scale in ("paper", "laptop"))
    assert "ours - published" in markdown(at_paper)
    assert "-43.5 ± 3.1" in markdown(at_paper)
    assert "ours - published" not in markdown(at_laptop)
    assert "Scale laptop reduces the cost" in markdown(at_laptop)
    first, second = (list(csv.DictReader(io.StringIO(render_csv(table)))) for table in (at_paper, at_laptop))
    assert (first[0]["published"], first[0]["difference_to_published"]) == ("54.7", "-43.5333")
    assert (second[0]["published"], second[0]["difference_to_published"]) == ("54.7", "")
    assert first[1]["row"] == "random"
    assert first[1]["published_table"] == ""


def test_the_section_says_what_the_numbers_are() -> None:
    text = markdown(build_table(report(row("r0", 10, 11, 12.5), row("r3", 30, 31, 32), row("random", 1, 2, 3))))
    assert "## Published: Table 6 of Spatiotemporal Contrastive" in text
    assert "- cvrl_t6: Table 6: hidden layers of the projection head" in text
    assert "- Provenance: paper (printed in the table)" in text
    assert "- Rows of ours without a published one: random" in text
    assert "- Published rows that this study does not have: 2" in text
    assert text.index("## Published") < text.index("## Cells")


def test_notes_cross_values_and_provenance_by_row_are_printed() -> None:
    one, two = row("a", 1, 2, 4), row("b", 11, 12, 13)
    text = markdown(
        build_table(
            report(
                one,
                two,
                table="taco_t7",
                a={"used_as": "taco", "transformation": "reverse"},
                b={"used_as": "baseline"},
            )
        )
    )
    assert "- The HMDB column below the first row was lost in text extraction." in text
    assert "- taco/reverse/HMDB51: 26.7 (paper-cross: CSTP Tables 6 and 8" in text
    found = match(published_table("cvrl_f3"), {"a": {"panel": "a"}}, {"linear/k": "top1"})
    figure = ReportInput("t", (one,), (TOP1,), published=Published(found, {TOP1: "top1"}))
    assert "- Provenance of a: paper-cross: equals the 200-epoch default" in markdown(build_table(figure))


def test_the_order_stands_in_the_csv() -> None:
    source = report(row("r0", 10, 11, 12.5), row("r3", 30, 31.5, 32))
    lines = list(csv.DictReader(io.StringIO(render_csv(build_table(source)))))
    assert [line["kind"] for line in lines] == ["row", "row", "ordering"]
    last = lines[-1]
    assert (last["pairs_agree"], last["pairs_disagree"], last["pairs_undecided"], last["tau"]) == ("1", "0", "0", "1")
    assert (last["published_table"], last["published_column"]) == ("cvrl_t6", "top1")


def test_a_study_that_is_matched_with_no_row_says_so() -> None:
    found = match(published_table("tclr_f7"), {}, {})
    source = ReportInput("t", (row("a", 1, 2, 4),), (TOP1,), published=Published(found, {}))
    text = markdown(build_table(source))
    assert "No row and column of this study is matched with it." in text
    assert "- Provenance: lost (not recovered)" in text


def test_without_a_published_table_nothing_is_said_of_it() -> None:
    table = build_table(example())
    assert table.orderings == ()
    assert "ublished:" not in markdown(table)
    assert "published" not in render_csv(table)
