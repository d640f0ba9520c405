"""The reference pages: those that are checked in, and their links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raysl.cli import app
from raysl.commands.reference import commands_page, write_reference
from raysl.commands.terminal import PlainConsole
from raysl.config.component import KINDS, names
from raysl.errors import ConfigError
from raysl.reports.reference import prose, reference_pages
from tests.search_spaces.shipped import SEARCH_SPACES

DOCS = SEARCH_SPACES.parent / "docs"
PAGES = sorted((DOCS / "reference").glob("*.md"))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pages_that_are_checked_in_are_those_of_now() -> None:
    assert write_reference(app, DOCS / "reference", PlainConsole(), check=True), "write them anew: raysl reference"


@pytest.mark.parametrize("page", [*PAGES, DOCS / "glossary.md"], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    for link in links:
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        other = (page.parent / target).resolve() if target else page
        assert other.is_file(), link
        assert not anchor or anchor in anchors(other), link


def test_the_index_leads_to_every_page_and_every_component_has_a_heading() -> None:
    index = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.name != "index.md" and f"({page.name})" not in index] == []
    pages = reference_pages()
    for kind in KINDS:
        for name in names(kind):
            assert f"\n## {name}\n" in pages[f"{kind.replace(' ', '-')}.md"]


def test_a_row_of_each_page() -> None:
    pages = reference_pages()
    row = (
        "| `queue_size` | int 2 to 16777216 (keys) | `65536` | keys that are kept as negatives; a multiple of the keys"
    )
    assert row in pages["framework.md"]
    assert "| `objective.contrastive` | [a framework](framework.md)" not in pages["configuration.md"]
    assert "| `objective.contrastive` | a [framework](framework.md), or null | `null` |" in pages["configuration.md"]
    assert "| `search.trials` | int 1 to 1e6 (trials) | `24` | configurations tried (enters no id)" in pages["study.md"]
    commands = commands_page(app)
    assert "raysl run [OPTIONS] STUDIES...\n" in commands
    assert "| `--max-concurrent INTEGER` |  | Cells at a time; default: what fits. |" in commands
    assert "| `--from RECIPE` | `recipes/simclr` | As a study's base: names it. |" in commands
    assert "\n## raysl data check\n" in commands
    lines = "\n".join([*pages.values(), commands]).splitlines()
    tables = [line for line in lines if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} <= {4, 6}, "a cell holds a bar of its own"


def test_prose_keeps_code_and_escapes_the_rest() -> None:
    assert prose("a * b <c> [d] `e*f[g]`") == r"a \* b \<c\> \[d\] `e*f[g]`"


def test_writing_and_checking(tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    (folder / "old.md").write_text("", encoding="utf-8")
    assert write_reference(app, folder, PlainConsole(), check=False)
    assert [path.name for path in sorted(folder.iterdir())] == [page.name for page in PAGES]
    assert not write_reference(app, DOCS, PlainConsole(), check=True), "other pages are there"
    with pytest.raises(ConfigError, match="there is no folder"):
        write_reference(app, tmp_path / "a" / "b", PlainConsole(), check=False)
