"""`raysl tensorboard`: the curves of studies for TensorBoard, by study, row and seed."""

from __future__ import annotations

import re
import shlex
import statistics
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from raysl.commands.inputs import Planned, refuse_one_name
from raysl.commands.searches import with_known_best
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell
from raysl.errors import ConfigError, StorageError
from raysl.reports.hparams import EVENTS, HPARAMS_FILE, Session, Status, columns_file, session_file
from raysl.results import Shelf, StoredCell
from raysl.results.place import Place

LONGEST_NAME = 120
"""Characters of a row's folder."""


@dataclass(frozen=True)
class Linked:
    """An event file of the store.

    Attributes:
        size: in bytes.
    """

    place: Place
    name: str
    size: int


def link_runs(planned: list[Planned], shelf: Shelf, to: Path, console: PlainConsole) -> None:
    """Makes ``to/<study>/<row>/seed<N>/`` from the store, replacing those of an earlier call.

    They have links to the store's files, or copies from a bucket, and the data of the HParams page.

    Raises:
        ConfigError: ``to`` holds something else.
        StorageError: the store cannot be read, or ``to`` not written.
    """
    refuse_one_name(planned)
    if to.exists() and not to.is_dir():
        raise ConfigError(f"--to {to}: it is a file; give a folder of its own")
    if to.is_dir() and any(to.iterdir()) and not (to / HPARAMS_FILE).is_file():
        raise ConfigError(f"--to {to}: it holds other files; give a folder of its own, which is replaced by every call")
    wanted: dict[str, Linked | bytes] = {}
    sessions: list[Session] = []
    begun = cells = 0
    for item in with_known_best(planned, shelf):
        names = folder_names(cell.row for cell in item.cells)
        for found, run in _runs(item.cells, shelf):
            cells += 1
            if found.folder is None or found.state.status == "missing":
                continue
            begun += 1
            cell, run = found.cell, f"{item.study.report_name}/{names[found.cell.row]}/{run}"
            place, files = found.folder.event_files()
            wanted |= {f"{run}/{name}": Linked(place, name, size) for name, size in files.items()}
            group = "/".join([item.study.report_name, cell.row, *([cell.part] if cell.part else [])])
            sessions.append(_session(found, group, files))
            wanted[f"{run}/{HPARAMS_FILE}"] = session_file(sessions[-1])
    wanted[HPARAMS_FILE] = columns_file(sessions)
    try:
        _make(to, wanted)
    except OSError as error:
        raise StorageError(f"the folder {to} cannot be written: {error}") from error
    console.print(f"{begun} of {cells} runs are in {to}; look at them with")
    console.print(f"tensorboard --logdir {shlex.quote(str(to))}")


def _runs(cells: Iterable[Cell], shelf: Shelf) -> Iterator[tuple[StoredCell, str]]:
    """The cells, each with those that its evaluations train, and the folder of each below that of its row."""
    for cell in cells:
        found = shelf.find(cell)
        yield found, _seed(cell)
        for one in found.evaluations:
            if one.behind is not None:
                fold = one.behind.cell.fold
                part = f"{one.label.replace('/', '-')}" + ("" if fold is None else f"-fold{fold}")
                yield one.behind, f"{_seed(cell)}/{part}"


def folder_names(rows: Iterable[str]) -> dict[str, str]:
    """Names of rows as folders on any system, distinct even without letter case: ``a/b`` is ``a-b``."""
    names: dict[str, str] = {}
    taken = set[str]()
    for row in dict.fromkeys(rows):
        name = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]+', "-", row)[:LONGEST_NAME].strip(" .") or "row"
        number, own = 2, name
        while own.casefold() in taken:
            number, own = number + 1, f"{name} ({number})"
        taken.add(own.casefold())
        names[row] = own
    return names


def _seed(cell: Cell) -> str:
    return f"seed{cell.seed}" if cell.fold is None else f"seed{cell.seed}/fold{cell.fold}"


def _session(found: StoredCell, group: str, files: Iterable[str]) -> Session:
    """Hyperparameters and metrics of the cell so far; an evaluation on several folds has its mean."""
    values: dict[str, list[float]] = {}
    for one in found.evaluations:
        record = one.record or {}
        metrics = record.get("metrics")
        if one.status == "done" and isinstance(metrics, dict) and metrics:
            headline = str(record.get("headline") or next(iter(metrics)))
            values.setdefault(f"{one.label} {headline}", []).append(float(metrics[headline]))
    ended: dict[str, Status] = {"done": "success", "failed": "failure"}
    status: Status = "running" if found.state.status == "running" else ended.get(found.own, "unknown")
    began = [int(match[1]) for name in files if (match := re.match(rf"{re.escape(EVENTS)}\.(\d+)\.", name))]
    metrics = {name: statistics.mean(ones) for name, ones in values.items()}
    return Session(group, found.cell.factors, metrics, status, float(min(began, default=0)))


def _make(folder: Path, wanted: Mapping[str, Linked | bytes]) -> None:
    """Keeps existing files, since a TensorBoard may be reading them."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.rglob("*"), reverse=True):
        if old.is_dir() and not old.is_symlink():
            if not any(old.iterdir()):
                old.rmdir()
        elif old.name.startswith(EVENTS) and old.relative_to(folder).as_posix() not in wanted:
            old.unlink()
    for path, content in wanted.items():
        target = folder / path
        if isinstance(content, Linked) and content.place.is_local:
            _link(target, Path(content.place.root, content.name).absolute())
        elif isinstance(content, bytes):
            if not target.is_file() or target.read_bytes() != content:
                _write(target, content)
        elif not target.is_file() or target.stat().st_size != content.size:
            _write(target, content.place.read(content.name) or b"")


def _link(target: Path, file: Path) -> None:
    if target.is_symlink() and target.readlink() == file:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(file)


def _write(target: Path, content: bytes) -> None:
    """Writes a file so that a reader never sees a part of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{uuid.uuid4().hex}")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
