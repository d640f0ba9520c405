"""A report in a folder or a bucket: a table as Markdown, CSV and LaTeX, and the trials where rows were searched for."""

from __future__ import annotations

from collections.abc import Collection

from raysl.errors import StorageError
from raysl.reports.input import ReportInput
from raysl.reports.latex import render_latex
from raysl.reports.markdown import render_markdown
from raysl.reports.searched import render_trials
from raysl.reports.table import Table, build_table
from raysl.reports.tidy import render_csv
from raysl.results.place import Place


def write_report(source: ReportInput, place: Place, formats: Collection[str] = ("md", "csv")) -> Table:
    """Writes the table; the same input gives the same bytes, and a reader never sees a part of a file.

    Args:
        formats: of `raysl.reports.formats.FORMATS`; those of figures are not written here.

    Raises:
        StorageError: it cannot be written.
    """
    table = build_table(source)
    write_table(table, place, formats)
    return table


def write_table(table: Table, place: Place, formats: Collection[str]) -> dict[str, str]:
    """As `write_report`, of a table that was made already; returns what was written, by name."""
    files = table_files(table, formats)
    for name, text in files.items():
        write_file(place, name, text.encode(errors="backslashreplace"))
    return files


def table_files(table: Table, formats: Collection[str]) -> dict[str, str]:
    """Name to content."""
    files = {}
    if "md" in formats:
        files["table.md"] = render_markdown(table)
    if "csv" in formats:
        files["table.csv"] = render_csv(table)
        if table.source.searched is not None:
            files["trials.csv"] = render_trials(table.source.searched)
    if "latex" in formats:
        files["table.tex"] = render_latex(table)
    return files


def write_file(place: Place, name: str, content: bytes) -> None:
    """Writes one file of a report.

    Raises:
        StorageError: naming the option that gives another folder.
    """
    try:
        place.write(name, content)
    except StorageError as error:
        raise StorageError(
            f"the report cannot be written to {place.shown}: {error.__cause__}; give another folder with --reports"
        ) from error
