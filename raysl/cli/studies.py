"""Commands about studies before they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raysl.cli.arguments import Cache, CacheGigabytes, Device, Roots, Scale, Set, Studies, Threads
from raysl.commands.terminal import PlainConsole, is_utf8
from raysl.errors import ConfigError, printable


def plan(
    studies: Studies,
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    cache_gigabytes: CacheGigabytes = None,
    show_cell: Annotated[str | None, typer.Option(metavar="ROW", help="Print this row's resolved cell.")] = None,
    try_step: Annotated[
        bool, typer.Option(help="Take one real step of every distinct cell, and evaluate a few videos.")
    ] = False,
    cost: Annotated[
        bool, typer.Option("--cost", help="Steps, clips, bytes, and time by what raysl calibrate measured.")
    ] = False,
    storage: Annotated[
        str | None, typer.Option(help="With --cost: a results store, whose cells are free.", show_default=False)
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="With --cost: cells at once; default 1.", show_default=False)
    ] = None,
    price_per_hour: Annotated[
        float | None, typer.Option(help="With --cost: of one worker, in any currency.", show_default=False)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="With --cost: as raysl calibrate was given it.", show_default=False)
    ] = None,
    threads: Threads = None,
    hardware: Annotated[
        str | None,
        typer.Option(help="With --cost: part of the name of the machine whose times to use.", show_default=False),
    ] = None,
) -> None:
    """List the cells of studies with their ids; nothing is computed."""
    from raysl.commands.inputs import load_studies, places_for
    from raysl.commands.plan import print_plan, print_roots, try_steps
    from raysl.commands.plan import show_cell as show

    only_cost = {
        "--storage": storage,
        "--width": width,
        "--price-per-hour": price_per_hour,
        "--device": device,
        "--threads": threads,
        "--hardware": hardware,
    }
    given = [name for name, value in only_cost.items() if value is not None]
    if given and not cost:
        raise ConfigError(f"{given[0]}: is read with --cost alone")
    planned = load_studies(studies, scale, set_)
    if show_cell is not None:
        print(show(planned, show_cell, in_ascii=not is_utf8()), end="")
        return
    places = places_for(planned, root, cache, cache_gigabytes)
    console = PlainConsole()
    print_plan(planned, places, console)
    print_roots(planned, places, console)
    if cost:
        from raysl.commands.cost import CostOptions, print_cost
        from raysl.planning.calibration import device_of, find_calibration
        from raysl.planning.cost import Estimates, KnownData
        from raysl.results import open as open_store

        calibration = find_calibration(places, device_of(device or "auto"), hardware)
        options = CostOptions(storage, width or 1, price_per_hour)
        data = KnownData(places, None if storage is None else open_store(storage))
        print_cost(planned, places, calibration, Estimates(data, threads), options, console)
    if try_step and try_steps(planned, places, console):
        raise typer.Exit(1)


def studies(
    names: Annotated[
        list[Path] | None,
        typer.Argument(help="Of studies or folders of them; all that raysl ships without.", show_default=False),
    ] = None,
    scale: Scale = None,
) -> None:
    """List studies with their paper, table, cells and trainings; the first column is what other commands take."""
    from raysl.commands.studies import print_studies

    print_studies(names or [], scale, PlainConsole())


def new(
    file: Annotated[Path, typer.Argument(help="The study to write: NAME.yaml.", show_default=False)],
    recipe: Annotated[
        str, typer.Option("--from", metavar="RECIPE", help="As a study's base: names it.")
    ] = "recipes/simclr",
    data: Annotated[str, typer.Option(help="Data set: folder, ucf101, synthetic, ...")] = "folder",
) -> None:
    """Write a first study, with comments, that can be planned and run as it is."""
    from raysl.commands.new import print_new, write_study

    print_new(write_study(file, recipe, data), PlainConsole())


def calibrate(
    studies: Studies,
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    cache_gigabytes: CacheGigabytes = None,
    device: Device = "auto",
    threads: Threads = None,
    again: Annotated[bool, typer.Option("--again", help="Measure what is known, too.")] = False,
) -> None:
    """Measure on this machine what the studies' cells are made of, for raysl plan --cost; what is known is kept."""
    from raysl.commands.cost import calibrate_studies
    from raysl.commands.inputs import load_studies, places_for
    from raysl.planning.calibration import device_of

    planned = load_studies(studies, scale, set_)
    places = places_for(planned, root, cache, cache_gigabytes)
    if calibrate_studies(planned, places, device_of(device), threads, PlainConsole(), again=again):
        raise typer.Exit(1)


def schema(
    kind: Annotated[
        str, typer.Option(help="study (recipes too), scale, cell, or a kind of component: backbone, data-set, ...")
    ] = "study",
    to: Annotated[Path | None, typer.Option(help="File to write; printed without.")] = None,
) -> None:
    """Print the JSON schema that lets an editor complete and check what you write."""
    from raysl.commands.schema import schema_text, write_schema

    if to is None:
        print(schema_text(kind, in_ascii=not is_utf8()), end="")
        return
    write_schema(kind, to)
    print(f"written: {printable(str(to))}; in a YAML file: # yaml-language-server: $schema={printable(str(to))}")
