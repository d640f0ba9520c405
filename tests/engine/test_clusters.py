"""Clusters of this machine, really run: several nodes, a tiny study, its table."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from raysl import results
from raysl.data.places import Places
from tests.engine.heads import BIN, ROOT, Head, end, free_ports, head
from tests.engine.interrupted import go, waiting
from tests.engine.processes import below, runs
from tests.planning.studies import SMALL_RECIPE, write_study
from tests.work.plans import site_here

pytestmark = [pytest.mark.ray, pytest.mark.cluster, pytest.mark.slow]
STUDY = """
title: "On a cluster"
base: recipe
rows:
  random: {pretraining: none}
  two: {training.workers: 2}
baseline: random
seeds: [0]
evaluations: [retrieval/synthetic]
"""
LONG = """
title: "Longer than its allocation"
base: recipe
rows:
  long: {backbone: {name: r3d_18, width: 0.0625}, training.steps: 200, training.checkpoint_steps: 50}
seeds: [0]
evaluations: [retrieval/synthetic]
"""
CARD = {
    "resources": {"CPU": 2, "GPU": 1, "object_store_memory": 1},
    "labels": {"zone": "a"},
    "min_workers": 0,
    "max_workers": 2,
    "node_config": {},
}
"""A type whose nodes never come, as where a cloud has none left: Ray refuses so little memory when it starts one."""
SEAT = {
    "resources": {"CPU": 2, "seat": 1, "object_store_memory": 200000000},
    "min_workers": 0,
    "max_workers": 3,
    "node_config": {},
}
"""A type whose nodes have room for one worker that asks for a seat."""
NODES = """
import time
import ray
ray.init(address="{address}", log_to_driver=False)
for _ in range(100):
    alive = sorted(node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"])
    if len(alive) <= {most}:
        break
    time.sleep(1)
print(alive)
"""
"""CPUs of each node, once there are so few, or after a while."""


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    """``clusters/local.yaml`` as its first lines say, with two more types of nodes."""
    written = (ROOT / "clusters" / "local.yaml").read_text()
    (start,) = re.findall(r"#\s+(RAY_FAKE_CLUSTER=1 .*?--autoscaling-config=\S+)", written.replace("\\\n#", ""), re.S)
    variables = dict(word.split("=") for word in start.split() if word.startswith("RAY_"))
    options = [word for word in start.split() if word.startswith("--num-") or word.startswith("--node-ip")]
    (port,) = free_ports(1)
    file = tmp_path_factory.mktemp("cluster") / "local.yaml"
    config = yaml.safe_load(written.replace("127.0.0.1:6399", f"127.0.0.1:{port}"))
    config["available_node_types"] |= {"card": CARD, "seat": SEAT}
    file.write_text(yaml.safe_dump(config))
    environment = {**variables, "RAY_AUTH_MODE": "disabled", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    with head(environment, *options, f"--autoscaling-config={file}", port=port) as on:
        yield on


def test_nodes_of_local_yaml_come_for_cells_and_the_table_is_that_of_one_machine(grown: Head, tmp_path: Path) -> None:
    study, on = write_study(tmp_path, STUDY, SMALL_RECIPE, name="nodes"), grown
    places: list[str | Path] = ["--cache", tmp_path / "cache"]
    there = [*places, "--storage", tmp_path / "store", "--reports", tmp_path / "reports"]
    run = ["run", study, *there, "--address", on.address]
    refused = on.raysl(*run, "--gpus-per-worker", "4", "--node-label", "zone=a", cwd=tmp_path)
    assert refused.returncode == 1
    assert "asks for 2 CPU, 4 GPU, but no node is as large: the nearest is card (2 CPU, 1 GPU; 0 of up to 2)" in (
        refused.stderr
    )
    unknown = on.raysl(*run, "--node-label", "zone=b", cwd=tmp_path)
    assert unknown.returncode == 1
    assert "no node has the labels zone=b: there is zone=a" in unknown.stderr, "nor can the autoscaler add one"
    with on.running(*run) as waits:
        waits.until_said("cells wait for nodes")
        waits.process.send_signal(signal.SIGTERM)
        status, log = waits.ended()
    assert status == 128 + signal.SIGTERM, log
    assert "cells compute on GPUs" in log, "--device auto chooses what the autoscaler can add"
    assert "2 GPU cells wait for nodes; the cluster has 0 of 3 GPUs" in log
    assert "ended by SIGTERM: what is done is kept" in log
    done = on.raysl(*run, "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cells compute on CPUs" in done.stdout
    seen = json.loads(on.python(NODES.format(address=on.address, most=9)).stdout)
    assert seen in ([0.0, *[2.0] * count] for count in (1, 2, 3)), "the head, and nodes that came"
    here = [*places, "--storage", tmp_path / "here", "--reports", tmp_path / "alone"]
    assert on.raysl("run", study, "--local", *here, cwd=tmp_path).returncode == 0
    seen = json.loads(on.python(NODES.format(address=on.address, most=1)).stdout)
    assert seen == [0.0], "nodes were given back"
    assert "2 cells done (2 worked on now), 0 failed, 0 missing" in done.stdout
    table, alone = (values(tmp_path / name / "nodes" / "table.csv") for name in ("reports", "alone"))
    assert table.keys() == alone.keys()
    assert {row for row, _ in table} == {"random", "two"}
    assert all(table.values())
    # Without Ray two workers are one, whose sums round otherwise.
    assert [table[key] for key in table if key[0] != "two"] == [alone[key] for key in alone if key[0] != "two"]


@pytest.mark.long
def test_a_cell_that_lost_a_node_gives_its_reservation_back_and_goes_on_with_the_next(
    grown: Head, tmp_path: Path
) -> None:
    """Train would wait in it for a node like the one that is gone."""
    store = results.open(tmp_path / "store")
    # Read here, so that no node comes to read it: there would be one too many.
    site_here(waiting(tmp_path, workers=2), store, Places({}, tmp_path / "cache", cache_gigabytes=0.1))
    there: list[str | Path] = ["--storage", tmp_path / "store", "--cache", tmp_path / "cache", "--reports", tmp_path]
    asked = ["--address", grown.address, "--device", "cpu", "--cpus-per-worker", "2", "--resource", "seat=1"]
    with grown.running("run", tmp_path / "tiny.yaml", *there, *asked) as run:
        run.until(lambda: any(cell.latest_checkpoint() for cell in store.cells()))
        seats = [pid for pid, words in below() if "raylet/raylet" in words and "seat" in words]
        # Not the one with the trial's actor, if one has it: where that is lost too, Tune asks anew.
        other, *_ = [pid for pid in seats if not any("ray::ImplicitFunc" in words for _, words in below(pid))]
        (autoscaler,) = [pid for pid, words in below() if "autoscaler/_private/monitor.py" in words]
        os.kill(autoscaler, signal.SIGSTOP)  # a cloud that takes longer than the trial waits
        os.kill(other, signal.SIGTERM)
        try:
            run.until_said("tiny/waiting/seed0: waiting, ")
            go(tmp_path)
        finally:
            os.kill(autoscaler, signal.SIGCONT)
        status, log = run.ended()
    assert status == 0, log
    assert "tiny/waiting/seed0: a node is gone, and no other came; requests its nodes again" in log, log
    assert "1 cells done (1 worked on now), 0 failed, 0 missing" in log
    (cell,) = store.cells()
    provenance = cell.provenance()
    assert provenance is not None
    assert [(one["from_step"], one["workers"]) for one in provenance["attempts"]] == [(0, 2), (2, 2)]


def values(table: Path) -> dict[tuple[str, str], str]:
    """What was measured, by row and metric."""
    with table.open(newline="") as file:
        return {(line["row"], line["metric"]): line["values"] for line in csv.DictReader(file)}


SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then printf 'node1\\nnode2\\n'; else echo "$@" >> "$FAKE_SLURM"; fi
"""


def slurm(folder: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    """The script as sbatch runs it, on an allocation of two nodes that are this machine."""
    commands = folder / "bin"
    commands.mkdir(exist_ok=True)
    for name, content in (("srun", SRUN), ("scontrol", SCONTROL)):
        (commands / name).write_text(content)
        (commands / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS" and not name.startswith("SLURM")}
    environment = {
        **kept,
        "PATH": f"{commands}:{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "FAKE_SLURM": str(folder / "asked"),
        "RAYSL_VENV": str(folder / "no-venv"),
        "RAYSL_RAY_PORT": str(free_ports(1)[0]),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_CPUS_PER_TASK": "1",
    }
    command = ["bash", ROOT / "clusters" / "slurm.sh", *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.long
def test_an_allocation_that_ends_is_queued_again_and_goes_on(tmp_path: Path) -> None:
    study = write_study(tmp_path, LONG, SMALL_RECIPE, name="long")
    places = [f"--{name}={tmp_path / name}" for name in ("storage", "reports", "cache")]
    store = results.open(tmp_path / "storage")
    first = slurm(tmp_path, study, *places)
    try:
        ends = time.monotonic() + 150
        while not any(cell.latest_checkpoint() for cell in store.cells()):
            assert first.poll() is None, first.communicate()
            assert time.monotonic() < ends
            time.sleep(0.2)
        started = below(first.pid)
        assert sum("raylet/raylet" in command for _, command in started) == 2, "two nodes"
        first.send_signal(signal.SIGUSR1)
        log, _ = first.communicate(timeout=120)
    finally:
        end(first)
    assert first.returncode != 0, log
    assert "ended by SIGTERM: what is done is kept" in log
    assert (tmp_path / "asked").read_text().split() == ["requeue", str(os.getpid())]
    assert not [command for pid, command in started if "raylet" in command and runs(pid)]
    (cell,) = store.cells()
    saved, progress = cell.latest_checkpoint(), cell.state().progress
    assert saved is not None
    assert progress is not None
    assert saved[0] >= int(str(progress["step"])), "the signal had it saved"
    assert not Path(f"/tmp/raysl-{os.getpid()}").exists()
    again = slurm(tmp_path, study, *places)
    try:
        log, _ = again.communicate(timeout=300)
    finally:
        end(again)
    assert again.returncode == 0, log
    assert "1 cells done (1 worked on now), 0 failed, 0 missing" in log
    assert (tmp_path / "reports" / "long" / "table.md").exists()
    provenance = cell.provenance()
    assert provenance is not None
    assert [attempt["from_step"] for attempt in provenance["attempts"]] == [0, saved[0]]
