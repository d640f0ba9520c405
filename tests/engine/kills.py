"""Kills processes of a run at random until it is done, and compares its table with that of an undisturbed run.

    python -m tests.engine.kills FOLDER --kills 200 --seed 0

Starts a cluster of its own (a head without CPUs and nodes of two), runs a study on it by the command, and kills, at
random times: a training worker, the actor of a trial, its desk, the board, the driver, a whole node. What
was killed comes back: the driver by the same command, a node by another one. Sweeps follow each other, each on a store
of its own, until there were enough kills. After each: the table's bytes, steps that were computed twice beyond the last
checkpoint, and what is left on the cluster.
"""

from __future__ import annotations

import argparse
import calendar
import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from raysl import results
from raysl.results.attempt import STARTED, Attempt
from tests.engine.processes import below
from tests.planning.studies import SMALL_RECIPE, write_study

STUDY = """
title: "A sweep under fire"
base: recipe
rows:
  random: {pretraining: none}
  one: {}
  more: {objective.contrastive.temperature: 0.2}
  two: {objective.contrastive.temperature: 0.3, training.workers: 2}
  both: {objective.contrastive.temperature: 0.4, training.workers: 2}
seeds: [0, 1]
evaluations: [retrieval/synthetic]
backbone: {name: r3d_18, width: 0.0625}
training: {steps: STEPS, checkpoint_steps: 5, threads: 1}
"""
CHECKPOINT_STEPS = 5
MOST_GIVEN_UP = 20

VICTIMS = {
    "worker": ("RayTrainWorker",),
    "trial": ("ImplicitFunc",),
    "desk": ("ray::Desk",),
    "board": ("ray::Board",),
    "driver": (),
    "node": (),
}
"""What is killed, and what Ray's titles of its process contain."""


@dataclass
class Report:
    """What came out of all sweeps.

    Attributes:
        kills: by victim; only where there was one.
        sweeps: whole runs.
        commands: starts of the driver.
        differing: sweeps whose table had other bytes.
        given_up: commands that ended with holes, as a cell's processes were lost three times in a row before it came
            any further; the next one goes on.
        twice: steps that were computed again though a checkpoint had them.
        left: what was on the cluster after a sweep, and should not have been.
    """

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    sweeps: int = 0
    commands: int = 0
    differing: int = 0
    given_up: int = 0
    twice: int = 0
    seconds: float = 0.0
    left: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Fire:
    """A cluster, and the runs on it."""

    def __init__(self, folder: Path, seed: int, steps: int, nodes: int = 2) -> None:
        from ray.cluster_utils import Cluster

        self.folder, self.random, self.report = folder, random.Random(seed), Report()
        self.study = write_study(folder, STUDY.replace("STEPS", str(steps)), SMALL_RECIPE)
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(nodes):
            self.cluster.add_node(num_cpus=2)

    def close(self) -> None:
        self.cluster.shutdown()

    def start(self, name: str, address: str | None) -> subprocess.Popen[str]:
        """The command; locally, without Ray's cluster, where there is no address."""
        self.report.commands += 1
        places = ["--storage", str(self.folder / name / "store"), "--cache", str(self.folder / "cache")]
        command = [sys.executable, "-m", "raysl", "run", str(self.study), *places]
        command += ["--reports", str(self.folder / name), *(["--address", address] if address else [])]
        log = (self.folder / f"{name}.log").open("a")
        return subprocess.Popen(command, stdout=log, stderr=log, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})

    def sweep(self, name: str, most: int, pause: tuple[float, float], victims: Sequence[str]) -> None:
        """One whole run with at most so many kills."""
        run, killed = self.start(name, self.cluster.address), 0
        while True:
            until = time.monotonic() + self.random.uniform(*pause)
            while run.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
            if run.poll() == 0:
                break
            if run.poll() is not None and run.returncode > 0:
                self.report.given_up += 1
                if self.report.given_up > MOST_GIVEN_UP:
                    break
            if run.poll() is None and killed < most:
                victim = self.random.choice(list(victims))
                if self._kill(victim, run):
                    killed += 1
                    self.report.kills[victim] += 1
                    self._note(f"{name}: killed {victim}")
            if run.poll() is not None:
                run = self.start(name, self.cluster.address)
        self.report.sweeps += 1
        if run.returncode:
            self.report.failed.append(f"{name}: status {run.returncode}, see {name}.log")

    def _note(self, text: str) -> None:
        with (self.folder / "kills.log").open("a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {text} {sum(self.report.kills.values())}\n")

    def _kill(self, victim: str, run: subprocess.Popen[str]) -> bool:
        """Whether there was one to kill."""
        if victim == "driver":
            run.kill()
            run.wait()
            return True
        if victim == "node":
            node = self.random.choice(sorted(self.cluster.worker_nodes, key=str))
            self.cluster.remove_node(node, allow_graceful=False)
            self.cluster.add_node(num_cpus=2)
            return True
        found = [pid for pid, title in below() if any(part in title for part in VICTIMS[victim])]
        if not found:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.random.choice(found), signal.SIGKILL)
        return True

    def look(self, name: str, reference: bytes) -> None:
        """What a sweep left, in the store and on the cluster."""
        table = self.folder / name / "study" / "table.csv"
        if not table.exists() or table.read_bytes() != reference:
            self.report.differing += 1
        for cell in results.open(self.folder / name / "store").cells():
            self._count(cell.attempts())
        self.report.left += [f"{name}: {one}" for one in self._left()]

    def _count(self, attempts: list[Attempt]) -> None:
        """Steps below a checkpoint that was there when a later attempt began.

        An attempt begins some seconds after it looked for a checkpoint. What the processes of a killed node or driver
        still write meanwhile, until they see that it is gone, counts here too.
        """
        saved: list[tuple[float, int]] = []
        for attempt in attempts:  # the oldest first
            files = sorted(Path(attempt.place.root, "checkpoints").glob("*.json"))
            began = calendar.timegm(time.strptime(attempt.name[:15], STARTED))
            there = [step for written, step in saved if written < began]
            if files:
                self.report.twice += max(0, max(there, default=0) - (int(files[0].stem) - CHECKPOINT_STEPS))
            saved += [(file.stat().st_mtime, int(file.stem)) for file in files]

    def _left(self, patience: float = 30.0) -> list[str]:
        """CPUs in use, placement groups and processes of cells, some seconds after a run's end."""
        import ray
        from ray.util import placement_group_table

        ray.init(address=self.cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        try:
            until = time.monotonic() + patience
            while True:
                total, free = ray.cluster_resources().get("CPU", 0.0), ray.available_resources().get("CPU", 0.0)
                groups = [one for one in cast(Any, placement_group_table()).values() if one["state"] != "REMOVED"]
                names = [part for parts in VICTIMS.values() for part in parts]
                alive = [title for _, title in below() if any(part in title for part in names)]
                found = [f"{total - free:g} CPUs"] if total != free else []
                found += [f"{len(groups)} placement groups"] if groups else []
                found += [f"process {title[:60]}" for title in alive]
                if not found or time.monotonic() > until:
                    return found
                time.sleep(0.5)
        finally:
            ray.shutdown()


@contextlib.contextmanager
def under_fire(folder: Path, seed: int, steps: int) -> Iterator[Fire]:
    fire = Fire(folder, seed, steps)
    try:
        yield fire
    finally:
        fire.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--pause", type=float, nargs=2, default=(2.0, 12.0), help="seconds between two kills")
    parser.add_argument("--minutes", type=float, default=45.0, help="no further sweep begins after so long")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with under_fire(given.folder, given.seed, given.steps) as fire:
        undisturbed = fire.start("undisturbed", fire.cluster.address)
        if undisturbed.wait():
            print((given.folder / "undisturbed.log").read_text())
            return 1
        reference = (given.folder / "undisturbed/study/table.csv").read_bytes()
        while sum(fire.report.kills.values()) < given.kills and time.monotonic() - began < 60 * given.minutes:
            name = f"sweep{fire.report.sweeps}"
            fire.sweep(name, given.kills - sum(fire.report.kills.values()), tuple(given.pause), list(VICTIMS))
            fire.look(name, reference)
            fire.report.seconds = round(time.monotonic() - began)
            (given.folder / "report.json").write_text(json.dumps(asdict(fire.report), indent=1))
            print(json.dumps(asdict(fire.report)), flush=True)
    good = not (fire.report.differing or fire.report.left or fire.report.failed or fire.report.twice)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
