"""`raysl report --html FILE`: one page of all studies."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from raysl.commands.inputs import Planned, as_argument, data_of
from raysl.commands.output_file import PAGE
from raysl.commands.report import ReadOnce, Reported, reports_place
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import unique_cells
from raysl.config.identity import resolved
from raysl.data.fetch import shown_address
from raysl.reports.page import PageFigure, PageStudy, render_page
from raysl.reports.page.cells import read_cell
from raysl.reports.write import write_file
from raysl.reports.write_figures import FOLDER


def write_pages(
    made: Sequence[Reported],
    shelf: ReadOnce,
    storage: str,
    console: PlainConsole,
    reports: str | Path | None,
    file: str | None,
) -> None:
    """Writes the reports of studies as pages.

    Args:
        reports: where each study gets a page next to its table, ``index.html``; None: no such pages.
        file: of one page of them all, or an object of a bucket; None: there is none.

    Raises:
        ConfigError: ``file`` names no file.
        StorageError: the store cannot be read, or a page not written.
    """
    studies = [page_study(one, shelf, storage) for one in made]
    if reports is not None:
        for study in studies:
            folder = reports_place(reports).below(study.name)
            write_file(folder, "index.html", _encoded([study]))
            console.print(f"written: {folder.shown}/index.html")
    if file is not None:
        _write_page(studies, file, console)


def _write_page(studies: Sequence[PageStudy], file: str, console: PlainConsole) -> None:
    content = _encoded(studies)
    console.print(f"written: {PAGE.write(file, content)} ({len(content) / 1e6:.1f} MB)")


def _encoded(studies: Sequence[PageStudy]) -> bytes:
    return render_page(studies).encode(errors="backslashreplace")


def page_study(made: Reported, shelf: ReadOnce, storage: str) -> PageStudy:
    """The part of the page for one study."""
    item = made.item
    command, store = run_command(item), _as_typed(storage)
    cells = [
        read_cell(shelf.find(cell), cell.row, partial(resolved, cell.config), command, store, shelf.curves)
        for cell in unique_cells(item.cells)
    ]
    figures = tuple(
        PageFigure(one.title, one.caption, one.pictures["svg"].decode(), f"{FOLDER}/{one.name}.svg")
        for one in made.figures
    )
    return PageStudy(item.study.report_name, made.table, tuple(cells), figures)


def run_command(item: Planned) -> str:
    """``raysl run search_spaces/x.yaml --scale laptop --root ucf101=FOLDER``"""
    study = item.study
    words = ["raysl", "run", _as_typed(as_argument(study.path))]
    words += ["--scale", study.scale] if study.scale != "paper" else []
    for override in study.given.overrides:
        words += ["--set", override]
    needed = {data.bound_name for data in data_of([item]) if getattr(data.build(), "needs_root", True)}
    return " ".join([shlex.join(words), *(f"--root {shlex.quote(name)}=FOLDER" for name in sorted(needed))])


def _as_typed(path: str) -> str:
    """The path from the working folder; only the name for files elsewhere on this machine."""
    if "://" in path:
        return shown_address(path)
    whole = Path(path).expanduser().absolute()
    return whole.relative_to(Path.cwd()).as_posix() if whole.is_relative_to(Path.cwd()) else whole.name
