"""How many cells fit on a cluster, and the error where not one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raysl import results
from raysl.engine.cluster import Cluster, cluster
from raysl.errors import RayslError

SCRIPT = """
import ray
from raysl.engine.cluster import cluster

@ray.remote
def place():
    from raysl import results
    return results.__file__

with cluster(cpus=1) as on:
    print(on.cpus, on.own, ray.get(place.remote()))
"""


@pytest.mark.parametrize(
    ("on", "workers", "fit"),
    [
        (Cluster(2, 0, {"a": 2}, own=True), 1, 2),
        (Cluster(2, 0, {"a": 2}, own=True), 2, 1),  # our own Ray has a spare CPU for the waiting trial
        (Cluster(2, 0, {"a": 2}, own=False), 2, 0),
        (Cluster(3, 0, {"a": 3}, own=False), 2, 1),
        (Cluster(16, 4, {"a": 16}, own=False), 2, 2),
        (Cluster(16, 0, {"a": 8, "b": 8}, own=False), 5, 3),
    ],
)
def test_cells_beside_each_other(on: Cluster, workers: int, fit: int) -> None:
    assert on.at_once(workers) == fit


def test_more_workers_than_cpus_are_refused_with_what_would_fit() -> None:
    with pytest.raises(RayslError, match=r"plain/seed0: training.workers is 3.*has 2 CPUs: .*training.workers=2"):
        Cluster(2, 0, {"a": 2}, own=True).check_workers(3, "plain/seed0")
    with pytest.raises(RayslError, match=r"0.01 CPU beside them.*has 2 CPUs: .*training.workers=1"):
        Cluster(2, 0, {"a": 2}, own=False).check_workers(2, "plain/seed0")
    with pytest.raises(RayslError, match=r"a GPU of its own, but the cluster has 8 CPUs and 1 GPU"):
        Cluster(8, 1, {"a": 8}, own=False).check_workers(2, "plain/seed0")


def test_an_address_without_a_cluster_is_said() -> None:
    with pytest.raises(RayslError, match=r"no Ray cluster to join at '127.0.0.1:1'"), cluster("127.0.0.1:1"):
        pass


@pytest.mark.ray
def test_ray_is_started_with_an_empty_address_long_temporary_folders_and_above_a_checkout(tmp_path: Path) -> None:
    """In a job's folder Ray's sockets would have longer paths than the system allows; above a checkout that has results
    ``raysl.results`` would be those."""
    folder = tmp_path / "scratch" / ("a job of somebody " * 3).strip()
    folder.mkdir(parents=True)
    (tmp_path / "above" / "raysl" / "results" / "cells").mkdir(parents=True)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "RAY_ADDRESS": "", "TMPDIR": str(folder)}
    done = subprocess.run(
        [sys.executable, script],
        env=environment,
        cwd=tmp_path / "above",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "True", str(results.__file__)]
