"""`raysl report --check`: whether the written tables are those of their stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from raysl.commands.inputs import Planned, load_studies, refuse_one_name, shelf_of
from raysl.commands.report import link_to, report_input, reports_place
from raysl.commands.searches import with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.config.shipped import FOLDER, shipped_path
from raysl.data.places import Places
from raysl.errors import ConfigError
from raysl.reports.table import build_table
from raysl.reports.write import table_files
from raysl.results import Shelf, Store
from raysl.results.place import Place

STUDIES = Path(FOLDER)
"""Folder of the studies of checked-in reports, from the working folder; others are searched among raysl's own."""
STORE = "store"
"""The folder next to a report's tables with their store, from `raysl export`."""
TABLES = ("table.md", "table.csv", "trials.csv", "table.tex")
"""The formats to check: figures depend on the version of their libraries."""
SHOWN = 100
"""Characters of a line that are shown."""


@dataclass(frozen=True)
class Written:
    """A report that exists, or should exist.

    Attributes:
        folder: of its tables.
        item: its study, at its scale.
        shelf: the store that it is made from.
    """

    folder: Place
    item: Planned
    shelf: Shelf


def check_reports(
    planned: list[Planned], storage: str | None, places: Places | None, reports: str | Path, console: PlainConsole
) -> int:
    """Prints for every report whether its tables are those of its store, and the first difference if not.

    A store next to a report is read as it is, whatever data this machine has.

    Args:
        planned: the studies; none: every report below ``reports`` with a store next to it.
        storage: the store of all; None: for each the one next to it, else ``results``.
        places: of the studies' data; None without studies.

    Returns:
        How many tables are missing, differ, or should not be there.

    Raises:
        ConfigError: naming a report whose study or scale cannot be found by the names of its folders.
    """
    refuse_one_name(planned)
    top = reports_place(reports)
    if storage is not None and not planned:
        raise ConfigError("--storage is of studies: name them, or leave it out to read the store beside each report")
    found = _reports_below(top, console) if places is None else _reports_of(planned, top, storage, places)
    faults = [print_check(report, console) for report in found]
    if not faults:
        raise ConfigError(f"--reports {top.shown}: there is no report with a {STORE}/ beside its table; name studies")
    return sum(faults)


def print_check(report: Written, console: PlainConsole) -> int:
    """Compares one report; returns how many of its tables are wrong."""
    link = link_to(report.shelf.store.place.shown, report.folder)
    table = build_table(report_input(report.item, report.shelf, link))
    formats = ("md", "csv", *(("latex",) if report.folder.read("table.tex") is not None else ()))
    tables = {name: text.encode(errors="backslashreplace") for name, text in table_files(table, formats).items()}
    faults = list(_faults(report.folder, tables))
    console.print(f"{report.folder.shown}: {'differs' if faults else 'as its store gives it: ' + ', '.join(tables)}")
    for fault in faults:
        console.print_lines(fault)
    return len(faults)


def _reports_of(planned: list[Planned], top: Place, storage: str | None, places: Places) -> Iterator[Written]:
    for item in planned:
        folder = top.below(item.study.report_name)
        beside = None if storage is not None else _store_beside(folder)
        shelf = Shelf(beside) if beside is not None else shelf_of([item], storage or "results", places)
        (known,) = with_known_best([item], shelf)
        yield Written(folder, known, shelf)


def _reports_below(top: Place, console: PlainConsole) -> Iterator[Written]:
    for folder, path in _folders(top, ()):
        if folder.read("table.md") is None:
            continue
        if _store_beside(folder) is None:
            console.print(f"{folder.shown}: not checked, since there is no {STORE}/ beside its table")
        else:
            yield report_at(folder, path)


def report_at(folder: Place, path: tuple[str, ...]) -> Written:
    """A report and the store next to it.

    Args:
        path: its folder's names, below that of all reports.

    Raises:
        ConfigError: its study or scale cannot be found by them.
    """
    shelf = Shelf(Store(folder.below(STORE)))
    (item,) = with_known_best([_study_of(folder, path)], shelf)
    return Written(folder, item, shelf)


def _store_beside(folder: Place) -> Store | None:
    return Store(folder.below(STORE)) if STORE in folder.folders() else None


def _folders(place: Place, path: tuple[str, ...]) -> Iterator[tuple[Place, tuple[str, ...]]]:
    yield place, path
    for name in place.folders():
        if name != STORE:
            yield from _folders(place.below(name), (*path, name))


def _study_of(folder: Place, path: tuple[str, ...]) -> Planned:
    """The study that is reported to this folder: its names are a study's place, and a scale's name.

    Reports below another folder (``reports/gpu/CARD``) end with these names.
    """
    for start in range(len(path)):
        for scale in (path[-1], None):
            name = "/".join(path[start:] if scale is None else path[start:-1])
            own = STUDIES / f"{name}.yaml"
            file = own if own.is_file() else shipped_path(name)
            if name and file is not None and file.is_file():
                (item,) = load_studies([file], scale, [])
                if item.study.report_name == "/".join(path[start:]):
                    return item
    raise ConfigError(
        f"{folder.shown}: no study below {STUDIES}/ is reported to a folder of this name at any scale; give the study "
        "itself, with --scale and --set as it was run"
    )


def _faults(folder: Place, tables: dict[str, bytes]) -> Iterator[str]:
    """A line or a few for each table that is missing, differs, or should not be there."""
    for name in TABLES:
        written, given, file = folder.read(name), tables.get(name), f"  {folder.shown}/{name}"
        if given is None and written is not None:
            yield f"{file}: the store gives no such table; remove it"
        elif given is not None and written is None:
            yield f"{file}: missing; raysl report writes it"
        elif given is not None and written is not None and written != given:
            yield f"{file}: {_first_difference(written.decode(errors='backslashreplace'), given.decode())}"


def _first_difference(written: str, given: str) -> str:
    """``differs first in line 12``, with both of its forms from a few characters before they part."""
    ours, theirs = written.split("\n"), given.split("\n")
    common = min(len(ours), len(theirs))
    number = next((i for i in range(common) if ours[i] != theirs[i]), common)
    pair = [lines[number] if number < len(lines) else "(ends before it)" for lines in (ours, theirs)]
    at = next((i for i, two in enumerate(zip(*pair, strict=False)) if two[0] != two[1]), min(map(len, pair)))
    start = max(0, at - SHOWN // 4)
    shown = [("…" if start else "") + line[start : start + SHOWN] for line in pair]
    return f"differs first in line {number + 1}\n    written:   {shown[0]}\n    the store: {shown[1]}"
