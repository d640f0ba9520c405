"""Running a study, here or on a cluster."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from raysl.api.studies import Roots, Study, places_of
from raysl.commands.terminal import PlainConsole
from raysl.data.places import NOTHING
from raysl.errors import ConfigError

if TYPE_CHECKING:
    from raysl.work.workers import WorkerOptions


@dataclass(frozen=True)
class Run:
    """How a run of a study ended. Printed, it is the report.

    Attributes:
        done: titles of the cells that are complete.
        failed: title to reason, of cells that failed or have an evaluation that did.
        missing: title to reason, of the others.
        computed: titles of the cells that were worked on now.
        table: a line for each row and column of the report's table, as ``table.csv`` has it: ``row``, ``evaluation``,
            ``metric``, ``n`` seeds, ``mean``, its interval ``low`` and ``high`` (percent), ``difference`` to the
            baseline with its p-values, and what `raysl.reports.tidy.FIELDS` lists.
        markdown: the whole report, with its footnotes.
        files: of the report, that were written.
        open_searches: 1 where the study is a search that lacks trials.
        log: what was said meanwhile; empty where it was printed.
    """

    done: tuple[str, ...]
    failed: Mapping[str, str]
    missing: Mapping[str, str]
    computed: tuple[str, ...]
    table: pd.DataFrame = field(repr=False)
    markdown: str = field(repr=False)
    files: tuple[str, ...]
    open_searches: int = 0
    log: str = field(default="", repr=False)

    @property
    def complete(self) -> bool:
        """Whether every cell is done, with all of its evaluations, and every search with all of its trials."""
        return not self.failed and not self.missing and not self.open_searches

    def __str__(self) -> str:
        return self.markdown


def run(
    study: Study,
    storage: str | Path = "results",
    *,
    local: bool = False,
    reports: str | Path = "reports",
    formats: Sequence[str] = ("md", "csv"),
    roots: Roots = NOTHING,
    cache: str | Path | None = None,
    cache_gigabytes: float | None = None,
    address: str | None = None,
    max_concurrent: int | None = None,
    retry_failed: bool = False,
    workers: WorkerOptions | None = None,
    quiet: bool = False,
) -> Run:
    """Computes what a store lacks of a study, and writes its report. A cell that fails leaves the others alone.

    Args:
        storage: a results store: a folder, ``s3://bucket/path`` or ``gs://bucket/path``; made where there is none.
        local: in this process, one cell after the other, without Ray.
        reports: folder (or bucket) below which the report is written.
        formats: of md, csv, latex, html, svg, png; none: nothing is written.
        roots: where data sets lie: ``{"ucf101": "/data/UCF-101"}``.
        cache: folder for decoded frames; None: RAYSL_CACHE, or ~/.cache/raysl.
        cache_gigabytes: that they may take of the disk, all data sets together; None: RAYSL_CACHE_GIGABYTES, or 20.
        address: of a running Ray cluster; None: one is started on this machine, and stopped at the end.
        max_concurrent: cells at a time, at most; None: what fits (with ``local``: one).
        retry_failed: what failed before is computed again.
        workers: what Ray gives each worker; None: a GPU where there is any, else a CPU and its loader processes.
        quiet: nothing is printed; what would have been is in `Run.log`.

    Raises:
        ConfigError: options that do not fit the study, the data or each other.
        StorageError: the store cannot be read or written.

    Example:
        >>> done = raysl.run(study, "results", local=True, formats=["md"], quiet=True)
        >>> done.complete, len(done.computed), done.files
        (True, 6, ('reports/quickstart/.../table.md',))
        >>> done.table.query("metric == 'top1'")[["row", "n"]].head(2)
                      row  n
        0  random weights  1
        1          SimCLR  1
        >>> raysl.run(study, "results", local=True, formats=[], quiet=True).computed
        ()
    """
    from raysl.commands.run import run_studies
    from raysl.reports.formats import read_formats
    from raysl.reports.markdown import render_markdown
    from raysl.reports.tidy import render_csv
    from raysl.work.run_cells import RunOptions
    from raysl.work.workers import WorkerOptions

    if local and (address is not None or workers is not None):
        raise ConfigError("local=True computes on this machine without Ray: leave address and workers out")
    options = RunOptions(address, retry_failed, max_concurrent, workers or WorkerOptions())
    wanted = read_formats(",".join(formats)) if formats else ()
    log = io.StringIO()
    console = PlainConsole(file=log) if quiet else PlainConsole()
    places = places_of(study, roots, cache, cache_gigabytes)
    ran = run_studies([study.planned], str(storage), places, reports, options, console, local=local, formats=wanted)
    (report,) = ran.reports
    outcome = ran.outcome
    return Run(
        outcome.done,
        outcome.failed,
        outcome.missing,
        outcome.computed,
        pd.read_csv(io.StringIO(render_csv(report.table)), engine="python"),  # the floats as written
        render_markdown(report.table),
        tuple(f"{report.folder}/{name}" for name in report.files),
        ran.open_searches,
        log.getvalue(),
    )
