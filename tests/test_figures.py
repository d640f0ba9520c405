"""No figure of README and docs is typed by hand: each comes from a file that is named, or is a listed setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from raysl.reports.marks import figures_in, stands_in

PROJECT = Path(__file__).resolve().parents[1]
GENERATED = {"docs/results.md", "docs/fidelity.md"}
"""Whole pages that are written by a command, and held to it by tests of their own; so is docs/reference/."""
PAGES = sorted(
    page
    for page in ("README.md", *(file.relative_to(PROJECT).as_posix() for file in (PROJECT / "docs").rglob("*.md")))
    if page not in GENERATED and not page.startswith("docs/reference/")
)
LISTED: dict[str, dict[str, str]] = yaml.safe_load((PROJECT / "tests" / "figures.yaml").read_text(encoding="utf-8"))
LEFT_OUT = re.compile(
    r"^( *)(`{3,})[^\n`]*\n.*?^\1\2`*[ ]*$"  # code
    r"|<!-- from: [^>]*-->.*?<!-- /from -->|<!--.*?-->"
    r"|`+[^`\n]+`+|\]\([^)]*\)|https?://\S+",  # code within a line, addresses
    re.DOTALL | re.MULTILINE,
)


def typed(text: str) -> list[str]:
    """The figures of a page that no mark holds to a file."""
    return figures_in(LEFT_OUT.sub(" ", text))


def text_of(page: str) -> str:
    return (PROJECT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_has_a_source(page: str) -> None:
    unknown = dict.fromkeys(figure for figure in typed(text_of(page)) if figure not in LISTED.get(page, {}))
    assert not unknown, (
        f"{page}: {', '.join(unknown)}: results stand between <!-- from: FILE --> and <!-- /from -->; "
        "what is a setting stands in tests/figures.yaml"
    )


@pytest.mark.parametrize("page", [page for page in LISTED if (PROJECT / page).is_file()])
def test_a_listed_figure_is_on_its_page_and_in_its_file(page: str) -> None:
    found = set(typed(text_of(page)))
    for figure, source in LISTED[page].items():
        assert figure in found, f"{page}: {figure} is listed and not on the page"
        file, _, content = source.partition(": ")
        if file != "known":
            assert stands_in(content, text_of(file)), f"{page}: {figure}: {file} has no {content!r}"
        assert content, f"{page}: {figure}: no reason"


def test_a_figure_that_is_typed_is_found() -> None:
    text = "It takes 12.5 s, not `9.5 s`, <!-- from: a.txt -->3.5 s<!-- /from --> or\n```\n4.5 s\n```\nSee [1 s](2 s)."
    assert typed(text) == ["12.5 s", "1 s"]


def test_readme_is_one_page() -> None:
    assert len(text_of("README.md").split()) <= 900
