"""`raysl report`: tables from what the store holds."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from raysl.commands.inputs import Planned, refuse_one_name
from raysl.commands.searches import searched, with_known_best
from raysl.planning.differences import describe_differences
from raysl.planning.locate import Locator
from raysl.planning.plan import PlannedCell
from raysl.reports.collect import TableCell, collect
from raysl.reports.input import ReferenceLine, ReportInput
from raysl.reports.markdown import render_markdown
from raysl.reports.table import Table
from raysl.reports.write import write_report
from raysl.results import open as open_store
from raysl.results.store import Store


def write_reports(planned: list[Planned], storage: str, reports: Path, console: Console) -> list[Table]:
    """Writes ``table.md`` and ``table.csv`` of every study to ``reports/<study>/[<scale>/]`` and prints the tables."""
    refuse_one_name(planned)
    store = open_store(storage)
    tables = []
    for item in with_known_best(planned, store):
        folder = reports / item.study.report_name
        table = write_report(report_input(item, store, _link(storage, folder)), folder)
        console.print(render_markdown(table), markup=False, highlight=False, soft_wrap=True)
        names = ["table.md", "table.csv", *(["trials.csv"] if table.source.searched is not None else [])]
        written = ", ".join(str(folder / name) for name in names)
        console.print(f"written: {written}", highlight=False, soft_wrap=True)
        tables.append(table)
    return tables


def report_input(item: Planned, store: Store, store_link: str | None = None) -> ReportInput:
    """What the table of one study is made from."""
    locator, study = Locator(store), item.study
    return collect(
        store,
        [_table_cell(cell, locator) for cell in item.cells],
        title=study.options.title,
        baseline=study.options.baseline,
        scale=study.scale,
        columns=None if study.options.columns is None else [study.column(text) for text in study.options.columns],
        references=[ReferenceLine(line.name, line.values, line.note) for line in study.references],
        store_link=store_link,
        published=study.published,
        searched=searched(item, store),
        differences=describe_differences(study),
    )


def _table_cell(cell: PlannedCell, locator: Locator) -> TableCell:
    folder = locator.folder(cell)
    evaluations = {item.label: locator.evaluation(item) or item.id for item in cell.evaluations}
    return TableCell(cell.row, cell.seed, cell.id, None if folder is None else folder.partition("-")[2], evaluations)


def _link(storage: str, folder: Path) -> str | None:
    """A relative link from the report to a store that lies below the report's own folder."""
    if "://" in storage:
        return None
    relative = os.path.relpath(Path(storage).resolve(), folder.resolve())
    return None if relative.startswith("..") else relative
