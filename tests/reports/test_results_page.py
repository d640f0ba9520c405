"""One page of several reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raysl.reports.input import ReportInput
from raysl.reports.results_page import MOST_COLUMNS, OtherReport, StudyResult, results_page
from raysl.reports.table import build_table
from tests.reports.examples import LINEAR, example


def result(source: ReportInput, reading: str = "") -> StudyResult:
    origin = ("Commit: 0123456789.",)
    return StudyResult(build_table(source), "../reports/a b", "a/b", "raysl run a", "ucf, r3d_18.", origin, reading)


@pytest.fixture
def page() -> str:
    return results_page([result(example(), "It is so.\n")], [OtherReport("../reports/f/README.md", "Under kills")])


def test_a_study_has_its_table_command_origin_and_reading(page: str) -> None:
    lines = page.splitlines()
    assert "## What the augmentation adds" in lines
    assert "Report: [a/b](../reports/a%20b/table.md)." in page
    assert any(line.startswith("| SimCLR ") and "60.0 ± 24.8 (3)" in line for line in lines)
    assert "```\nraysl run a\n```" in page
    assert "- Commit: 0123456789." in lines
    assert "**Reading.** It is so." in lines
    assert "- [Under kills](../reports/f/README.md)" in lines


def test_each_difference_stands_under_one_verdict(page: str) -> None:
    verdicts = [line for line in page.splitlines() if line.startswith(("Decided", "Not decided"))]
    assert verdicts, page
    below = page.partition("linear/ucf top1 | difference")[2].partition("```")[0]
    said = [line for line in below.splitlines() if line.startswith("- ") and "linear/ucf top1 " in line]
    rows = [line.removeprefix("- ").split(":")[0] for line in said]
    table = build_table(example())
    other = {row.name for row in table.rows if (d := row.entries[0].difference) is not None and not d.same}
    assert sorted(rows) == sorted(name.replace("|", "\\|") for name in other)


def test_a_wide_table_has_its_rows_across() -> None:
    source = example()
    evaluations = {f"linear{number}/ucf": None for number in range(MOST_COLUMNS + 1)}
    columns = tuple(replace(LINEAR, evaluation=name) for name in evaluations)
    rows = tuple(
        replace(
            row,
            cells=tuple(
                replace(cell, evaluations=dict.fromkeys(evaluations, cell.evaluations["linear/ucf"]))
                if "linear/ucf" in cell.evaluations
                else cell
                for cell in row.cells
            ),
        )
        for row in source.rows
    )
    page = results_page([result(replace(source, rows=rows, columns=columns, references=()))], [])
    heading = next(line for line in page.splitlines() if line.startswith("|  "))
    assert [cell.strip() for cell in heading.split(" | ")][1:3] == ["random", "SimCLR"]
    assert sum(line.startswith("| linear") for line in page.splitlines()) == MOST_COLUMNS + 1
