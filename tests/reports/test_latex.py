"""Tables as LaTeX: their structure always, and compiled where pdfLaTeX is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from raysl.published import match, published_table
from raysl.reports import CellResult, Published, ReferenceLine, ReportInput, RowInput, build_table
from raysl.reports.latex import best_rows, render_latex
from tests.reports.examples import LINEAR, done, example
from tests.reports.test_text import NAMES

GOLDEN = Path(__file__).parent / "golden"


def rows_of(text: str) -> list[list[str]]:
    """The cells of every line of the tabular; a heading over several columns counts as many."""
    body = text.partition(r"\begin{tabular}")[2].partition(r"\end{tabular}")[0]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    rows = []
    for line in lines:
        cells: list[str] = []
        for cell in re.split(r"(?<!\\)&", line.removesuffix(r"\\")):
            spans = re.match(r" *\\multicolumn\{(\d+)\}", cell)
            cells += [cell.strip()] * (int(spans[1]) if spans else 1)
        rows.append(cells)
    return rows


def check_structure(text: str) -> None:
    assert text.isascii()
    columns = re.search(r"\\begin\{tabular\}\{(l)(r+)\}", text)
    assert columns is not None
    assert {len(row) for row in rows_of(text)} == {1 + len(columns[2])}
    for environment in ("table", "tabular"):
        assert text.count(rf"\begin{{{environment}}}") == text.count(rf"\end{{{environment}}}") == 1
    plain = re.sub(r"(?m)(?<!\\)%.*$", "", re.sub(r"\\[{}]", "", text))
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert [plain.index(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == sorted(
        plain.index(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")
    )


def named(name: str) -> ReportInput:
    """Title, rows, baseline, references and reasons of this name."""
    given, rows = example(), example().rows
    failed = CellResult(1, "c1-d", "failed", name)
    return replace(
        given,
        title=name,
        baseline=name,
        rows=(*rows[:1], RowInput(name, rows[1].cells), RowInput(f"{name} 2", (failed,)), *rows[3:]),
        references=(ReferenceLine(f"{name} line", {LINEAR.key: 25.0}, name),),
        footnotes=(name,),
        differences=None,
    )


def test_the_golden_table() -> None:
    text = render_latex(build_table(example()))
    assert text == (GOLDEN / "table.tex").read_text(encoding="ascii")
    check_structure(text)


@pytest.mark.parametrize("name", NAMES)
def test_names_do_not_change_the_structure(name: str) -> None:
    text = render_latex(build_table(named(name)))
    check_structure(text)
    assert len(rows_of(text)) == 2 + 5 + 1, "headings, rows, a reference"


def test_best_is_bold_where_the_seeds_decide_it() -> None:
    def source(rights: list[int]) -> ReportInput:
        best = RowInput("best", tuple(done(seed, f"d{seed}", right, 0.0) for seed, right in enumerate(rights)))
        worst = RowInput("worst", tuple(done(seed, f"e{seed}", 1, 0.0) for seed in range(3)))
        base = RowInput("base", tuple(done(seed, f"f{seed}", 5 - seed % 2, 0.0) for seed in range(3)))
        return replace(example(), rows=(base, worst, best), baseline="base", columns=(LINEAR,), differences=None)

    decided, open_, below = (build_table(source(rights)) for rights in ([9, 9, 9], [9, 3, 9], [1, 1, 2]))
    assert best_rows(decided, 0) == {"best"}
    assert r"best & $\mathbf{90.0}$ (all equal) & $+43.3^{*}$ \\" in render_latex(decided)
    assert "Bold: " in render_latex(decided)
    assert best_rows(open_, 0) == set()
    assert r"\mathbf" not in render_latex(open_)
    assert "Bold: " not in render_latex(open_)
    assert best_rows(below, 0) == {"base"}, "every other row is decided to be worse"
    alone = build_table(replace(source([9, 9, 9]), baseline=None))
    assert best_rows(alone, 0) == set(), "nothing is tested"


def test_the_caption_says_how_the_numbers_were_made() -> None:
    text = render_latex(build_table(example()))
    (caption,) = re.findall(r"\\caption\{(.*)\}\n", text)
    for said in (
        "What the augmentation adds.",
        "over seeds (their number $n$ in brackets)",
        "Scale: laptop, which reduces the cost.",
        "paired $t$-test, two-sided, $p < 0.05$ after Holm's correction (number of tests: 1)",
        "linear/ucf: 10 or 10 of 7 recordings",
    ):
        assert said in caption
    rows = [row for row in example().rows if row.name in ("random", "SimCLR")]
    whole = build_table(replace(example(), rows=tuple(rows), differences=None))
    assert "over $n = 3$ seeds" in render_latex(whole)


def test_published_numbers_stand_beside_ours() -> None:
    theirs = published_table("cvrl_t6")
    found = match(theirs, {"random": {"hidden_layers": 3}, "SimCLR": {"hidden_layers": 0}}, {LINEAR.key: "top1"})
    text = render_latex(build_table(replace(example(), published=Published(found, {LINEAR: "top1"}))))
    check_structure(text)
    lines = {row[0]: row for row in rows_of(text)}
    assert lines[""][1:] == ["measured", "published", "difference"]
    number = theirs.rows[found.rows["random"]][theirs.columns.index("top1")]
    assert lines["random"][2] == f"${number}$"
    assert lines["again"][2] == "--"
    assert f"Published: Table {theirs.number} of " in text
    assert "of full scale: compare the order of rows, not numbers" in text


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["OT1", "T1"])
def test_pdflatex_compiles_tables_of_all_names(encoding: str, tmp_path: Path) -> None:
    """On a machine without TeX the structure above is all that is checked."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base, texlive-latex-recommended)")
    tables = [render_latex(build_table(source)) for source in (example(), *map(named, NAMES))]
    head = rf"\documentclass{{article}}\usepackage[{encoding}]{{fontenc}}\usepackage{{booktabs}}"
    text = "\n".join([head, r"\begin{document}", *(f"{one}\\clearpage" for one in tables), r"\end{document}"])
    (tmp_path / "paper.tex").write_text(text, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"({len(tables)} pages" in done.stdout
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert "Missing character" not in log
    assert "undefined" not in log.lower()
