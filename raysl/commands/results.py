"""`raysl results`: the checked-in reports on one page, and the marked places of documents that quote them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from raysl.commands.check import STORE, Written, report_at
from raysl.commands.inputs import Planned
from raysl.commands.page import run_command
from raysl.commands.report import report_input
from raysl.commands.terminal import PlainConsole
from raysl.config.cell import CellConfig
from raysl.errors import ConfigError
from raysl.reports.marks import fill_marks
from raysl.reports.reading import fill_reading
from raysl.reports.results_page import OtherReport, StudyResult, results_page
from raysl.reports.table import Table, build_table
from raysl.results.place import place

READING = "reading.md"
"""Beside a report's table: sentences on it, whose figures are placeholders."""
PACKAGES = ("raysl", "torch", "ray", "python")


def write_results(reports: Path, to: Path, documents: list[Path], console: PlainConsole, *, check: bool) -> bool:
    """Writes the page and fills the marks of documents, or says which are not as they would be written.

    Args:
        reports: folder of all reports; those with a ``store/`` beside their table are shown.
        to: the page; links on it are relative to its folder.
        documents: Markdown files, and folders of them; paths of their marks are from the working folder.
        check: write nothing.

    Returns:
        False where a file is not as it would be written.

    Raises:
        ConfigError: there is no report; a placeholder or a mark cannot be filled, with its file.
    """
    tables: dict[str, Table] = {}
    wanted = {to: _page(reports, to.parent, tables)}

    def table_of(path: str) -> Table:
        if path not in tables:
            raise ConfigError(f"there is no report with a {STORE}/ in {path}; there are {', '.join(sorted(tables))}")
        return tables[path]

    for file in _files(documents):
        if file != to:
            text = file.read_text(encoding="utf-8")
            wanted[file] = fill_marks(text, str(file), table_of, _content)
    same = [_put(file, text, console, check=check) for file, text in wanted.items()]
    return all(same)


def _put(file: Path, text: str, console: PlainConsole, *, check: bool) -> bool:
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return True
    if check:
        console.print(f"{file}: differs: run raysl results")
        return False
    file.write_text(text, encoding="utf-8")
    console.print(f"written: {file}")
    return True


def _files(documents: list[Path]) -> Iterator[Path]:
    for path in documents:
        yield from sorted(path.rglob("*.md")) if path.is_dir() else [path]


def _content(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _page(reports: Path, beside: Path, tables: dict[str, Table]) -> str:
    """Args: tables: those of the reports are added, by their folders' paths."""
    folders = sorted(store.parent for store in reports.rglob(STORE) if (store.parent / "table.md").is_file())
    if not folders:
        raise ConfigError(f"--reports {reports}: there is no report with a {STORE}/ beside its table")
    results = []
    for folder in folders:
        name = folder.relative_to(reports)
        written = report_at(place(folder), name.parts)
        tables[folder.as_posix()] = table = build_table(report_input(written.item, written.shelf))
        results.append(_result(written, table, folder, name.as_posix(), beside))
    return results_page(results, list(_others(reports, folders, beside)))


def _result(written: Written, table: Table, folder: Path, name: str, beside: Path) -> StudyResult:
    file = folder / READING
    reading = fill_reading(file.read_text(encoding="utf-8"), table, str(file)) if file.is_file() else ""
    link = Path(os.path.relpath(folder, beside)).as_posix()
    settings, origin = _settings(written.item, table), tuple(_origin(written, table))
    return StudyResult(table, link, name, run_command(written.item), settings, origin, reading)


def _others(reports: Path, folders: Collection[Path], beside: Path) -> Iterator[OtherReport]:
    """Reports without a store: by the first heading of their README, or of their table."""
    for file in sorted([*reports.rglob("README.md"), *reports.rglob("table.md")]):
        if file.parent not in folders:
            heading = next(line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("# "))
            yield OtherReport(Path(os.path.relpath(file, beside)).as_posix(), heading.removeprefix("# ").strip())


def _settings(item: Planned, table: Table) -> str:
    """What the baseline's cells are: data, network, clip, length."""
    trained = [cell for cell in item.cells if cell.config.pretraining == "self_supervised"]
    named = [cell for cell in trained if cell.row == item.study.options.baseline]
    config = (named or trained or item.cells)[0].config
    clip = config.clip
    said = [
        f"{config.data.bound_name}, {_network(config)}",
        f"clips of {clip.frames} frames of {clip.size}² at stride {clip.stride}"
        + (", each the difference of two frames" if clip.input == "difference" else ""),
        f"{_length(config)} at batch {config.training.batch_size}",
    ]
    minutes = [cell.minutes for row in table.source.rows for cell in row.cells if cell.minutes]
    text = f"{'; '.join(said)}. {'; '.join(_test_videos(table))}."
    return text + (f" Pretraining took {min(minutes):.1f} to {max(minutes):.1f} minutes a cell." if minutes else "")


def _test_videos(table: Table) -> Iterator[str]:
    """The sizes of test sets, each with the evaluations that share it."""
    found: dict[str, list[str]] = {}
    for label, sizes in table.test_videos.items():
        for size, recordings in zip(sizes, table.recordings[label], strict=True):
            of = "" if recordings is None else f" of {recordings} recordings"
            found.setdefault(f"{size} test clips{of}", []).append(label)
    for clips, labels in found.items():
        yield clips if len(found) == 1 else f"{', '.join(labels)}: {clips}"


def _network(config: CellConfig) -> str:
    width = getattr(config.backbone.options, "width", 1.0)
    return config.backbone.name + ("" if width == 1.0 else f" of width {width:g}")


def _length(config: CellConfig) -> str:
    training = config.training
    return f"{training.steps} steps" if training.steps is not None else f"{training.epochs} epochs"


def _origin(written: Written, table: Table) -> Iterator[str]:
    """Commits, days, machines and versions of all cells, each once."""
    found: dict[str, dict[str, None]] = {"Commit": {}, "Begun on": {}, "Computed on": {}, "Versions": {}}
    for folder in written.shelf.store.cells():
        provenance = folder.provenance() or {}
        git, packages = provenance.get("git") or {}, provenance.get("packages") or {}
        found["Commit"][f"{str(git.get('commit'))[:10]}{' with changes' if git.get('dirty') else ''}"] = None
        found["Versions"][", ".join(f"{name} {packages[name]}" for name in PACKAGES if name in packages)] = None
        for attempt in provenance.get("attempts") or []:
            found["Begun on"][str(attempt.get("started"))[:10]] = None
            for machine in attempt.get("hardware") or []:
                found["Computed on"][_machine(machine)] = None
    for what, values in found.items():
        if values:
            yield f"{what}: {'; '.join(sorted(values))}."


def _machine(hardware: dict[str, Any]) -> str:
    gpu = hardware.get("gpu") or "no GPU"
    return f"{hardware.get('system')}, {hardware.get('cpus')} CPUs ({hardware.get('cpu')}), {gpu}"
