"""The page as text: what it holds, what is escaped, how large it is."""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raysl.errors import printable
from raysl.reports import CellResult, ReferenceLine, ReportInput, RowInput, build_table
from raysl.reports.curves import CellCurves
from raysl.reports.page import PageFigure, PageStudy, render_page
from raysl.reports.page.cells import CellDetail, EvaluationDetail
from raysl.reports.page.curves import charts
from tests.reports.examples import LINEAR, example
from tests.reports.test_searched import SEARCHED
from tests.reports.test_text import NAMES

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect id="x" width="10" height="10"/></svg>'


class Read(HTMLParser):
    """Elements, their attributes, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "path", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text.append(data.strip())

    def values(self, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for _, attributes in self.tags if attribute in attributes]


def cell(number: int, name: str = "SimCLR", steps: int = 20, classes: int = 3) -> CellDetail:
    curves = pd.DataFrame(
        {
            "step": range(1, steps + 1),
            "epoch": 1,
            "loss/total": [2.0 / step for step in range(1, steps + 1)],
            "metric/accuracy": [float("nan"), *(step / steps for step in range(1, steps))],
        }
    )
    accuracy = {f"class {one} {name}": 100 * one / classes for one in range(classes)}
    return CellDetail(
        row=name,
        seed=str(number),
        title=f"study/{name}/seed{number}",
        name=f"{number:012x}-data",
        verdict="done",
        status="done",
        reason="",
        config={"pretraining": "self_supervised", "note": name, "training.seed": number, "clip.frames": 8},
        evaluations=(EvaluationDetail("linear/ucf", {"top1": 50.0 + number % 9}, accuracy, "", 50.0 + number % 9),),
        minutes=2.5,
        clips_per_second=40.0,
        curves=CellCurves.of({str(name): curves[name].to_numpy(float) for name in curves}),
        environment={"packages": f"torch 2.15.0 {name}"},
        commit=f"{number:040x}",
        warnings=(f"a warning: {name}",),
        commands=("raysl run study.yaml",),
    )


def study(source: ReportInput | None = None, cells: int = 3, name: str = "SimCLR") -> PageStudy:
    figures = (PageFigure(f"figure {name}", name, SVG),)
    return PageStudy(
        "mine/study", build_table(source or example()), tuple(cell(i, name) for i in range(cells)), figures
    )


def named(name: str) -> ReportInput:
    """Title, rows, baseline, references, notes and reasons of this name."""
    given, rows = example(), example().rows
    return replace(
        given,
        title=name,
        baseline=name,
        rows=(*rows[:1], RowInput(name, rows[1].cells), RowInput("x", (CellResult(1, "c", "failed", name),))),
        references=(ReferenceLine(f"{name} line", {LINEAR.key: 25.0}, name),),
        footnotes=(name,),
        searched=SEARCHED,
    )


def test_the_page_is_alone() -> None:
    """It opens from disk and names nothing that a browser would fetch."""
    page = render_page([study(), study()])
    read = Read(page)
    assert read.open == [], "every element is closed"
    assert {"script", "style", "svg", "meter", "details"} <= {tag for tag, _ in read.tags}
    assert all(link.startswith("#") for tag, found in read.tags if tag == "a" for link in [str(found["href"])])
    assert read.values("src") == []
    assert [gzip.decompress(base64.b64decode(packed)).decode() for packed in read.values("data-svg")] == [SVG, SVG]
    assert "url(" not in page
    assert any(content.startswith("default-src 'none';") for content in read.values("content"))
    assert not [attribute for _, found in read.tags for attribute in found if attribute.startswith("on")]


def test_every_link_has_its_place_and_every_place_its_name() -> None:
    read = Read(render_page([study(), replace(study(), name="other")]))
    ids = read.values("id")
    assert len(set(ids)) == len(ids)
    links = {link.removeprefix("#") for link in read.values("href") if link.startswith("#")}
    assert links <= set(ids)
    assert {"s1-c1", "s2-c3", "s1-config", "s1-e1", "s1-note-a"} <= links


@pytest.mark.parametrize("name", NAMES)
def test_what_users_wrote_is_text(name: str) -> None:
    """As they wrote it, but for what a terminal would obey; in Markdown's sections, in tables, tips and cells."""
    page = render_page([study(named(name), name=name)])
    read = Read(page)
    assert read.open == []
    plain = Read(render_page([study(named("plain"), name="plain")]))
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in plain.tags], "no element is made or lost"
    shown = " ".join(" ".join(read.text).split())
    one_line = " ".join(printable(name).split())
    assert shown.count(one_line) >= 8
    assert f"{one_line} line" in shown
    assert f"class 0 {one_line}" in shown
    assert any(one_line in " ".join(tip.split()) for tip in read.values("title")), "the reason of a hole"


def test_results_differences_and_holes() -> None:
    read = Read(render_page([study()]))
    tips = read.values("title")
    assert "95 % interval 35.2 to 84.8\nseed 0: 50.0\nseed 1: 60.0\nseed 2: 70.0" in tips
    (decided,) = [tip for tip in tips if tip.startswith("-36.7 [")]
    assert "over seeds: p " in decided
    assert "over test videos: p " in decided
    assert "seeds 0, 1, 2: missing" in tips, "a hole says why"
    assert "-36.7 ✓" in read.text
    assert "1 of 1" in read.text, "decided differences"
    for said in ("random: linear/ucf top1 -36.7 points, 95 % interval", "What the augmentation adds", "mine/study"):
        assert any(said in text for text in read.text), said


def test_a_search_shows_every_trial() -> None:
    read = Read(render_page([study(named("SimCLR"))]))
    assert {f"trial {one.number}" for one in SEARCHED.trials} <= set(read.text)
    assert all(float(key) is not None for key in read.values("data-sort")), "what is sorted by a key is a number"


def test_a_cell_in_full() -> None:
    read = Read(render_page([study()]))
    for said in ("000000000001-data", "a warning: SimCLR", "training.seed", "raysl run study.yaml", "class 1 SimCLR"):
        assert said in read.text, said
    assert read.values("href").count("#s1-config") == 3
    assert read.text.count("training.seed") == 3, "of the reference, and of the two cells that differ from it"
    paths = read.values("d")
    assert len(paths) == 2 * 3
    assert all(re.fullmatch(r"(M-?\d+ \d+(l-?\d+[ -]\d+)*)+", path) for path in paths), paths
    assert len(read.values("aria-label")) >= 2 * 3


def test_the_same_studies_give_the_same_page_in_any_process() -> None:
    assert render_page([study()]) == render_page([study()])


def test_without_cells_figures_or_anything_done() -> None:
    rows = tuple(
        replace(row, cells=tuple(CellResult(seed, "", "missing") for seed in range(3))) for row in example().rows
    )
    empty = PageStudy("x", build_table(replace(example(), rows=rows)))
    read = Read(render_page([empty]))
    assert read.open == []
    assert "0 of 0" in read.text


@pytest.mark.slow
def test_curves_that_coincide_are_one_line() -> None:
    steps = np.arange(1.0, 41)
    loss = {"loss/total": np.sqrt(steps), "loss/contrastive": np.sqrt(steps), "loss/local": np.sqrt(steps)[::-1]}
    (chart,) = charts(CellCurves.of({"step": steps, "epoch": steps, **loss}))
    assert [(line.name, line.last) for line in chart.lines] == [("total, contrastive", "6.32"), ("local", "1")]


def test_looks_that_lie_apart_are_joined() -> None:
    steps = np.arange(1.0, 41)
    spread = np.where(steps % 10 == 0, steps / 40, np.nan)
    (chart,) = charts(CellCurves.of({"step": steps, "epoch": steps, "monitor/spread": spread}))
    assert (chart.title, chart.low, chart.high) == ("spread of features", "0.25", "1")
    (line,) = chart.lines
    assert (line.path.count("M"), line.path.count("l")) == (1, 3)


def test_a_page_of_a_thousand_cells_stays_small() -> None:
    """Of ten studies, with 101 classes in each of two evaluations."""
    many = [
        replace(cell(i, f"row {i // 3}", steps=400, classes=101), environment={"packages": "torch 2.15.0"})
        for i in range(1000)
    ]
    many = [replace(one, evaluations=one.evaluations * 2) for one in many]
    studies = [replace(study(), name=f"study {i}", cells=tuple(many[i * 100 : i * 100 + 100])) for i in range(10)]
    page = render_page(studies)
    assert len(page.encode()) < 5_000_000
    assert "(the five lowest and highest of 101)" in page
    assert "<meter" not in page, "so many cells show their classes as text"


def test_a_page_of_many_figures_and_cells_leaves_out_the_largest_and_says_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("raysl.reports.page.MANY_CELLS", 2)
    large = PageFigure("large", "", "".join(map(str, range(3000))), "figures/large.svg")
    monkeypatch.setattr("raysl.reports.page.FIGURE_BYTES_OF_MANY", len(large.packed))
    commands = ("raysl run study.yaml", "python -m raysl.training x")
    source = study()
    cells = tuple(replace(one, commands=commands) for one in source.cells)
    read = Read(render_page([replace(source, cells=cells, figures=(large, *source.figures))]))
    assert len(read.values("data-svg")) == 1
    assert any("figures/large.svg beside the study" in text for text in read.text)
    said = "\n".join(read.text)
    assert (said.count(commands[0]), said.count(commands[1])) == (1, 3), "what all cells share is said once"


def test_templates_are_in_the_package() -> None:
    import tomllib

    project = Path(__file__).resolve().parents[3]
    patterns = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["raysl"]
    packaged = {file for pattern in patterns for file in (project / "raysl").glob(pattern)}
    assert set((project / "raysl" / "reports" / "page" / "templates").iterdir()) <= packaged
