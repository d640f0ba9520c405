"""The Ray task that reads a data set on a node. It imports little, since every run begins by waiting for it."""

from __future__ import annotations

import os
from typing import Any, cast

import ray
from ray._private.state import state  # no public call gives the free CPUs of each node

from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.engine.progress.board import notes_to
from raysl.errors import RayslError
from raysl.work.events import Reading


def read_here(data: Chosen, resize: int, places: Places, board: Any) -> tuple[str, bytes | RayslError]:
    """This node's id, and the snapshot, made with the CPUs that are free here, or why this node cannot make it."""

    def progress(done: int, total: int) -> None:
        board.post_reading.remote(data.bound_name, Reading(data.bound_name, "reading", done, total))

    progress(0, 0)
    node = ray.get_runtime_context().get_node_id()
    free = cast(Any, state).available_resources_per_node().get(node, {}).get("CPU", 0.0)
    processes = min(1 + int(free), len(os.sched_getaffinity(0)))
    try:
        with notes_to(board):
            source = open_source(data, places, resize=resize, processes=processes, progress=progress)
    except RayslError as error:
        return node, error
    finally:
        board.post_reading.remote(data.bound_name, None)
    return node, source.snapshot.to_bytes()
