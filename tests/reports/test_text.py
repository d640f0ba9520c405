"""What users wrote is shown as they wrote it, read back with a Markdown parser of its own."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from raysl.errors import printable
from raysl.planning.differences import AppliedChanges, Change, Differences
from raysl.reports import ReferenceLine, RowInput, build_table, render_markdown
from raysl.reports.text import code, escaped
from tests.reports.examples import example

NAMES = [
    "<script>alert(1)</script>",
    "a_b & c|d",
    "100 %",
    "\"double\" 'single'",
    "two\nlines",
    "مقارنة الصفوف",
    "😀 ملف 👩‍🔬",
    "*stars* and _lines_ and __more__",
    "`code` and ``more``",
    "[a](http://x) ![b](c)",
    "[a]",
    "# heading #",
    "- list",
    "1. first",
    "12) twelfth",
    "+ shuffle",
    "= same",
    "&amp; &#124; &lt;",
    "~~gone~~ $x_1$ \\ \\| \\",
    "snake_case_name and trailing_ and _leading",
    "<!-- comment -->",
    "{{ jinja }} {% raw %}",
    "right\u202eleft",
]
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(text: str) -> str:
    """The text of inline Markdown, without any markup; HTML and links would show."""
    return "".join(_plain(token) for token in PARSER.parse(text) if token.type == "inline")


def _plain(token: Token) -> str:
    for child in token.children or ():
        assert child.type in ("text", "text_special"), f"{child.type} {child.content!r}"
    return "".join(child.content for child in token.children or ())


@pytest.mark.parametrize("name", NAMES)
def test_text_of_others_has_no_markup(name: str) -> None:
    assert shown(escaped(name)) == printable(name)
    assert shown(f"- {escaped(name)}") == printable(name), "in a list"
    assert shown(f"## {escaped(name)}") == printable(name), "in a heading"
    tokens = PARSER.parse(f"| {escaped(name)} | 1 |\n| --- | --- |\n| {escaped(name)} | 2 |")
    cells = [_plain(token) for token in tokens if token.type == "inline"]
    assert cells == [printable(name), "1", printable(name), "2"], "in a table"


@pytest.mark.parametrize("name", NAMES)
def test_code_of_others_stays_code(name: str) -> None:
    (inline,) = [token for token in PARSER.parse(f"x {code(name)}") if token.type == "inline"]
    children = list(inline.children or ())
    assert [child.type for child in children] == ["text", "code_inline"]
    assert children[1].content == printable(name)


def test_names_within_words_are_left_as_people_type_them() -> None:
    assert escaped("linear/ucf101_5class top1") == "linear/ucf101_5class top1"
    assert escaped("SimCLR + shuffle, R@1, temperature 0.1") == "SimCLR + shuffle, R@1, temperature 0.1"


@pytest.mark.parametrize("name", NAMES)
def test_a_report_shows_what_its_user_gave(name: str) -> None:
    """Title, rows, baseline, references, notes, changes and reasons, in one report."""
    given, rows = example(), example().rows
    named = replace(
        given,
        title=name,
        baseline=name,
        rows=(*rows[:1], RowInput(name, rows[1].cells), *rows[2:]),
        references=(ReferenceLine(f"{name} line", {}, name),),
        footnotes=(name,),
        store_link=f"store {name}",
        differences=Differences(
            name,
            {"random": (Change("key", name, "1"),), name: (), "absent": ()},
            AppliedChanges(overrides=(f"rows={name}",)),
        ),
    )
    text = render_markdown(build_table(named))
    tokens = PARSER.parse(text)
    assert not [token for token in tokens if token.type == "html_block"]
    children = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in children} <= {
        "text",
        "text_special",
        "code_inline",
        "link_open",
        "link_close",
        "em_open",
        "em_close",
        "strong_open",
        "strong_close",
        "softbreak",
    }
    links = [str(child.attrs["href"]) for child in children if child.type == "link_open"]
    assert links
    assert all(unquote(link).startswith(f"store {name}/cells/") for link in links)
    texts = ["".join(child.content for child in token.children or ()) for token in tokens if token.type == "inline"]
    plain = printable(name)
    assert texts[0] == plain
    assert texts.count(plain) >= 4, "title, row, footnote, three cells"
    assert f"{plain} line" in texts
    assert f"Difference to {plain}" in texts
    assert f"{plain} line: {plain}" in texts
    assert f"random: key {plain} → 1" in texts
    assert f"Given --set rows={plain}." in texts
    widths = {len(token.children or ()) for token in tokens if token.type == "tr_open"}
    assert widths == {0}
    for table in text.split("\n\n"):
        if table.startswith("| "):
            assert len({len(row) for row in _cells(table)}) == 1


def _cells(table: str) -> list[list[str]]:
    """The cells of each row as the parser counts them."""
    rows: list[list[str]] = []
    for token in PARSER.parse(table):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and token.level > 2:
            rows[-1].append(token.content)
    return rows
