"""What users wrote, as LaTeX."""

from __future__ import annotations

import re

import pytest

from raysl.reports.tex import tex
from tests.reports.test_text import NAMES

KNOWN = re.compile(r"\\([#$%&_{}]|[a-zA-Z]+|[`'^~=.\"]|(?=\{))")
"""Commands; what a name has of its own is none of them."""


@pytest.mark.parametrize("name", [*NAMES, "C:\\new\\table", "λ ≥ 0.5 → Ω", "naïve Łukasz Erdős", "日本 1", "---''',,,"])
def test_nothing_of_a_name_is_left_that_tex_acts_on(name: str) -> None:
    text = tex(name)
    assert text.isascii()
    assert text.isprintable(), "one line"
    plain = KNOWN.sub("", text).replace("ensuremath", "")
    assert not re.search(r'[\\#$%&~"`]', plain), plain
    if "ensuremath" not in text:
        assert not re.search(r"[_^]", plain), plain
    assert plain.count("{") == plain.count("}")
    assert not text.startswith(("[", "*")), "after the end of a row these are options"
    assert not re.search(r"--|''|,,|``", text), "another character"


def test_what_pdflatex_has_a_glyph_for_is_shown() -> None:
    assert tex("é Å ß ł λ Ω ± → x²") == (
        r"\'{e} \r{A} \ss{} \l{} \ensuremath{\lambda} \ensuremath{\Omega} \ensuremath{\pm} \ensuremath{\rightarrow} "
        r"x\ensuremath{^2}"
    )
    assert tex("e\u0301") == tex("é"), "however it is composed"


def test_what_it_has_no_glyph_for_is_numbered() -> None:
    assert tex("a 😀! ملف") == "a [U+1F600]! [U+0645 U+0644 U+0641]"
    assert tex("日本") == "{[U+65E5 U+672C]}"


def test_text_as_people_type_it_stays_readable() -> None:
    assert tex("linear/ucf101 top1, R@1 + shuffle (leave-one-out)") == (
        "linear/ucf101 top1, R@1 + shuffle (leave-one-out)"
    )
    assert tex("100 % of a_b & c|d") == r"100 \% of a\_b \& c\textbar{}d"
