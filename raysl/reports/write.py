"""A report in a folder or a bucket: ``table.md``, ``table.csv``, and ``trials.csv`` where rows were searched for."""

from __future__ import annotations

from raysl.errors import StorageError
from raysl.reports.input import ReportInput
from raysl.reports.markdown import render_markdown
from raysl.reports.searched import render_trials
from raysl.reports.table import Table, build_table
from raysl.reports.tidy import render_csv
from raysl.results.place import Place


def write_report(source: ReportInput, place: Place) -> Table:
    """Writes the files; the same input gives the same bytes, and a reader never sees a part of a file.

    Raises:
        StorageError: it cannot be written.
    """
    table = build_table(source)
    files = {"table.md": render_markdown(table), "table.csv": render_csv(table)}
    if source.searched is not None:
        files["trials.csv"] = render_trials(source.searched)
    for name, text in files.items():
        try:
            place.write(name, text.encode(errors="backslashreplace"))
        except StorageError as error:
            raise StorageError(
                f"the report cannot be written to {place.shown}: {error.__cause__}; give another folder with --reports"
            ) from error
    return table
