"""Figures, and marks that say where they come from."""

from __future__ import annotations

import pytest

from raysl.errors import ConfigError
from raysl.reports.marks import figures_in, fill_marks
from raysl.reports.table import Table, build_table
from tests.reports.examples import example


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("after 114 s, 1,539 MB and 4.6× as much", ["114 s", "1,539 MB", "4.6×"]),
        ("−12.3 points [−14.9, −9.6], p 0.031", ["−12.3 points", "−14.9", "−9.6", "0.031"]),
        ("95 % of 35 recordings, 4 to 6 points", ["95 %", "6 points"]),
        ("R3D-18 at 16 frames of 112², UCF101, batch 32, section 3", []),
        ("Python 3.11, torch 2.15.0, and it is 2.5.", ["3.11", "2.5"]),
        ("2 seeds, 3 studies, 5 samples", []),
        ("802 clips/s, 20 GB, 8 hours, 9,5 min", ["802 clips/s", "20 GB", "8 hours", "9,5 min"]),
    ],
)
def test_a_figure_is_a_number_with_a_unit_or_with_decimals(text: str, figures: list[str]) -> None:
    assert figures_in(text) == figures


def table_of(path: str) -> Table:
    assert path == "reports/x"
    return build_table(example())


def filled(text: str, content: str = "") -> str:
    return fill_marks(text, "a.md", table_of, lambda path: content)


def test_a_table_stands_between_its_marks_however_often_it_is_filled() -> None:
    once = filled("before <!-- from: table reports/x -->old<!-- /from --> after")
    assert once.startswith("before <!-- from: table reports/x -->\n\n| row ")
    assert once.endswith("|\n\n<!-- /from --> after")
    assert "old" not in once
    assert filled(once) == once


def test_figures_of_a_file_must_stand_in_it() -> None:
    text = "It took <!-- from: run.txt -->132 s<!-- /from --> here."
    assert filled(text, "30 cells; 132 s: data 18 s") == text
    for other in ("131 s", "1132 s", "132.5 s", "4,132 s"):
        with pytest.raises(ConfigError, match=r"a.md: 132 s: not in run.txt"):
            filled(text, other)


@pytest.mark.parametrize("text", ["<!-- from: a.txt -->1 s", "1 s<!-- /from -->"])
def test_a_mark_that_is_not_closed(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a.md:1: each <!-- from"):
        filled(text)


def test_a_file_is_quoted_and_marks_within_code_are_none() -> None:
    once = filled("<!-- from: file a.txt --><!-- /from -->", "1 s\n2 s\n")
    assert "```text\n1 s\n2 s\n```" in once
    assert filled(once, "1 s\n2 s\n") == once
    for code in ("`<!-- from: table reports/y -->`", "```\n<!-- from: table reports/y -->\n```\n"):
        assert filled(code) == code


def test_lines_of_a_file_are_quoted_and_those_that_are_not_there_are_named() -> None:
    content = "# T\n| a |\n| b |\n\n| c |\n"
    once = filled('<!-- from: lines t.md "| a" "| b" -->old<!-- /from -->', content)
    assert once == '<!-- from: lines t.md "| a" "| b" -->\n\n| a |\n| b |\n\n<!-- /from -->'
    assert filled(once, content) == once
    assert "\n\n| c |\n\n" in filled('<!-- from: lines t.md "| c" --><!-- /from -->', content)
    with pytest.raises(ConfigError, match=r"t\.md: no line begins with '\| d'"):
        filled('<!-- from: lines t.md "| d" --><!-- /from -->', content)
    with pytest.raises(ConfigError, match=r"t\.md: no line from line 3 on begins with '\| a'"):
        filled('<!-- from: lines t.md "| b" "| a" --><!-- /from -->', content)


def test_what_seeds_show_is_computed() -> None:
    lines = filled("<!-- from: seeds 12 --><!-- /from -->").splitlines()[2:-2]
    values = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert [line[0] for line in values] == ["3", "5", "10", "20"]
    assert values[0][1] == f"{4.3027 / 3**0.5:.1f}", "the t table's 97.5 % at two degrees of freedom"
    assert all(float(line[3]) > float(line[2]) > float(line[1]) for line in values)
