"""`raysl data check`: what a data set is like, before anything is trained on it."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from raysl.config.cell import Slot
from raysl.config.document import overrides_tree
from raysl.config.resolve import choose
from raysl.config.tree import merge
from raysl.config.yaml_reader import Origin, Tree
from raysl.data.check import check_catalog
from raysl.data.places import Places
from raysl.data.source import open_source


def print_check(
    catalog: str,
    options: list[str],
    places: Places,
    resize: int,
    processes: int | None,
    console: Console,
    missing: Path | None = None,
) -> None:
    """Decodes every video once (what was decoded before is not decoded again) and prints the report.

    Args:
        missing: file to which the names of listed videos without a file are written, one a line.

    Raises:
        ConfigError: unknown data set or option. DataError: no root, or lists that cannot be read.
    """
    tree = merge(Tree({"name": catalog}, {(): Origin("data set")}), overrides_tree(options))
    chosen = choose(Slot("data set"), tree.data, tree, ())
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("reading videos", total=None)
        source = open_source(
            chosen,
            places,
            resize=resize,
            processes=processes or os.cpu_count() or 1,
            fill=False,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if missing is not None:
        missing.write_text("".join(f"{name}\n" for name in source.catalog.missing), encoding="utf-8")
        console.print(f"{len(source.catalog.missing)} absent videos: named in {missing}", highlight=False)
    console.print(check_catalog(source).text(), markup=False, highlight=False, soft_wrap=True)
