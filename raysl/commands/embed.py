"""`raysl embed`: features of any videos under a stored cell's backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress

from raysl import __version__
from raysl.commands.cell_results import CellResults
from raysl.commands.output_file import FEATURES
from raysl.commands.terminal import PlainConsole
from raysl.config.component import Chosen
from raysl.data.places import Places, used_names
from raysl.data.source import open_source
from raysl.data.video_files import open_videos
from raysl.errors import ConfigError
from raysl.evaluation.embed import Embedding, embed, sampling_of
from raysl.training.precision import choose_device

MOST_NAMED = 20
"""Unreadable videos that are printed."""


def embed_videos(
    cell: CellResults,
    videos: Sequence[str | Path] | Chosen,
    places: Places,
    device: torch.device,
    *,
    splits: Sequence[str] = (),
    protocol: str | None = None,
    clips: int | None = None,
    console: PlainConsole | None = None,
) -> Embedding:
    """Features of files, or of a data set, by clips as the cell's own evaluations take them.

    Args:
        videos: files and folders, or a data set.
        splits: of the data set; none: all.
        protocol, clips: see `raysl.evaluation.embed.sampling_of`.
        console: shows how far it is; None: nothing is shown.

    Raises:
        ConfigError: the evaluations differ and none was chosen, or options that do not fit each other.
        DataError: nothing can be read.
        RayslError: the cell has no weights.
    """
    backbone, config, device = cell.backbone(), cell.config, choose_device(device)
    options = sampling_of(cell.evaluations(), protocol, clips)
    made: dict[str, Any] = {"cell": cell.name, "title": cell.title, "raysl": __version__}
    names = None
    with Progress(console=console, transient=True, disable=console is None) as shown:

        def progress(what: str) -> Callable[[int, int], None]:
            task = shown.add_task(what, total=None)
            return lambda done, total: shown.update(task, completed=done, total=total)

        reading, resize = progress("reading videos"), config.clip.resize
        if isinstance(videos, Chosen):
            _check_roots(places, used_names([videos]))
            source = open_source(videos, places, resize=resize, processes=None, fill=False, progress=reading)
            made |= {"data": videos.bound_name, "snapshot": source.snapshot.hashes.snapshot}
        elif splits:
            raise ConfigError("--split is of a data set: give one with --data")
        else:
            source, names = open_videos(videos, places, resize=resize, processes=None, progress=reading)
        return embed(
            backbone,
            config,
            source,
            options,
            device=device,
            splits=splits or None,
            names=names,
            made=made,
            on_progress=progress("features"),
        )


def _check_roots(places: Places, known: set[str]) -> None:
    for name in places.unused(known):
        raise ConfigError(f"--root {name}: the data set is called {' or '.join(sorted(known))}")


def write_embedding(embedding: Embedding, file: str, console: PlainConsole) -> None:
    """Writes it to a file, or an object of a bucket, and says what could not be read.

    Raises:
        ConfigError: ``file`` names no file.
        StorageError: it cannot be written.
    """
    shown = FEATURES.write(file, embedding.to_parquet())
    sampling = embedding.made["sampling"]
    console.print(
        f"written: {shown}: {len(embedding)} videos, {embedding.values.shape[1]} features each, by "
        f"{sampling['clips']} clips of {sampling['clip']['frames']} frames a video"
    )
    bad = list(embedding.unreadable.items())
    if bad:
        console.print(f"{len(bad)} videos cannot be read, and have no row:", style="yellow")
    for path, reason in bad[:MOST_NAMED]:
        console.print(f"  {path}: {reason}")
    if len(bad) > MOST_NAMED:
        console.print(f"  and {len(bad) - MOST_NAMED} more, which the file's schema names (unreadable)")
