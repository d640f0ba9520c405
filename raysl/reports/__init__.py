"""Reports: statistics, tables and files generated from the results of a study."""

from raysl.reports.collect import collect
from raysl.reports.input import (
    CellResult,
    Column,
    EvaluationRecord,
    Published,
    ReferenceLine,
    ReportInput,
    RowInput,
    Searched,
)
from raysl.reports.markdown import render_markdown
from raysl.reports.searched import render_trials
from raysl.reports.table import Table, build_table
from raysl.reports.tidy import render_csv
from raysl.reports.write import write_report

__all__ = [
    "CellResult",
    "Column",
    "EvaluationRecord",
    "Published",
    "ReferenceLine",
    "ReportInput",
    "RowInput",
    "Searched",
    "Table",
    "build_table",
    "collect",
    "render_csv",
    "render_markdown",
    "render_trials",
    "write_report",
]
