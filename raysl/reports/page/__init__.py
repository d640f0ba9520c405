"""One self-contained page of several studies: it opens from disk without a network. Figures need its script.

Templates (``templates/``) are Jinja's, with autoescape on: user text is always shown as text.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from markupsafe import Markup

from raysl.errors import printable
from raysl.reports.markdown import notes
from raysl.reports.page.cells import CellDetail
from raysl.reports.page.curves import LEARNING_RATE, Chart, charts, points_for
from raysl.reports.page.sections import Grid, Texts, results_grid, texts, trials_grid
from raysl.reports.table import Table
from raysl.reports.text import HOLE

FEW_CLASSES, MOST_CLASSES = 12, 20_000
"""The most classes shown as bars; if all cells have more values than the second number, those in the middle are left
out."""
MANY_CELLS = 300
"""With more cells, these show classes as text, no learning rate, and only their own commands."""
FIGURE_BYTES, FIGURE_BYTES_OF_MANY = 3_000_000, 1_200_000
"""Bytes of packed figures on a page, and on one with many cells: beyond that, the largest are left out, and named."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"
"""What a browser may load for the page: nothing."""


@dataclass(frozen=True)
class PageFigure:
    """A figure as SVG, with its caption.

    Attributes:
        file: below the report's folder, where ``raysl report`` writes it.
    """

    title: str
    caption: str
    svg: str
    file: str = ""

    @cached_property
    def packed(self) -> str:
        """Compressed to a tenth; the page's script unpacks it into an image, so that its ids cannot collide."""
        return base64.b64encode(gzip.compress(self.svg.encode(), mtime=0)).decode()


@dataclass(frozen=True)
class PageStudy:
    """A study as the page shows it.

    Attributes:
        name: the folder of its report.
        cells: each once, in the order of the table's rows.
    """

    name: str
    table: Table
    cells: tuple[CellDetail, ...] = ()
    figures: tuple[PageFigure, ...] = ()

    @cached_property
    def counts(self) -> dict[str, int]:
        """done, failed and missing cells."""
        return {kind: sum(cell.verdict == kind for cell in self.cells) for kind in ("done", "failed", "missing")}

    @cached_property
    def minutes(self) -> float:
        """Of pretraining, over all cells."""
        return sum(cell.minutes or 0.0 for cell in self.cells)

    @cached_property
    def decided(self) -> tuple[int, int]:
        """How many differences of headline metrics the seeds decide, and out of how many."""
        found = [entry.difference for row in self.table.rows for entry in row.entries]
        return sum(one is not None and one.decided for one in found), self.table.family

    @cached_property
    def reference(self) -> CellDetail:
        """The cell with a full configuration, against which others are described: the baseline's first."""
        trained = [cell for cell in self.cells if cell.config.get("pretraining") != "none"]
        named = [cell for cell in self.cells if cell.row == self.table.source.baseline]
        return [*named, *trained, *self.cells][0]

    def changes(self, cell: CellDetail) -> dict[str, Any]:
        """The values of the cell's configuration that differ from the reference; ``-`` for absent ones."""
        theirs = self.reference.config
        changed = {key: value for key, value in cell.config.items() if key not in theirs or theirs[key] != value}
        return changed | {key: HOLE for key in theirs if key not in cell.config}

    @property
    def shared_commands(self) -> tuple[str, ...]:
        """Commands that compute every cell of the study again."""
        return tuple(line for line in self.reference.commands if line not in self.reference.own_commands)

    @cached_property
    def environments(self) -> list[Mapping[str, str]]:
        """Environments, each once: cells of one run share theirs."""
        return [
            dict(one) for one in dict.fromkeys(tuple((cell.environment or {}).items()) for cell in self.cells) if one
        ]

    def environment_of(self, cell: CellDetail) -> int:
        """Its number, from 1."""
        return 1 + self.environments.index(dict(cell.environment or {}))

    @cached_property
    def results(self) -> Grid:
        return results_grid(self.table)

    @cached_property
    def texts(self) -> Texts:
        return texts(self.table)

    @cached_property
    def notes(self) -> list[tuple[str, str]]:
        return notes(self.table)

    @cached_property
    def trials(self) -> Grid | None:
        return None if self.table.source.searched is None else trials_grid(self.table.source.searched)


def render_page(studies: Sequence[PageStudy]) -> str:
    """The whole page; the same studies give the same text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("raysl.reports.page")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["lines"] = _lines
    cells = [cell for study in studies for cell in study.cells]
    few_cells = len(cells) <= MANY_CELLS
    points = points_for(cell.curves for cell in cells)
    classes = sum(len(one.classes) for cell in cells for one in cell.evaluations)

    def charts_of(cell: CellDetail) -> tuple[Chart, ...]:
        return tuple(one for one in charts(cell.curves, points) if few_cells or one.title != LEARNING_RATE)

    return environment.get_template("page.html").render(
        studies=studies,
        policy=POLICY,
        charts_of=charts_of,
        shown_figures=_shown_figures(studies, FIGURE_BYTES if few_cells else FIGURE_BYTES_OF_MANY),
        shown=_shown,
        few_classes=FEW_CLASSES if few_cells else 0,
        few_shown=classes > MOST_CLASSES,
        own_commands_alone=not few_cells,
    )


def _one_line(value: Any) -> Any:
    """User text without characters that turn the direction of writing or end a line; then escaped."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(texts: Iterable[str]) -> Markup:
    return Markup("\n").join(map(printable, texts))


def _shown(value: Any) -> str:
    """A value of a configuration in its file's notation."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown_figures(studies: Sequence[PageStudy], most: int) -> list[PageFigure]:
    """All, or the smaller ones."""
    found, size = list[PageFigure](), 0
    for figure in sorted((figure for study in studies for figure in study.figures), key=lambda one: len(one.packed)):
        size += len(figure.packed)
        if size <= most:
            found.append(figure)
    return found
