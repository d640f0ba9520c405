"""`raysl plan`: what would be computed, before money is spent."""

from __future__ import annotations

from collections.abc import Callable

import yaml
from rich.table import Table

from raysl.commands.inputs import Planned, data_of
from raysl.commands.terminal import PlainConsole
from raysl.config.cells import Cell, unique_cells
from raysl.config.component import Chosen
from raysl.config.identity import resolved
from raysl.config.suggest import nearest
from raysl.data.places import Places
from raysl.data.snapshot import data_key
from raysl.data.source import VideoSource, known_classes, open_source
from raysl.errors import ConfigError, DataError, RayslError, printable
from raysl.evaluation.against_data import check_against_data
from raysl.planning.advice import advice_lines, empty_columns
from raysl.planning.coverage import coverage_lines, published_coverage
from raysl.planning.differences import applied_lines, describe_differences
from raysl.planning.search import Search
from raysl.planning.study import Study
from raysl.training.check_cell import check_cell


def print_plan(planned: list[Planned], places: Places, console: PlainConsole) -> None:
    """One table per study, and counts over all of them: of the work, and of published results."""
    for item in planned:
        study, of_rows = item.study, dict[str, list[Cell]]()
        for cell in item.cells:
            of_rows.setdefault(cell.row, []).append(cell)
        table = Table(title=f"{study.options.title.strip()}  [{study.name}, scale {study.scale}]", title_justify="left")
        for heading in ("row", "backbone", "pretraining", "length", "cells (one a seed or fold)", "evaluations"):
            table.add_column(heading, overflow="fold")
        for row in (*study.rows, *study.trivial):
            cells = of_rows[row.name]
            training = row.cell.training
            length = f"{training.epochs} epochs" if training.epochs is not None else f"{training.steps} steps"
            table.add_row(
                row.name,
                row.cell.backbone.name,
                row.cell.pretraining,
                length if row.cell.pretraining != "none" else "–",
                " ".join(cell.id for cell in cells),
                " ".join(dict.fromkeys(evaluation.label for evaluation in cells[0].evaluations)),
            )
            for label, behind in _behind(cells).items():
                trained = behind[0].config.training
                table.add_row(
                    f"  {label}", "", behind[0].stage, f"{trained.epochs} epochs", " ".join(one.id for one in behind)
                )
        console.print(table)
        print_changes(study, console)
        if study.search is not None:
            print_search(study.search, len(study.seeds), console)
    everything = [cell for item in planned for cell in item.cells]
    work = unique_cells(everything)
    print_advice(planned, places, console)
    print_counts(planned, everything, work, console)


def _behind(cells: list[Cell]) -> dict[str, list[Cell]]:
    """The cells that evaluations of a row's cells train, by label; rows with the same training share them."""
    found: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        for evaluation in cell.evaluations:
            behind = cell.behind(evaluation)
            if behind is not None:
                found.setdefault(evaluation.label, {})[behind.key] = behind
    return {label: list(ones.values()) for label, ones in found.items()}


def print_roots(planned: list[Planned], places: Places, console: PlainConsole) -> None:
    """A line for each data set that has no folder on this machine: a run here would refuse it."""
    said = dict[str, None]()
    for data in data_of(planned):
        try:
            places.root(data)
        except DataError as error:
            said[str(error)] = None
    for line in said:
        console.print(f"not on this machine: {line}", style="yellow")


def print_changes(study: Study, console: PlainConsole) -> None:
    """What each row changes in resolved values, and what the scale and ``--set`` changed."""
    found = describe_differences(study)
    changing = {name: changes for name, changes in found.rows.items() if name != found.reference}
    lines = [f"what each row changes against {found.reference!r}:"] if changing else []
    for name, changes in changing.items():
        lines.append(f"  {name}: {'; '.join(str(change) for change in changes) or 'nothing'}")
    for line in [*lines, *applied_lines(found.given, study.scale)]:
        console.print(line)


def print_search(search: Search, seeds: int, console: PlainConsole) -> None:
    """The axes of a search, its trials, and the cells that follow."""
    options = search.options
    table = Table(show_header=True, title_justify="left")
    for heading in ("axis", "values", "when"):
        table.add_column(heading, overflow="fold")
    for axis in search.axes:
        when = "; ".join(f"{key}: {' or '.join(names)}" for key, names in axis.when.items())
        table.add_row(axis.key, axis.shown, when)
    console.print(table)
    console.print(
        f"search {search.id}: {options.trials} trials of {search.length} at seed {options.seed}, each scored up to "
        f"{options.reports} times ({search.scored_by}) and stopped where it falls behind; then the best "
        f"{options.best} at full length, {seeds} seeds: {options.best * seeds} cells beside those of the rows",
    )


def print_counts(planned: list[Planned], cells: list[Cell], work: list[Cell], console: PlainConsole) -> None:
    """Requested and unique work; coverage of the papers, if a study reproduces any."""
    evaluations = sum(len(cell.evaluations) for cell in cells)
    asked = {cell.key for cell in cells}
    tuned = sum(cell.key not in asked for cell in work)
    studies = "1 study" if len(planned) == 1 else f"{len(planned)} studies"
    console.print(
        f"{studies}, {len(cells)} cells asked for, {len(work) - tuned} unique; "
        f"{sum(cell.pretrains for cell in cells)} pretrainings asked for, "
        f"{sum(cell.pretrains for cell in work) - tuned} unique; "
        f"{evaluations} evaluations asked for, {sum(len(item.evaluations) for item in work) - tuned} unique"
        + (f"; {tuned} of them train cells of their own" if tuned else ""),
    )
    found = [(search.options, len(item.study.seeds)) for item in planned if (search := item.study.search) is not None]
    if found:
        best = sum(options.best * seeds for options, seeds in found)
        trials = sum(options.trials for options, _ in found)
        console.print(
            f"{len(found)} searches: at most {trials} short trials, and {best} cells of their best after them"
        )
    matches = [(item.study.name, item.study.published) for item in planned if item.study.published is not None]
    if matches:
        for line in coverage_lines(published_coverage(matches)):
            console.print(line)


def print_advice(planned: list[Planned], places: Places, console: PlainConsole) -> None:
    """Remarks about rows and columns before money is spent, one per line."""
    known: dict[str, int | None] = {}

    def classes(data: Chosen) -> int | None:
        key = data_key(data)
        if key not in known:
            known[key] = known_classes(data, places)
        return known[key]

    lines = advice_lines(cell for item in planned for cell in item.cells)
    for item in planned:
        lines += empty_columns(item.study, item.cells, classes)
    for line in lines:
        console.print(line, style="yellow")


def show_cell(planned: list[Planned], row: str, *, in_ascii: bool = False) -> str:
    """The resolved configuration of a row (its first seed) as YAML that ``python -m raysl.training`` reads.

    Args:
        in_ascii: other characters are escaped.

    Raises:
        ConfigError: no study has this row.
    """
    cells = [cell for item in planned for cell in item.cells]
    for cell in cells:
        if cell.row == row:
            heading = f"# {printable(cell.title)}, cell {cell.id}\n"
            return heading + yaml.safe_dump(resolved(cell.config), sort_keys=False, allow_unicode=not in_ascii)
    raise ConfigError(f"--show-cell {row}: there is no such row{nearest(row, {cell.row for cell in cells})}")


def try_steps(planned: list[Planned], places: Places, console: PlainConsole) -> int:
    """One real step of every distinct cell (at one seed), then its evaluations on a few videos, one line per cell.

    Returns:
        How many cells failed.
    """
    first_seeds = [cell for item in planned for cell in item.cells if cell.seed == item.study.seeds[0]]
    sources: dict[str, VideoSource] = {}

    def source(data: Chosen, resize: int) -> VideoSource:
        key = f"{data}@{resize}"
        if key not in sources:
            sources[key] = open_source(data, places, resize=resize)
        return sources[key]

    failed = 0
    for cell in unique_cells(first_seeds):
        try:
            console.print(_try_one(cell, places, source))
        except RayslError as error:
            failed += 1
            console.print(f"failed  {cell.title}: {error}", style="red")
    return failed


def _try_one(cell: Cell, places: Places, source: Callable[[Chosen, int], VideoSource]) -> str:
    from raysl.evaluation.try_evaluation import try_evaluation
    from raysl.training.try_step import try_step

    config = cell.config
    if cell.pretrains:
        check_cell(config)
        videos = source(config.data, config.clip.resize)
        check_against_data(config, None, videos.snapshot)
        report = try_step(config, videos, files=places.roots)
        said = (
            f"loss {report.loss:.4f}, {report.seconds:.2f} s for step 1 of {report.steps}, after "
            f"{report.loading:.2f} s for its clips (videos that are not in the cache are decoded), "
            f"{report.peak_memory_mb:.0f} MB"
        )
    else:
        report = try_step(config, None, files=places.roots)
        said = "nothing to train (pretraining: none)"
    for evaluation in cell.own:
        videos = source(evaluation.data, config.clip.resize)
        try_evaluation(config, evaluation, report.backbone, videos, report.network, files=places.roots)
    tried = ", ".join(dict.fromkeys(evaluation.label for evaluation in cell.own))
    return f"ok      {cell.title}: {said}" + (f"; tried on a few videos: {tried}" if tried else "")
