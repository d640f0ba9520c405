"""The page on fidelity: the one that is checked in, and its counts."""

from __future__ import annotations

import pytest

from raysl.planning.fidelity import RecipeFidelity, Standing, State, fidelity
from raysl.published import Setting
from raysl.reports.fidelity import fidelity_page
from tests.planning.test_coverage import shipped_coverage
from tests.search_spaces.shipped import SEARCH_SPACES

PAGE = SEARCH_SPACES.parent / "docs" / "fidelity.md"


def test_the_page_that_is_checked_in_is_that_of_now() -> None:
    page = fidelity_page(fidelity(SEARCH_SPACES), shipped_coverage())
    assert PAGE.read_text(encoding="utf-8") == page, "write it anew: raysl fidelity"


@pytest.fixture
def small() -> RecipeFidelity:
    settings = [
        Setting("clip.frames", 8, "printed", "text"),
        Setting("clip.resize", 240, "code", "a | b", "note"),
        Setting("objective.contrastive.symmetric", "mean", "ours", "why", printed="one_way"),
        Setting("evaluation.finetune.epochs", (100, 50), "printed", "text", elsewhere="sstl/table9"),
    ]
    states: list[State] = ["printed", "code", "ours", "elsewhere"]
    standings = [Standing(setting, state) for setting, state in zip(settings, states, strict=True)]
    return RecipeFidelity("sstl", tuple(standings), ("sstl_amended",))


def test_a_small_page(small: RecipeFidelity) -> None:
    page = fidelity_page([small], shipped_coverage())
    assert "| SSTL | 4 | 1 | 1 | 0 | 1 | 1 | 0 | 1 | " in page
    assert "### SSTL: as released (1)" in page
    assert "### SSTL: inferred" not in page
    assert r"| `clip.resize` | 240 | a \| b | note |" in page
    assert "| `objective.contrastive.symmetric` | one_way | mean | why |  |" in page
    assert "| `evaluation.finetune.epochs` | [100, 50] | sstl/table9 | text |  |" in page
    assert "| `objective.memory.update` | literal | intended | inferred |" in page


def test_tables_are_counted_by_row_and_what_is_not_computed_has_a_reason(small: RecipeFidelity) -> None:
    lines = fidelity_page([small], shipped_coverage()).splitlines()
    (table5,) = [line for line in lines if line.startswith("| Table 5")]
    assert "| 5 of 5 | sstl/table5_memory |" in table5
    for line in lines[lines.index("### SSTL: tables and figures") :]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].startswith(("Table", "Figure")):
            assert cells[2] != "–" or cells[3], line
