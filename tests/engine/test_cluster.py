"""Joining and starting a Ray, where machines make that hard."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raysl.engine.cluster import cluster
from raysl.errors import RayslError

SCRIPT = """
import ray
from raysl.engine.cluster import cluster

@ray.remote
def place():
    from raysl import results
    return results.__file__

with cluster(cpus=1) as on:
    print(ray.cluster_resources()["CPU"], on.own, ray.get(place.remote()))
"""


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
