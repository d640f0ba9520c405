"""What documents show of reports is in these reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages
from tests.docs.included import INCLUDE, taken, with_included

PAGES = [page for page in pages() if "<!-- include" in (ROOT / page).read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", PAGES)
def test_an_example_is_what_its_file_has(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert text.count("<!-- include") == len(INCLUDE.findall(text)), f"{page}: an include that is not closed"
    assert with_included(text) == text, f"{page}: python -m tests.docs.included brings it up to date"


def test_lines_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.docs.included.ROOT", tmp_path)
    (tmp_path / "table.md").write_text("# T\n| a |\n| b |\n\n| c |\n")
    assert taken("table.md", "| a", "| b") == "| a |\n| b |"
    assert taken("table.md", "| c", None) == "| c |"
    text = '<!-- include table.md "| a" "| b" -->\nold\n<!-- /include -->\n'
    assert with_included(text) == '<!-- include table.md "| a" "| b" -->\n\n| a |\n| b |\n\n<!-- /include -->\n'
    with pytest.raises(AssertionError, match=r"table\.md: no line begins with '\| d'"):
        taken("table.md", "| d", None)
    with pytest.raises(AssertionError, match=r"no line from line 3 on begins with '\| a'"):
        taken("table.md", "| b", "| a")
