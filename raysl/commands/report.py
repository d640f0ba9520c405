"""`raysl report`: tables from the store."""

from __future__ import annotations

import gc
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from raysl.commands.inputs import Planned, refuse_one_name
from raysl.commands.output_file import PAGE
from raysl.commands.searches import searched, with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.config.cell import CellConfig
from raysl.config.cells import Cell, evaluation_key
from raysl.config.component import Chosen
from raysl.data.fetch import shown_address
from raysl.data.places import Places
from raysl.planning.differences import describe_differences
from raysl.planning.trivial import TRIVIAL
from raysl.reports.axes import column_axes, evaluation_options, row_axes
from raysl.reports.collect import collect
from raysl.reports.curves import CurveReader, read_curves, read_downstream
from raysl.reports.figure import FigureInput, rows_with_curves
from raysl.reports.formats import read_formats
from raysl.reports.input import ReferenceLine, ReportInput
from raysl.reports.markdown import render_markdown
from raysl.reports.seen_clips import SeenClips
from raysl.reports.table import Table, build_table
from raysl.reports.thumbnails import SHORT_SIDE, Thumbnails
from raysl.reports.write import write_table
from raysl.reports.write_figures import FOLDER, DrawnFigure, draw_figures, draws, write_figures
from raysl.results import Shelf, StoredCell
from raysl.results.place import Place, place


@dataclass
class ReadOnce(Shelf):
    """A shelf that caches what it found, assuming that no run writes to the store meanwhile.

    Attributes:
        places: of the videos; None: they are not searched.
    """

    found: dict[tuple[str, ...], StoredCell] = field(default_factory=dict)
    places: Places | None = None

    def find(self, cell: Cell) -> StoredCell:
        evaluations = (f"{one.label} {evaluation_key(one)}" for one in cell.evaluations)
        key = (cell.key, *evaluations)
        if key not in self.found:
            self.found[key] = super().find(cell)
        return replace(self.found[key], cell=cell)

    @cached_property
    def curves(self) -> CurveReader:
        """The cells of the store."""
        return CurveReader(self.store)


@dataclass(frozen=True)
class Reported:
    """The report of a study.

    Attributes:
        folder: as the user gave it, with the study's part added.
        files: written now, relative to the folder.
        figures: with what a page embeds, if there is one.
    """

    item: Planned
    table: Table
    folder: str
    files: tuple[str, ...]
    figures: tuple[DrawnFigure, ...] = ()


def write_reports(
    planned: list[Planned],
    shelf: Shelf,
    storage: str,
    reports: str | Path,
    console: PlainConsole,
    formats: Collection[str] | None = None,
    page: str | None = None,
    places: Places | None = None,
    *,
    shown: bool = True,
) -> list[Reported]:
    """Writes the report of every study to ``reports/<study>/[<scale>/]`` and prints the tables.

    Whatever the formats, a cell is read once, and a figure drawn once.

    Args:
        formats: of `raysl.reports.formats.FORMATS`; None: the default. None at all: nothing is written but the page.
        page: a file, or an object of a bucket, for one page of all studies.
        places: of the studies' videos, which figures show pictures of; None: they show names.
        shown: whether the tables are printed, with everything below them.

    Raises:
        ConfigError: ``page`` names no file, or two studies have one name.
        StorageError: the store cannot be read, or something not written.
    """
    with _few_collections():
        return _write_reports(planned, shelf, storage, reports, console, formats, page, places, shown)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Disables garbage collection: nearly all objects of a report stay until its end, and collecting took 1.2 of the 20
    s of a thousand cells."""
    before = gc.get_threshold()
    gc.set_threshold(before[0], 10 * before[1], 10 * before[2])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _write_reports(
    planned: list[Planned],
    shelf: Shelf,
    storage: str,
    reports: str | Path,
    console: PlainConsole,
    formats: Collection[str] | None,
    page: str | None,
    places: Places | None,
    shown: bool,
) -> list[Reported]:
    refuse_one_name(planned)
    formats = read_formats() if formats is None else formats
    html = page is not None or "html" in formats
    if page is not None:
        PAGE.find(page)  # refuses a name that is no file before anything is made
    once = ReadOnce(shelf.store.kept(), shelf.data, places=places)
    made = []
    for item in with_known_best(planned, once):
        folder = reports_place(reports).below(item.study.report_name)
        table = build_table(report_input(item, once, link_to(storage, folder)))
        files = write_table(table, folder, formats)
        if formats and shown:
            console.print_lines(files.get("table.md") or render_markdown(table))
        figures = _figures(item, once, table, folder, formats, html)
        drawn = [file for one in figures for file in one.files(formats)] if draws(formats) else []
        names = [*files, *([f"{FOLDER}/ ({len(figures)} figures)"] if drawn else [])]
        if names:
            console.print(f"written: {', '.join(f'{folder.shown}/{name}' for name in names)}")
        own_page = ["index.html"] if "html" in formats else []
        given = f"{shown_address(str(reports))}/{item.study.report_name}"
        made.append(Reported(item, table, given, (*files, *drawn, *own_page), figures))
    if html:
        from raysl.commands.page import write_pages  # which reads more of every cell

        write_pages(made, once, storage, console, reports if "html" in formats else None, page)
    return made


def _figures(
    item: Planned, shelf: ReadOnce, table: Table, folder: Place, formats: Collection[str], html: bool
) -> tuple[DrawnFigure, ...]:
    """Draws what is written, or embedded in a page, and writes what is written."""
    if not html and not draws(formats):
        return ()
    pictures = {*formats, *(["svg"] if html else [])}
    figures = draw_figures(figure_input(item, shelf, table), pictures, item.study.options.figures)
    if draws(formats):
        write_figures(figures, folder, formats, item.study.options.figures)
    return tuple(figures)


def reports_place(reports: str | Path) -> Place:
    """The folder, or the part of a bucket, that reports are written below.

    Raises:
        StorageError: the address is not understood.
    """
    return place(reports, "folder of reports", "--reports")


def report_input(item: Planned, shelf: Shelf, store_link: str | None = None) -> ReportInput:
    """The input of one study's table."""
    study = item.study
    return collect(
        shelf,
        item.cells,
        title=study.options.title,
        baseline=study.options.baseline,
        scale=study.scale,
        columns=None if study.options.columns is None else [study.column(text) for text in study.options.columns],
        references=[ReferenceLine(line.name, line.values, line.note) for line in study.references],
        store_link=store_link,
        published=study.published,
        searched=searched(item, shelf),
        differences=describe_differences(study),
        trivial={row.name: TRIVIAL[row.name].note for row in study.trivial},
    )


def figure_input(item: Planned, shelf: ReadOnce, table: Table) -> FigureInput:
    """The input of one study's figures."""
    study, source = item.study, table.source
    rows = rows_with_curves(source.rows, source.baseline)
    options = {one.label: evaluation_options(one) for row in study.rows[:1] for one in row.evaluations}
    data: dict[str, list[Chosen]] = {}
    for row in study.rows:
        for one in row.evaluations:
            if one.data not in data.setdefault(one.label, []):
                data[one.label].append(one.data)
    resize = next((cell.config.clip.resize for cell in item.cells), SHORT_SIDE)
    return FigureInput(
        table,
        curves=read_curves(shelf.curves, rows),
        downstream=read_downstream(shelf.curves, rows),
        axes=(*row_axes(source.differences), *column_axes(source.columns, options)),
        levels=study.levels,
        frames=Thumbnails(data, shelf.places, resize),
        clips=SeenClips(_first_cells(item, source), shelf.places),
    )


def _first_cells(item: Planned, source: ReportInput) -> dict[str, tuple[CellConfig, str]]:
    """From row to the configuration of its first seed, and its place in the store."""
    configs: dict[str, CellConfig] = {}
    for cell in item.cells:
        configs.setdefault(cell.row, cell.config)
    first = {
        row.name: row.cells[0].parts[0] if row.cells[0].parts else row.cells[0] for row in source.rows if row.cells
    }
    return {name: (configs[name], cell.cell) for name, cell in first.items()}


def link_to(storage: str, folder: Place) -> str | None:
    """A relative link from the report to a store that lies below the report's own folder."""
    if "://" in storage or not folder.is_local:
        return None
    relative = os.path.relpath(Path(storage).resolve(), Path(folder.root).resolve())
    return None if relative.startswith("..") else relative
