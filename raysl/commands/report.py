"""`raysl report`: tables from what the store holds."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from raysl.commands.inputs import Planned, refuse_one_name
from raysl.commands.searches import searched, with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.data.fetch import shown_address
from raysl.planning.differences import describe_differences
from raysl.reports.axes import column_axes, evaluation_options, row_axes
from raysl.reports.collect import collect
from raysl.reports.curves import read_curves
from raysl.reports.figure import FigureInput, rows_with_curves
from raysl.reports.formats import read_formats
from raysl.reports.input import ReferenceLine, ReportInput
from raysl.reports.markdown import render_markdown
from raysl.reports.table import Table
from raysl.reports.write import table_files, write_report
from raysl.reports.write_figures import FOLDER, draws, write_figures
from raysl.results import Shelf
from raysl.results.place import Place, place


@dataclass(frozen=True)
class WrittenReport:
    """What was written of one study.

    Attributes:
        folder: as a person gave it, the study's part added.
        files: that were written now, relative to the folder.
    """

    item: Planned
    table: Table
    folder: str
    files: tuple[str, ...]


def write_reports(
    planned: list[Planned],
    shelf: Shelf,
    storage: str,
    reports: str | Path,
    console: PlainConsole,
    formats: Collection[str] | None = None,
    *,
    shown: bool = True,
) -> list[WrittenReport]:
    """Writes what is made of every study to ``reports/<study>/[<scale>/]`` and prints the tables.

    Args:
        formats: of `raysl.reports.formats.FORMATS`; None: the default.
        shown: whether the tables are printed, with all that stands below them.
    """
    refuse_one_name(planned)
    formats = read_formats() if formats is None else formats
    written = []
    for item in with_known_best(planned, shelf):
        folder = reports_place(reports).below(item.study.report_name)
        table = write_report(report_input(item, shelf, link_to(storage, folder)), folder, formats)
        if shown:
            console.print_lines(render_markdown(table))
        files = list(table_files(table, formats))
        drawn = write_figures(figure_input(item, shelf, table), folder, formats) if draws(formats) else []
        names = [*files, f"{FOLDER}/ ({len(drawn)} figures)"] if drawn else files
        console.print(f"written: {', '.join(f'{folder.shown}/{name}' for name in names)}")
        files += [file for figure in drawn for file in figure.files]
        given = f"{shown_address(str(reports))}/{item.study.report_name}"
        written.append(WrittenReport(item, table, given, (*files, *(("index.html",) if "html" in formats else ()))))
    if "html" in formats:
        from raysl.commands.page import write_own_pages  # which reads more of every cell

        write_own_pages(planned, shelf, storage, reports, console, [one.table for one in written])
    return written


def reports_place(reports: str | Path) -> Place:
    """The folder, or the part of a bucket, that reports are written below.

    Raises:
        StorageError: the address is not understood.
    """
    return place(reports, "folder of reports", "--reports")


def report_input(item: Planned, shelf: Shelf, store_link: str | None = None) -> ReportInput:
    """What the table of one study is made from."""
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
    )


def figure_input(item: Planned, shelf: Shelf, table: Table) -> FigureInput:
    """What the figures of one study are made from."""
    study, source = item.study, table.source
    options = {one.label: evaluation_options(one) for row in study.rows[:1] for one in row.evaluations}
    return FigureInput(
        table,
        curves=read_curves(shelf.store, rows_with_curves(source.rows, source.baseline)),
        axes=(*row_axes(source.differences), *column_axes(source.columns, options)),
        levels=study.levels,
    )


def link_to(storage: str, folder: Place) -> str | None:
    """A relative link from the report to a store that lies below the report's own folder."""
    if "://" in storage or not folder.is_local:
        return None
    relative = os.path.relpath(Path(storage).resolve(), Path(folder.root).resolve())
    return None if relative.startswith("..") else relative
