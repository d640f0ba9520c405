"""The cost of studies: `raysl calibrate`, `raysl plan --cost`, and a run's estimate against its actual time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from rich.table import Table

from raysl.commands.inputs import Planned, shelf_of
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell, unique_cells
from raysl.data.places import Places
from raysl.errors import ConfigError, RayslError
from raysl.planning.calibration import Calibration, Machine, calibration_here, calibrations, known_machines
from raysl.planning.cost import CellCost, Estimates, KnownData, cache_bytes, distinct_shapes, wall_seconds
from raysl.results import StoredCell
from raysl.work.calibrate import calibrate
from raysl.work.events import shown_seconds
from raysl.work.site import needed_data

DISTURBED = "other work ran beside the measurement; raysl calibrate --again, on a machine that has nothing else to do"
LEAST_HIDDEN = 0.05
"""Of an estimate: less of it that loader processes may save is not said."""
MOST_LINES = 8
"""Lines of shapes that were not measured; the rest is counted."""


@dataclass(frozen=True)
class CostOptions:
    """Options of an estimate.

    Attributes:
        storage: a store whose results are free; None: nothing is there yet.
        width: cells at once.
        price_per_hour: of one worker.
    """

    storage: str | None = None
    width: int = 1
    price_per_hour: float | None = None

    def __post_init__(self) -> None:
        if self.price_per_hour is not None and not 0 <= self.price_per_hour < 1e6:
            raise ConfigError(f"--price-per-hour {self.price_per_hour:g}: give what one worker costs an hour")


@dataclass(frozen=True)
class Sum:
    """A sum of estimates.

    Attributes:
        cells: how many.
        unknown: how many of them have no estimate.
        seconds: of workers, for the others.
    """

    cells: int
    unknown: int
    seconds: float

    @classmethod
    def of(cls, costs: Iterable[CellCost], calibration: Calibration) -> Sum:
        found = [(cost, cost.seconds(calibration)) for cost in costs]
        seconds = sum(one * cost.workers for cost, one in found if one is not None)
        return cls(len(found), sum(one is None for _, one in found), seconds)

    def shown(self, price: float | None = None) -> str:
        """``12 cells, 3.1 h of workers (9.49 at 3.06 an hour)``, with the number of cells without an estimate."""
        rest = f" and {self.unknown} cells without an estimate" if self.unknown else ""
        if self.unknown == self.cells and self.cells:
            return f"{self.cells} cells, none with an estimate"
        money = "" if price is None else f" ({self.seconds / 3600 * price:.2f} at {price:g} an hour)"
        return f"{self.cells} cells, {shown_seconds(self.seconds)} of workers{money}{rest}"


def calibrate_studies(
    planned: list[Planned],
    places: Places,
    device: torch.device,
    threads: int | None,
    console: PlainConsole,
    *,
    again: bool = False,
) -> int:
    """Measures each shape of the studies that was not measured on this machine, and prints all of them.

    Args:
        again: also those that were measured before.

    Returns:
        How many could not be measured.
    """
    calibration = calibration_here(places, device)
    console.print(f"{calibration.machine.title}; kept in {calibration.folder}")
    estimates = Estimates(KnownData(places), threads)
    costs = [estimates.of(cell) for cell in unique_cells(cell for item in planned for cell in item.cells)]
    failed = 0
    for shape in distinct_shapes(costs):
        found = None if again else calibration.get(shape)
        said = "known   "
        if found is None:
            said = "measured"
            try:
                found = calibrate(shape, places, device)
            except RayslError as error:
                failed += 1
                console.print(f"failed    {shape.title}: {error}", style="red")
                continue
            calibration.put(shape, found)
        notes = [found.note] if found.note else []
        notes += [f"too long: {DISTURBED}"] if found.disturbed else []
        note = f" ({'; '.join(notes)})" if notes else ""
        console.print(f"{said}  {shape.title}: {_shown(found.seconds, shape.kind)}{note}")
    for line in _unknown_lines(costs):
        console.print(line, style="yellow")
    return failed


def print_cost(
    planned: list[Planned],
    places: Places,
    calibration: Calibration,
    estimates: Estimates,
    options: CostOptions,
    console: PlainConsole,
) -> None:
    """A table per study as if nothing were computed; then the sum over all, without shared and stored cells."""
    for item in planned:
        _print_study(item, calibration, estimates, options, console)
    asked = [estimates.of(cell) for item in planned for cell in item.cells]
    unique = unique_cells(cell for item in planned for cell in item.cells)
    shared = [estimates.of(cell) for cell in unique]
    where = "" if calibration.is_here else "another machine: "
    console.print(f"times are measured on {where}{calibration.machine.title}, each cell alone")
    one, all_asked, price = Sum.of(shared, calibration), Sum.of(asked, calibration), options.price_per_hour
    console.print(f"asked for: {all_asked.shown(price)}; without what they share: {one.shown(price)}")
    left = _left(planned, unique, places, estimates, options)
    if options.storage is not None:
        console.print(f"left to compute in {options.storage}: {Sum.of(left, calibration).shown(price)}")
    _print_wall(left, calibration, options.width, console)
    _print_bytes(left, estimates.data, console)
    for line in [*_unmeasured_lines(left, calibration), *_unknown_lines(shared)]:
        console.print(line, style="yellow")


def _left(
    planned: list[Planned], unique: list[Cell], places: Places, estimates: Estimates, options: CostOptions
) -> list[CellCost]:
    """Cells in the order of a run: one seed of every row before the next seed."""
    ordered = sorted(unique, key=lambda cell: cell.seed)
    if options.storage is None:
        return [estimates.of(cell) for cell in ordered]
    shelf = shelf_of(planned, options.storage, places)
    found = [shelf.find(cell) for cell in ordered]
    return [estimates.of_missing(one) for one in found if one.own == "missing"]


def _print_study(
    item: Planned, calibration: Calibration, estimates: Estimates, options: CostOptions, console: PlainConsole
) -> None:
    study, price = item.study, options.price_per_hour
    table = Table(title=f"cost of {study.name}, scale {study.scale}", title_justify="left")
    for heading in ("row", "cells", "steps", "clips", "checkpoints", "a cell", "pretraining", "evaluations"):
        table.add_column(heading, overflow="fold", justify="left" if heading == "row" else "right")
    for name in dict.fromkeys(cell.row for cell in item.cells):
        costs = [estimates.of(cell) for cell in item.cells if cell.row == name]
        own = costs[0]
        pretraining = [part.seconds(calibration) for part in own.parts if part.what == "pretraining"]
        rest = [part.seconds(calibration) for part in own.parts if part.what != "pretraining"]
        table.add_row(
            name,
            str(len(costs)),
            _number(own.steps),
            _number(own.clips),
            "?" if own.stored is None else _size(own.stored),
            _time(own.seconds(calibration)),
            _time(_total(pretraining)),
            _time(_total(rest)),
        )
    console.print(table)
    total = Sum.of([estimates.of(cell) for cell in unique_cells(item.cells)], calibration)
    console.print(f"{study.name}: {total.shown(price)}")
    if study.search is not None:
        trials = study.search.options.trials
        console.print(
            f"{study.name}: at most {trials} trials of {study.search.length}, and the cells of the best, are not in it",
            style="yellow",
        )


def _print_wall(left: Sequence[CellCost], calibration: Calibration, width: int, console: PlainConsole) -> None:
    known = [one for one in (cost.seconds(calibration) for cost in left) if one is not None]
    if known:
        but = "" if len(known) == len(left) else f", without the {len(left) - len(known)} that have no estimate"
        console.print(
            f"{len(known)} cells, {width} at once: {shown_seconds(wall_seconds(known, width))}, the longest "
            f"{shown_seconds(max(known))}{but}; starting processes and reading data sets comes on top"
        )
    hidden = sum(cost.hidden_seconds(calibration) * cost.workers for cost in left)
    if hidden and hidden >= LEAST_HIDDEN * Sum.of(left, calibration).seconds:
        console.print(
            f"up to {shown_seconds(hidden)} of the workers' time may be saved by loader processes, where a worker has "
            "CPUs for them (training.loader_workers: auto): loading is counted as if there were none"
        )


def _print_bytes(left: Sequence[CellCost], data: KnownData, console: PlainConsole) -> None:
    frames, unread = cache_bytes(needed_data(cost.cell for cost in left), data)
    parts = [_size(frames)] if frames or not unread else []
    parts += [f"those of {', '.join(unread)}, which was not read here yet"] if unread else []
    budget = data.places.cache_gigabytes
    over = "; the rest is decoded at every step" if frames > budget * 1e9 else ""
    unsure = sum(cost.stored is None for cost in left)
    stored = _size(sum(cost.stored or 0 for cost in left)) + (f" and those of {unsure} more cells" if unsure else "")
    console.print(
        f"bytes: decoded frames {' and '.join(parts)}, on every node that computes (its cache takes {budget:g} "
        f"GB{over}); checkpoints {stored} in the store, without curves and predictions"
    )


def _unmeasured_lines(costs: Iterable[CellCost], calibration: Calibration) -> list[str]:
    found = [(shape.title, calibration.get(shape)) for shape in distinct_shapes(costs)]
    disturbed = sum(one is not None and one.disturbed for _, one in found)
    missing = [title for title, one in found if one is None]
    lines = [f"not measured: {title}" for title in missing[:MOST_LINES]]
    if missing:
        more = f"{len(missing) - MOST_LINES} more shapes are not measured; " if len(missing) > MOST_LINES else ""
        lines.append(f"{more}raysl calibrate, with the same studies and options, measures what is missing")
    return [*lines, *([f"{disturbed} shapes are said to take too long: {DISTURBED}"] if disturbed else [])]


def _unknown_lines(costs: Iterable[CellCost]) -> list[str]:
    costs = list(costs)
    unknown = dict.fromkeys(text for cost in costs for text in cost.unknown)
    left_out = dict.fromkeys(text for cost in costs for text in cost.left_out)
    return [f"no estimate: {text}" for text in unknown] + [f"left out: {text}" for text in left_out]


def comparison(took: Sequence[tuple[StoredCell, float]], places: Places) -> str | None:
    """``cells: estimated 1.2 h, took 1.3 h (108 %)``, by the machines that computed them; None without estimates."""
    folder = calibrations(places)
    if not took or not known_machines(folder):
        return None
    data, by_threads = KnownData(places), dict[int, Estimates]()
    pairs = []
    for found, seconds in took:
        worker = _worker(found)
        if worker is not None:
            machine, threads, processes = worker
            estimates = by_threads.setdefault(threads, Estimates(data, threads))
            cost = estimates.of_missing(found).loaded_by(processes)
            pairs.append((cost.seconds(Calibration(folder, machine)), seconds))
    known = [(estimated, seconds) for estimated, seconds in pairs if estimated]
    if not known:
        return None
    estimated, seconds = (sum(values) for values in zip(*known, strict=True))
    of = "" if len(known) == len(took) else f"; {len(known)} of {len(took)} cells, the others have no estimate"
    return (
        f"cells: estimated {shown_seconds(estimated)}, took {shown_seconds(seconds)} "
        f"({100 * seconds / estimated:.0f} %){of}"
    )


def _worker(found: StoredCell) -> tuple[Machine, int, int] | None:
    """The machine, the threads and the loader processes of a cell's last attempt, as it wrote them down itself."""
    provenance = (found.folder.provenance() if found.folder is not None else None) or {}
    attempt = next(reversed(provenance.get("attempts") or []), None)
    if attempt is None:
        return None
    machine = Machine.of(attempt["hardware"][0], provenance["packages"]["torch"])
    return machine, int(attempt["threads"]), int(attempt.get("loader_workers") or 0)


def _shown(seconds: object, kind: str) -> str:
    assert isinstance(seconds, dict)
    once = {"training": "a step", "loading": "a video", "forward": "a video", "fit": "a training video"}[kind]
    others = [f"{name} {_milliseconds(value)}" for name, value in seconds.items() if name != kind]
    return ", ".join([f"{_milliseconds(seconds[kind])} {once}", *others])


def _milliseconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _total(seconds: Sequence[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return sum(known) if len(known) == len(seconds) else None


def _time(seconds: float | None) -> str:
    return "?" if seconds is None else shown_seconds(seconds)


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}".replace(",", " ")


def _size(value: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"
