"""`raysl report --html FILE`: one page of all studies."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from raysl.commands.inputs import Planned, data_of, refuse_one_name
from raysl.commands.report import figure_input, report_input, reports_place
from raysl.commands.searches import with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell, evaluation_key, unique_cells
from raysl.config.identity import resolved
from raysl.data.fetch import shown_address, without_credentials
from raysl.errors import ConfigError, StorageError
from raysl.reports.figure import FigureInput, find_figures
from raysl.reports.page import PageFigure, PageStudy, render_page
from raysl.reports.page.cells import read_cell
from raysl.reports.table import Table, build_table
from raysl.reports.write import write_file
from raysl.reports.write_figures import FOLDER, figure_files
from raysl.results import Found, Shelf
from raysl.results.place import Place, place


@dataclass
class ReadOnce(Shelf):
    """A shelf of a store that nobody is thought to write meanwhile: what was found of a cell is kept."""

    found: dict[tuple[str, ...], Found] = field(default_factory=dict)

    def find(self, cell: Cell) -> Found:
        key = (cell.key, cell.title, *map(evaluation_key, cell.evaluations))
        if key not in self.found:
            self.found[key] = super().find(cell)
        return self.found[key]


def write_page(
    planned: list[Planned],
    shelf: Shelf,
    storage: str,
    file: str,
    console: PlainConsole,
    tables: Sequence[Table] | None = None,
) -> None:
    """Writes the page to a file, or to an object of a bucket. Each cell is looked for once.

    Args:
        tables: of the studies, where they were made already.

    Raises:
        ConfigError: ``file`` names no file, or two studies have one name.
        StorageError: the store cannot be read, or the page not written.
    """
    refuse_one_name(planned)
    folder, name = page_file(file)
    content = _encoded(page_studies(planned, shelf, storage, tables))
    try:
        folder.write(name, content)
    except StorageError as error:
        raise StorageError(f"--html {without_credentials(file)}: {error.__cause__}; give another file") from error
    console.print(f"written: {folder.shown}/{name} ({len(content) / 1e6:.1f} MB)")


def write_own_pages(
    planned: list[Planned],
    shelf: Shelf,
    storage: str,
    reports: str | Path,
    console: PlainConsole,
    tables: Sequence[Table] | None = None,
) -> None:
    """Writes a page for each study beside its table, as ``index.html``.

    Raises:
        StorageError: the store cannot be read, or a page not written.
    """
    for study in page_studies(planned, shelf, storage, tables):
        folder = reports_place(reports).below(study.name)
        write_file(folder, "index.html", _encoded([study]))
        console.print(f"written: {folder.shown}/index.html")


def page_studies(
    planned: list[Planned], shelf: Shelf, storage: str, tables: Sequence[Table] | None = None
) -> list[PageStudy]:
    """What the page shows of the studies."""
    once = ReadOnce(shelf.store, shelf.data)
    known: Sequence[Table | None] = [None] * len(planned) if tables is None else tables
    pairs = zip(with_known_best(planned, once), known, strict=True)
    return [page_study(item, once, storage, table) for item, table in pairs]


def _encoded(studies: Sequence[PageStudy]) -> bytes:
    return render_page(studies).encode(errors="backslashreplace")


def page_file(file: str) -> tuple[Place, str]:
    """The folder and the name of what ``--html`` names.

    Raises:
        ConfigError: it names no file.
    """
    address, mark, query = file.partition("?") if "://" in file else (file, "", "")
    folder, _, name = address.rpartition("/") if "://" in file else (str(Path(file).parent), "", Path(file).name)
    if not name or folder.endswith(":/") or ("://" not in file and Path(file).expanduser().is_dir()):
        raise ConfigError(f"--html {without_credentials(file)}: give a file, for instance page.html")
    return place(f"{folder}{mark}{query}", "folder of the page", "--html"), name


def page_study(item: Planned, shelf: Shelf, storage: str, table: Table | None = None) -> PageStudy:
    """What the page shows of one study."""
    table = build_table(report_input(item, shelf)) if table is None else table
    command, store = run_command(item), _as_typed(storage)
    cells = [
        read_cell(shelf.find(cell), cell.row, resolved(cell.config), command, store)
        for cell in unique_cells(item.cells)
    ]
    figures = tuple(_figures(figure_input(item, shelf, table)))
    return PageStudy(item.study.report_name, table, tuple(cells), figures)


def _figures(source: FigureInput) -> Iterator[PageFigure]:
    """Those that the report draws."""
    for name, figure in find_figures().items():
        data = figure.table(source)
        if len(data):
            svg = figure_files(name, figure, data, ("svg",))[f"{FOLDER}/{name}.svg"]
            yield PageFigure(figure.title, figure.caption, svg.decode())


def run_command(item: Planned) -> str:
    """``raysl run search_spaces/x.yaml --scale laptop --root ucf101=FOLDER``"""
    study = item.study
    words = ["raysl", "run", _as_typed(str(study.path))]
    words += ["--scale", study.scale] if study.scale != "paper" else []
    for override in study.given.overrides:
        words += ["--set", override]
    needed = {data.bound_name for data in data_of([item]) if getattr(data.build(), "needs_root", True)}
    return " ".join([shlex.join(words), *(f"--root {shlex.quote(name)}=FOLDER" for name in sorted(needed))])


def _as_typed(path: str) -> str:
    """From the working folder on; of what lies elsewhere on this machine its name alone."""
    if "://" in path:
        return shown_address(path)
    whole = Path(path).expanduser().absolute()
    return whole.relative_to(Path.cwd()).as_posix() if whole.is_relative_to(Path.cwd()) else whole.name
