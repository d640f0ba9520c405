"""Commands that make something of what a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raysl.cli.arguments import (
    Cache,
    CellName,
    CellStudies,
    Device,
    Formats,
    Reports,
    Roots,
    Scale,
    Set,
    Storage,
    Studies,
)
from raysl.commands.terminal import PlainConsole
from raysl.errors import ConfigError


def report(
    studies: Annotated[
        list[Path] | None,
        typer.Argument(help="Study files, or folders of them; with --check none: every report.", show_default=False),
    ] = None,
    scale: Scale = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Results store, as for run; default: results, with --check the store beside each report.",
            show_default=False,
        ),
    ] = None,
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    reports: Reports = "reports",
    format_: Formats = None,
    html: Annotated[
        str | None,
        typer.Option(
            help="Write one self-contained page of all studies to this file (s3://… and gs://… too), and with "
            "--format what that names besides.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a table is not what its store gives.")
    ] = False,
) -> None:
    """Write the tables and figures from what the store holds; computes nothing."""
    from raysl.commands.elsewhere import print_elsewhere
    from raysl.commands.inputs import load_studies, places_for, shelf_of
    from raysl.commands.job import refuse_lost_folders
    from raysl.commands.report import write_reports
    from raysl.reports.formats import read_formats

    formats = read_formats(format_)
    refuse_lost_folders(storage=storage or "results", reports=reports)
    planned = load_studies(studies or [], scale, set_)
    if check:
        from raysl.commands.check import check_reports

        places = places_for(planned, root, cache) if studies else None
        if check_reports(planned, storage, places, reports, PlainConsole()):
            raise typer.Exit(1)
        return
    if not studies:
        raise ConfigError("no study is given: name study files or folders of them, or check all reports with --check")
    places = places_for(planned, root, cache)
    shelf = shelf_of(planned, storage or "results", places)
    wanted = formats if html is None or format_ is not None else ()
    console = PlainConsole()
    write_reports(planned, shelf, storage or "results", reports, console, wanted, html, places)
    print_elsewhere(planned, shelf.store, console)


def compare(
    cells: Annotated[
        tuple[str, str],
        typer.Argument(
            metavar="CELL CELL", help="Two cells: folder names in the store, ids or beginnings of them, or titles."
        ),
    ],
    storage: Storage = "results",
    study: Annotated[
        list[Path], typer.Option(help="Study whose titles (study/row/seed0, or row/seed0) are meant; repeatable.")
    ] = [],  # noqa: B006
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    everything: Annotated[bool, typer.Option("--all", help="Show what is equal too.")] = False,
) -> None:
    """Show in which configuration and results two cells differ; reads the store alone."""
    from raysl.commands.compare import compare_cells
    from raysl.commands.inputs import load_studies
    from raysl.commands.job import refuse_lost_folders
    from raysl.results import open as open_store

    refuse_lost_folders(storage=storage)
    if not study and (scale is not None or set_):
        raise ConfigError("--scale and --set are read with --study alone")
    planned = load_studies(study, scale, set_)
    compare_cells(open_store(storage), cells, planned, PlainConsole(), everything=everything)


def export(
    studies: Studies,
    to: Annotated[Path, typer.Option(help="Folder for the slim store.")],
    scale: Scale = None,
    storage: Storage = "results",
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
) -> None:
    """Copy the results of studies without checkpoints: what is checked in beside a report."""
    from raysl.commands.export import export_slim
    from raysl.commands.inputs import load_studies, places_for, shelf_of

    planned = load_studies(studies, scale, set_)
    export_slim(planned, shelf_of(planned, storage, places_for(planned, root, cache)), to, PlainConsole())


def export_backbone(
    cell: CellName,
    to: Annotated[str, typer.Option(help="Folder for weights, model card and configuration; s3://… and gs://… too.")],
    storage: Storage = "results",
    study: CellStudies = [],  # noqa: B006
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier export wrote there.")] = False,
) -> None:
    """Write a cell's backbone as safetensors with a model card, for PyTorch code without raysl."""
    from raysl.commands.cell_results import cell_results
    from raysl.commands.export_backbone import export_backbone as write_backbone
    from raysl.commands.inputs import load_studies
    from raysl.commands.job import refuse_lost_folders
    from raysl.results import open as open_store

    refuse_lost_folders(storage=storage)
    if not study and (scale is not None or set_):
        raise ConfigError("--scale and --set are read with --study alone")
    found = cell_results(open_store(storage), cell, load_studies(study, scale, set_) if study else [])
    write_backbone(found, to, PlainConsole(), overwrite=overwrite)


def embed(
    cell: CellName,
    videos: Annotated[
        list[Path] | None, typer.Argument(help="Video files, and folders of them.", show_default=False)
    ] = None,
    to: Annotated[
        str, typer.Option(help="Parquet file for path, label and features of each video; s3://… and gs://… too.")
    ] = "features.parquet",
    storage: Storage = "results",
    study: CellStudies = [],  # noqa: B006
    scale: Scale = None,
    data: Annotated[
        str | None, typer.Option(help="In place of VIDEOS a data set: ucf101/1, folder, ...", show_default=False)
    ] = None,
    set_: Annotated[list[str], typer.Option("--set", help="Option of the data set: split=2; repeatable.")] = [],  # noqa: B006
    split: Annotated[list[str], typer.Option(help="Of the data set: train, test; repeatable; default: all.")] = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Evaluation of the cell whose clips are taken: linear/ucf101.", show_default=False),
    ] = None,
    clips: Annotated[
        int | None, typer.Option(min=1, max=100, help="Clips a video; default: as the evaluation.", show_default=False)
    ] = None,
    device: Device = "auto",
) -> None:
    """Write features of videos under a cell's frozen backbone, as its evaluations make theirs."""
    from raysl.commands.cell_results import cell_results
    from raysl.commands.data import chosen_set
    from raysl.commands.embed import embed_videos, write_embedding
    from raysl.commands.inputs import load_studies
    from raysl.commands.job import refuse_lost_folders
    from raysl.commands.output_file import FEATURES
    from raysl.commands.roots import find_places
    from raysl.planning.calibration import device_of
    from raysl.results import open as open_store

    refuse_lost_folders(storage=storage)
    if (data is None) == (not videos):
        raise ConfigError("give video files and folders, or a data set with --data NAME; one of the two")
    if data is None and (set_ or root):
        raise ConfigError("--set and --root are of a data set: give one with --data")
    if not study and scale is not None:
        raise ConfigError("--scale is read with --study alone")
    FEATURES.find(to)  # refuses what is no file before anything is computed
    found = cell_results(open_store(storage), cell, load_studies(study, scale, []) if study else [])
    chosen = (videos or []) if data is None else chosen_set(data, set_, None, None)
    where = find_places(root, cache)
    console, on = PlainConsole(), device_of(device)
    made = embed_videos(found, chosen, where, on, splits=split, protocol=protocol, clips=clips, console=console)
    write_embedding(made, to, console)


def carry(
    storage: Annotated[str, typer.Argument(help="A results store that an older version of raysl wrote.")],
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
) -> None:
    """Give an older version's results the names of this one, where they were made from the data that is here."""
    from raysl.commands.carry import carry as carry_over
    from raysl.commands.roots import find_places

    if carry_over(storage, find_places(root, cache), PlainConsole()):
        raise typer.Exit(1)
