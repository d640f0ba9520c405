"""What every figure keeps, whatever it shows."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from raysl.errors import ConfigError
from raysl.notes import heard
from raysl.reports.draw import FONT, NO_GLYPH, _glyphs, draw, fonts_for
from raysl.reports.figure import MOST_ROWS, FigureInput, find_figures
from raysl.reports.write_figures import as_csv
from tests.reports.figures.inputs import INPUTS, NASTY, everything, named

FIGURES = find_figures()
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def inputs() -> dict[str, FigureInput]:
    return {name: make() for name, make in INPUTS.items()}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "intervals" else pytest.mark.slow) for name in FIGURES]
)
def test_a_figure_draws_whatever_a_study_holds(name: str, inputs: dict[str, FigureInput]) -> None:
    """Without a warning, as an SVG that can be parsed, from a table of its columns."""
    columns = None
    for what, source in inputs.items():
        data = FIGURES[name].table(source)
        assert len(data) or what != "everything", f"nothing is drawn of {what}"
        assert columns is None or list(data.columns) == columns, what
        columns = list(data.columns)
        if len(data):
            root = ElementTree.fromstring(draw(FIGURES[name], data, ["svg"])["svg"])
            assert root.tag.endswith("svg"), what


@pytest.mark.parametrize("name", ["intervals", pytest.param("heat_map", marks=pytest.mark.slow)])
def test_the_same_input_gives_the_same_files(name: str) -> None:
    data = FIGURES[name].table(everything())
    first, again = (draw(FIGURES[name], data, ["md", "svg", "png"]) for _ in range(2))
    assert first == again
    assert sorted(first) == ["png", "svg"]
    assert first["png"].startswith(b"\x89PNG")
    assert b"<dc:date>" not in first["svg"]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_says_what_it_shows(name: str) -> None:
    figure, data = FIGURES[name], FIGURES[name].table(everything())
    assert figure.title
    assert figure.caption.endswith(".")
    assert "panel" in data
    assert all(0 < length < 30 for _, panel in data.groupby("panel") for length in figure.size(panel))


def test_names_are_drawn_as_they_are_written() -> None:
    """No formula, no markup, no control character; long ones end with an ellipsis in their middle."""
    figure = FIGURES["intervals"]
    root = ElementTree.fromstring(draw(figure, figure.table(named(*NASTY)), ["svg"])["svg"])
    texts = ["".join(one.itertext()).strip() for one in root.iter() if one.tag.endswith(("text", "tspan"))]
    assert "<script>alert('1')</script>" in texts
    assert any("$\\alpha^{2$" in text for text in texts)
    assert any("\\n" in text and "\\t" in text for text in texts)
    assert any("…" in text for text in texts)
    assert not any("\x1b" in text or "\n" in text for text in texts)


def test_characters_that_the_font_lacks_are_drawn_with_another_one_or_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not to be found here is a font of China or Japan, so one that is always there stands in for it."""
    assert fonts_for("plain عربي ✓") == [FONT]
    told: list[str] = []
    with heard(told.append):
        assert fonts_for("漢字 🎬") == fonts_for("漢") == [FONT]
    assert told == [NO_GLYPH]
    monkeypatch.setattr("raysl.reports.draw.FALLBACKS", ("absent", "STIXGeneral", "DejaVu Serif"))
    only_there = chr(min(_glyphs("STIXGeneral") - _glyphs(FONT) - set(range(0xE000))))
    with heard(told.append):
        assert fonts_for(only_there) == [FONT, "STIXGeneral"]
    assert told == [NO_GLYPH]


def test_a_figure_of_another_package_is_found_by_its_import_path() -> None:
    path = "tests.reports.figures.own_figure"
    own = find_figures((path,))
    assert next(iter(own)) == path, "its order is the first"
    assert own[path].table(everything())["rows"].tolist() == [4]
    assert set(own) - {path} == set(FIGURES)
    for wrong, said in (("tests.absent", "there is no module"), ("tests.reports.figures.inputs", "does not end with")):
        with pytest.raises(ConfigError, match=f"figure '{wrong}'.*{said}"):
            find_figures((wrong,))


def test_every_row_has_its_line_in_the_legend() -> None:
    figure = FIGURES["training_curves"]
    text = draw(figure, figure.table(named("_hidden", "shown")), ["svg"])["svg"].decode()
    assert ">_hidden<" in text


def test_more_rows_than_can_be_told_apart_are_said() -> None:
    figure = FIGURES["intervals"]
    data = figure.table(named(*(f"row {number}" for number in range(MOST_ROWS + 2))))
    text = draw(figure, data, ["svg"])["svg"].decode()
    assert f"{MOST_ROWS} of {MOST_ROWS + 2} rows are drawn" in text
    assert f">row {MOST_ROWS - 1}<" in text
    assert f">row {MOST_ROWS}<" not in text
    assert f"row {MOST_ROWS + 1}" in as_csv(data).decode()


def test_curves_of_many_rows_are_grey_with_their_median_and_the_baseline_and_say_of_how_many_rows_they_are() -> None:
    source = named(*(f"row {number}" for number in range(MOST_ROWS + 2)))
    figure = FIGURES["training_curves"]
    loss = figure.table(replace(source, curves=source.curves[source.curves["name"] == "loss/total"]))
    text = draw(figure, loss, ["svg"])["svg"].decode()
    said = ("a row", "median of rows", "row 0", f"It is of {MOST_ROWS} of {MOST_ROWS + 2} rows, as is the CSV.")
    assert all(f">{one}<" in text or one in text for one in said)
    assert ">row 1<" not in text


@pytest.mark.slow
def test_matplotlib_is_imported_where_something_is_drawn_and_needs_no_home() -> None:
    """Whatever folders it cannot write; what it says of that is for nobody."""
    program = (
        "import sys, os; os.environ.pop('MPLCONFIGDIR', None); from raysl.reports.figure import find_figures\n"
        "find_figures(); assert 'matplotlib' not in sys.modules\n"
        "import raysl.reports.draw; assert 'matplotlib.pyplot' not in sys.modules"
    )
    environment = {"HOME": "/proc/none", "XDG_CONFIG_HOME": "/proc/none", "XDG_CACHE_HOME": "/proc/none"}
    path = {"PYTHONPATH": ":".join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment | path, capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, "")
