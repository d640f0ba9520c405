"""Joining and starting a Ray, where machines make that hard."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from raysl.config.sections import TrainingOptions
from raysl.engine.cluster import Cluster, cluster
from raysl.engine.offer import NodeType, Offer
from raysl.errors import ConfigError, RayslError
from raysl.work.workers import WorkerOptions

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


def test_an_address_that_the_environment_has_is_named_as_its(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(RayslError, match=r"'127.0.0.1:1' \(RAY_ADDRESS\).*unset RAY_ADDRESS"), cluster():
        pass


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_address_is_not_this_machine(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``--address "$HEAD"`` where nothing set the variable."""
    with pytest.raises(ConfigError, match="--address is empty"), cluster(blank):
        pass
    monkeypatch.setenv("RAY_ADDRESS", " ")
    with pytest.raises(ConfigError, match=r"RAY_ADDRESS is ' ': .* or unset it"), cluster():
        pass


def test_a_cluster_of_other_versions_is_said_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Ray itself says where versions differ, which needs a second Ray or Python to be installed."""
    said = (
        "Version mismatch: The cluster was started with:\n    Ray: 2.59.0\n    Python: 3.10.1\n"
        "This process on 10.0.0.2 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    )

    def init(**options: object) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr("ray.init", init)
    monkeypatch.setattr("raysl.engine.cluster._check_listening", lambda address: None)
    both = r"Ray: 2.59.0 Python: 3.10.1 This process .* Ray: 2.60.0 .*same versions"
    with pytest.raises(RayslError, match=both), cluster("10.0.0.1:6379"):
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


@pytest.mark.parametrize(
    ("loader_workers", "on_gpu", "options", "expected"),
    [
        ("auto", False, WorkerOptions(), {"CPU": 1.0}),
        ("auto", True, WorkerOptions(), {"CPU": 12.0, "GPU": 1.0}),
        ("auto", True, WorkerOptions(gpus=0.25), {"CPU": 3.0, "GPU": 0.25}),
        ("auto", True, WorkerOptions(cpus=2.0), {"CPU": 2.0, "GPU": 1.0}),
        (4, True, WorkerOptions(), {"CPU": 5.0, "GPU": 1.0}),
        (4, False, WorkerOptions(), {"CPU": 5.0}),
    ],
)
def test_a_worker_requests_cpus_for_its_loader_processes(
    loader_workers: Any, on_gpu: bool, options: WorkerOptions, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = (
        NodeType("head", {"CPU": 4.0}, {}, 1, 1),
        NodeType("large", {"CPU": 96.0, "GPU": 8.0}, {}, 1, 1),
        NodeType("small", {"CPU": 16.0, "GPU": 1.0}, {}, 0, 4),
    )
    monkeypatch.setattr("raysl.engine.cluster.offer", lambda **_: Offer(types, grows=True, known=True))
    made = Cluster("node", on_gpu, own=False, options=options)
    training = TrainingOptions(epochs=1, loader_workers=loader_workers)
    assert made.bundle(training, 1) == expected
