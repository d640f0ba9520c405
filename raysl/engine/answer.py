"""Whether Ray can be started here, or a cluster be joined, and runs a task."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from raysl.engine.cluster import cluster
from raysl.errors import RayslError

PATIENCE_SECONDS = 120.0
"""For a worker to start and to answer."""


@dataclass(frozen=True)
class RayAnswer:
    """What a Ray said.

    Attributes:
        seconds: from the beginning until a task had answered.
        nodes: that are alive.
        cpus, gpus: of all of them.
    """

    seconds: float
    nodes: int
    cpus: float
    gpus: float

    def as_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)


def ask_ray(address: str | None = None) -> RayAnswer:
    """Joins the cluster, or starts one and stops it, and has it run one task.

    Raises:
        RayslError: there is no cluster, it does not start, or it does not answer.
    """
    began = time.monotonic()
    with cluster(address):
        try:
            remote: Any = ray.remote(num_cpus=1)(_answer)
            ray.get(remote.remote(), timeout=PATIENCE_SECONDS)
        except RayError as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise RayslError(f"Ray is there and runs no task ({type(error).__name__}: {first})") from error
        cluster_of: Any = ray
        resources = cluster_of.cluster_resources()
        nodes = sum(bool(node["Alive"]) for node in cluster_of.nodes())
        return RayAnswer(
            time.monotonic() - began, nodes, float(resources.get("CPU", 0.0)), float(resources.get("GPU", 0.0))
        )


def _answer() -> str:
    return "raysl"
