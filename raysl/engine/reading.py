"""Tasks on the node whose data set is read. They import no more than that takes: a run begins by waiting for them."""

from __future__ import annotations

import contextlib
from typing import Any

from raysl.config.component import Chosen
from raysl.data.catalog import CatalogReader
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.errors import RayslError
from raysl.work.events import Reading


def is_made_here(data: Chosen, places: Places) -> bool:
    """The task: whether all files of a data set that makes its own are there."""
    reader: CatalogReader = data.build()
    try:
        reader.read(places.root(data))
    except RayslError:
        return False
    return True


def make_here(data: Chosen, places: Places, board: Any) -> None:
    """The task, one a CPU: they share the making of a data set's files. What fails here fails in reading too."""
    board.post_reading.remote(data.bound_name, Reading(data.bound_name, "making", 0, 0))
    reader: CatalogReader = data.build()
    with contextlib.suppress(RayslError):
        reader.prepare(places.root(data))


def read_here(data: Chosen, resize: int, places: Places, board: Any) -> bytes | RayslError:
    """The task: the snapshot, or why this node cannot make it."""

    def progress(done: int, total: int) -> None:
        board.post_reading.remote(data.bound_name, Reading(data.bound_name, "reading", done, total))

    progress(0, 0)
    try:
        snapshot = open_source(data, places, resize=resize, processes=None, progress=progress).snapshot
    except RayslError as error:
        return error
    finally:
        board.post_reading.remote(data.bound_name, None)
    return snapshot.to_bytes()
