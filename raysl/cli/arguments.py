"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raysl.errors import ConfigError


def _folder(text: str) -> Path:
    """An empty path would be the working folder: that of ``--cache "$SCRATCH"`` where nothing set it."""
    if not text.strip():
        raise ConfigError("--cache is empty: give a folder, or leave it out")
    return Path(text)


Studies = Annotated[
    list[Path],
    typer.Argument(help="Study files, folders of them, or names that raysl studies lists.", show_default=False),
]
Scale = Annotated[str | None, typer.Option(help="Cost, not science: smoke, laptop, paper, or a file.")]
Set = Annotated[list[str], typer.Option("--set", help="section.key=value, laid over everything else; repeatable.")]
Roots = Annotated[list[str], typer.Option("--root", help="NAME=PATH of a data set or a weights file; repeatable.")]
Storage = Annotated[str, typer.Option(help="Results store: a folder, s3://bucket/path or gs://bucket/path.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder for decoded frames on this node.", parser=_folder, metavar="PATH")
]
CacheGigabytes = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1e6,
        help="Most that decoded frames may take of the disk, of all data sets; default: RAYSL_CACHE_GIGABYTES, or 20.",
        show_default=False,
    ),
]
Device = Annotated[str, typer.Option(help="cpu, gpu, or auto: the GPU where this machine has one.")]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="PyTorch threads of a worker; default: the CPUs that it asks Ray for, 1 and its loader processes.",
        show_default=False,
    ),
]
Reports = Annotated[str, typer.Option(help="Reports are written to a folder below this one; s3://… and gs://… too.")]
CellName = Annotated[
    str,
    typer.Argument(metavar="CELL", help="Folder name in the store, id or beginning of it, or title (study/row/seed0)."),
]
CellStudies = Annotated[
    list[Path], typer.Option("--study", help="Study whose titles are meant; default: those that the store has kept.")
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Of md, csv, latex, html, svg and png (figures); default: RAYSL_FORMAT, or all but html.",
        show_default=False,
    ),
]
