"""Several nodes on this machine: one that lacks the data is left out, and its cells are computed on another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from tests.data.rendered import write_set
from tests.planning.studies import SMALL_RECIPE, write_study
from tests.test_machine import may_mount

pytestmark = [pytest.mark.ray, pytest.mark.slow]

STUDY = """
title: "Two nodes"
base: recipe
data: {name: folder}
rows: {one: {}, two: {objective.contrastive.temperature: 0.2}, three: {objective.contrastive.temperature: 0.3}}
seeds: [0]
evaluations: [retrieval/folder]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("left", "right"):
        write_set(tmp_path / "videos" / name, videos=8)
    return tmp_path / "videos"


@pytest.fixture
def nodes(root: Path, tmp_path: Path) -> Iterator[Cluster]:
    """A head without CPUs, a node on whose disk the data set's folder is empty, and one that has it."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    start = f"{sys.executable} -m ray.scripts.scripts start --address={cluster.address} --block --num-cpus=1"
    with (tmp_path / "bad.log").open("w") as log:
        bad = subprocess.Popen(
            [
                "unshare",
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                f"mount -t tmpfs none {root} && exec {start}",
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while "Ray runtime started" not in (tmp_path / "bad.log").read_text():
            assert bad.poll() is None, (tmp_path / "bad.log").read_text()
            time.sleep(0.2)
        cluster.add_node(num_cpus=1)
        yield cluster
    finally:
        cluster.shutdown()
        os.killpg(bad.pid, signal.SIGKILL)


@may_mount
def test_a_node_that_lacks_the_data_is_left_out_and_is_no_cells_result(
    root: Path, nodes: Cluster, tmp_path: Path
) -> None:
    study = write_study(tmp_path, STUDY, SMALL_RECIPE)
    places = ["--storage", str(tmp_path / "store"), "--reports", str(tmp_path), "--cache", str(tmp_path / "cache")]
    command = [sys.executable, "-m", "raysl", "run", str(study), *places]
    command += ["--root", f"folder={root}", "--address", str(nodes.address)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 cells done (3 worked on now), 0 failed, 0 missing" in done.stdout
    assert done.stdout.count("is left out: folder: the root <folder> is empty") == 1, done.stdout
