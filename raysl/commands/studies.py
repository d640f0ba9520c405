"""`raysl studies`: the studies that raysl ships, with paper, table and cost as far as known without data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.table import Table

from raysl.commands.inputs import Planned, load_studies
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell, unique_cells
from raysl.config.shipped import all_shipped, shipped_name
from raysl.planning.search import Search
from raysl.published import paper, published_table

NAMES = {"taco": "TaCo"}
"""Names of papers that are not their id in capitals."""


def print_studies(names: list[Path], scale: str | None, console: PlainConsole) -> None:
    """A line for each study: its name, the published table, its cells and trainings.

    Args:
        names: of studies or folders of them, as for every command; empty: all that raysl ships.

    Raises:
        ConfigError: there is no such study or scale; raysl was copied here without its studies.
    """
    planned = load_studies(names or [all_shipped()], scale, [])
    table = Table(title_justify="left")
    for heading in ("study", "paper", "table", "cells", "trainings, of all seeds"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "cells" else "left")
    for item in planned:
        name = shipped_name(item.study.path) or str(item.study.path)
        first, *others = cost_lines(item)
        table.add_row(name, *_source(item), str(len(item.cells)), first)
        for line in others:
            table.add_row("", "", "", "", line)
    console.print(table)
    console.print(f"{len(planned)} studies at scale {scale or 'paper'}; raysl plan STUDY has the rows of one")


def _source(item: Planned) -> tuple[str, str]:
    """The paper and its table or figure; for other studies the title."""
    table_id = item.study.options.reproduces
    if table_id is None:
        return "–", item.study.options.title.strip()
    table = published_table(table_id)
    return NAMES.get(table.paper, paper(table.paper).id.upper()), table.heading


def cost_lines(item: Planned) -> Iterator[str]:
    """``27 pretrainings: 200 epochs of kinetics400``: equal cells once, including those that evaluations train.

    The number of videos that pass is added if the study determines it: for rendered videos, and if the length is in
    steps.
    """
    cells = unique_cells(item.cells)
    if item.study.search is not None:
        yield _trials(item.study.search, len(item.study.seeds))
    counts = Counter(_training(cell) for cell in cells if cell.pretrains)
    for (stage, length, per_cell), count in counts.items():
        videos = "" if per_cell is None else f" ({_in_words(count * per_cell)} videos)"
        yield f"{count} {stage}{'s' if count > 1 else ''}: {length}{videos}"
    if not counts and item.study.search is None:
        yield "none"


def _training(cell: Cell) -> tuple[str, str, int | None]:
    """The stage's name, its length, and how many videos pass, if that is known without data."""
    training, data = cell.config.training, cell.config.data
    if training.epochs is None:
        assert training.steps is not None
        passed = training.steps * training.batch_size
        return cell.stage, f"{training.steps:,} steps of {training.batch_size:,}, {data.bound_name}", passed
    count = _rendered(cell)
    length = f"{training.epochs} epoch{'s' if training.epochs > 1 else ''} of {data.bound_name}"
    return cell.stage, length, None if count is None else training.epochs * count


def _rendered(cell: Cell) -> int | None:
    """Training videos of a set that is rendered here."""
    options = cell.config.data.options
    classes, each = getattr(options, "classes", None), getattr(options, "train_per_class", None)
    return classes * each if isinstance(classes, int) and isinstance(each, int) else None


def _trials(search: Search, seeds: int) -> str:
    best = search.options.best
    return f"at most {search.options.trials} trials of {search.length}, then {best} x {seeds} at full length"


def _in_words(count: int) -> str:
    """``864 million``, ``12 thousand``, ``720``: two digits at least."""
    for size, word in ((10**6, " million"), (10**3, " thousand")):
        if count >= size:
            return f"{count / size:.3g}{word}" if count < 1000 * size else f"{count // size:,}{word}"
    return str(count)
