"""A report on disk: ``table.md``, ``table.csv``, and ``trials.csv`` where rows were searched for."""

from __future__ import annotations

import uuid
from pathlib import Path

from raysl.errors import StorageError
from raysl.reports.input import ReportInput
from raysl.reports.markdown import render_markdown
from raysl.reports.searched import render_trials
from raysl.reports.table import Table, build_table
from raysl.reports.tidy import render_csv


def write_report(source: ReportInput, folder: Path) -> Table:
    """Writes the files; the same input gives the same bytes, and a reader never sees a part of a file.

    Raises:
        StorageError: the folder cannot be written.
    """
    table = build_table(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / "table.md", render_markdown(table))
        _replace(folder / "table.csv", render_csv(table))
        if source.searched is not None:
            _replace(folder / "trials.csv", render_trials(source.searched))
    except OSError as error:
        raise StorageError(f"the report cannot be written to {folder}: {error}") from error
    return table


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        partial.write_bytes(text.encode(errors="backslashreplace"))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
