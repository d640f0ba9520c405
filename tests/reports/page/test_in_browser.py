"""The page in a real browser, where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from raysl.reports.page import render_page
from tests.reports.page.browser import Page, browser
from tests.reports.page.test_page import named, study
from tests.reports.test_text import NAMES

pytestmark = pytest.mark.slow

FIRST_TABLE = "document.querySelector('#s1 table')"
ROWS = f"[...{FIRST_TABLE}.tBodies[0].rows].map(row => row.cells[0].textContent)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(render_page([study(), *(study(named(name), name=name) for name in NAMES)]), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_complained_of_and_nothing_is_wider_than_the_window(
    width: int, scheme: str, page: Page, file: Path
) -> None:
    page.open(file, width, scheme=scheme)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("Promise.all([...document.images].map(one => one.decode()))")
    pictures = "document.querySelectorAll('.picture').length"
    assert page.evaluate(f"document.images.length === {pictures} && {pictures} > 0")
    assert page.evaluate("[...document.images].every(one => one.naturalWidth > 0 && one.alt.startsWith('figure '))")
    assert page.complaints == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 22, 26)")


def test_headings_sort(page: Page, file: Path) -> None:
    page.open(file, 1280)
    before = page.evaluate(ROWS)
    assert before == ["random", "SimCLR", "strong | widea", "absent", "again", "motion baseline"]
    press = f"{FIRST_TABLE}.tHead.rows[0].cells[1].querySelector('button').click()"
    page.evaluate(press)
    rising = page.evaluate(ROWS)
    assert rising == ["random", "SimCLR", "again", "strong | widea", "absent", "motion baseline"], (
        "holes and lines last"
    )
    assert page.evaluate(f"{FIRST_TABLE}.tHead.rows[0].cells[1].ariaSort") == "ascending"
    page.evaluate(press)
    assert page.evaluate(ROWS) == ["strong | widea", "SimCLR", "again", "random", "absent", "motion baseline"]
    page.evaluate(press)
    assert page.evaluate(ROWS) == before
    sorted_details = (
        "document.querySelector('#s1 .prose table').tHead.rows[0].cells[1].querySelector('button') !== null"
    )
    assert page.evaluate(sorted_details), "tables of the report's sections sort too"


@pytest.mark.parametrize("width", [360, 1280])
def test_a_difference_shows_its_interval_to_the_keyboard_and_to_the_mouse(width: int, page: Page, file: Path) -> None:
    page.open(file, width)
    value = "document.querySelector('#s1 td.decided .tip')"
    tip = "document.getElementById('tip')"
    page.evaluate(f"{value}.scrollIntoView({{block: 'center', inline: 'end'}})")
    page.evaluate(f"{value}.focus()")
    assert page.evaluate(f"{tip}.hidden") is False
    assert page.evaluate(f"{tip}.textContent").startswith("-36.7 [")
    box = page.evaluate(f"(b => [b.left, b.right, b.top, b.bottom])({tip}.getBoundingClientRect())")
    assert box[0] >= 0
    assert box[1] <= width
    page.press("Escape")
    assert page.evaluate(f"{tip}.hidden")
    page.evaluate(f"{value}.blur()")
    x, y = page.evaluate(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({value}.getBoundingClientRect())")
    page.point(x, y)
    assert page.evaluate(f"{tip}.textContent").startswith("-36.7 [")
    page.point(1, 1)
    assert page.evaluate(f"{tip}.hidden")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_link_opens_its_cell(width: int, page: Page, file: Path) -> None:
    page.open(file, width)
    assert not page.evaluate("document.getElementById('s1-c2').checkVisibility()")
    page.evaluate("document.querySelector('a[href=\"#s1-c2\"]').click()")
    page.evaluate("new Promise(done => setTimeout(done, 100))")
    assert page.evaluate("document.getElementById('s1-c2').open")
    assert page.evaluate("document.querySelector('#s1-c2 .charts svg').checkVisibility()")
    assert page.evaluate("Math.abs(document.getElementById('s1-c2').getBoundingClientRect().top) < innerHeight")
    page.open(file, width, hash="#s1-c3")
    assert page.evaluate("document.getElementById('s1-c3').open"), "by its address too"
    assert page.complaints == []


def test_tab_reaches_headings_and_values_and_enter_sorts(page: Page, file: Path) -> None:
    page.open(file, 1280)
    seen: list[str] = []
    for _ in range(40):
        page.press("Tab")
        seen.append(page.evaluate("`${document.activeElement.tagName} ${document.activeElement.className}`".strip()))
    assert {"BUTTON ", "A skip", "A ", "DIV scroll"} <= set(seen)
    page.evaluate(f"{FIRST_TABLE}.tHead.rows[0].cells[0].querySelector('button').focus()")
    page.press("Enter")
    assert page.evaluate(ROWS)[:3] == ["absent", "again", "random"]


def test_on_paper_all_is_open_but_the_cells(page: Page, file: Path, tmp_path: Path) -> None:
    page.open(file, 1280)
    page.pdf(tmp_path / "page.pdf")
    content = (tmp_path / "page.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(content) > 20_000
    assert page.evaluate("document.querySelectorAll('details.fold[open]').length") == 0, "as it was, afterwards"
