"""A run whose disk fails in the middle, and the next one, when it is mended.

``python -m tests.work.small_disk FOLDER full|read-only OPTION...`` runs a study on a store below ``FOLDER/disk``, a
small disk of its own, and prints as JSON what happened. Once the second cell has a checkpoint, the disk is made full or
read-only; it is mended before the command is given again. With ``--join`` the run joins a Ray that is started for it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from raysl import results
from raysl.errors import StorageError
from raysl.results import CellFolder, Store
from tests.planning.studies import SMALL_RECIPE, write_study
from tests.test_cli import Done, raysl

STUDY = """
title: "On a disk that fails"
base: recipe
rows:
  first: {}
  waiting: {objective.contrastive: {framework: tests.training.failing_simclr, step: 3, waits_for: GO}}
  third: {objective.contrastive.temperature: 0.3}
  fourth: {objective.contrastive.temperature: 0.4}
seeds: [0]
evaluations: [retrieval/synthetic]
training: {steps: 6, checkpoint_steps: 2}
"""
"""The second cell has a checkpoint of its second step, and waits within the third for a file."""


@dataclass(frozen=True)
class Happened:
    """Two runs, the disk in between, and what `raysl status` said of it.

    Attributes:
        left: temporary files after the first run.
        attempts: of the cells in the end, from the one with the most.
    """

    first: Done
    status: str
    left: list[str]
    second: Done
    attempts: list[int]
    table: str


def command(folder: Path, store: str | Path, *options: str) -> list[str]:
    """The study on a store."""
    study = write_study(folder, STUDY.replace("GO", str(folder / "go")), SMALL_RECIPE)
    places = ["--storage", str(store), "--reports", str(folder / "reports"), "--cache", str(folder / "cache")]
    return ["run", str(study), *places, *options]


def run(folder: Path, store: str | Path, *options: str) -> Done:
    """It in this process."""
    return raysl(*command(folder, store, *options))


def run_apart(folder: Path, store: str | Path, *options: str) -> Done:
    """It in a process that ends with it."""
    if "--join" not in options:
        whole = [sys.executable, "-m", "raysl", *command(folder, store, *options)]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=200, check=False)
    else:
        from tests.engine.heads import head

        others = [option for option in options if option != "--join"]
        with head({"RAY_AUTH_MODE": "disabled"}, "--num-cpus=2", "--include-dashboard=false") as on:
            done = on.raysl(*command(folder, store, *others, "--address", on.address), cwd=Path.cwd())
    return Done(done.returncode, done.stdout, done.stderr)


def table(folder: Path) -> str:
    return (folder / "reports/study/table.csv").read_text()


def undisturbed(folder: Path) -> str:
    """The table as a run gives it to which nothing happens."""
    (folder / "go").touch()
    assert run(folder, folder / "undisturbed", "--local").returncode == 0
    (folder / "go").unlink()
    return table(folder)


def when_it_waits(folder: Path, store: Store, do: Callable[[], None]) -> threading.Thread:
    """Does something in a thread once the second cell has a checkpoint, and then lets it go on."""

    def wait() -> None:
        while not any(_has_waiting(cell) for cell in store.cells()):
            time.sleep(0.1)
        do()
        (folder / "go").touch()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def _has_waiting(cell: CellFolder) -> bool:
    """Whether it is the second cell, and has a checkpoint."""
    try:
        config = cell.config() or {}
        return "waits_for" in json.dumps(config) and cell.latest_checkpoint() is not None
    except StorageError:  # while it is written
        return False


def on_small_disk(folder: Path, *arguments: str) -> Happened:
    """Runs this module where ``folder/disk`` is a disk of its own."""
    (folder / "disk").mkdir()
    (folder / "tmp").mkdir()
    mounted = f'mount -t tmpfs -o size=16m none {shlex.quote(str(folder / "disk"))} && exec "$@"'
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, "sh"]
    done = subprocess.run(
        [*within, sys.executable, "-m", __name__, str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    return Happened(**{**said, "first": Done(**said["first"]), "second": Done(**said["second"])})


def _fill(disk: Path) -> None:
    with (disk / "fill").open("wb", buffering=0) as file:
        for size in (2**16, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def _remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def _main(folder: Path, fault: str, options: list[str]) -> Happened:
    disk, store = folder / "disk", folder / "disk/store"
    fail, mend = {
        "full": (lambda: _fill(disk), (disk / "fill").unlink),
        "read-only": (lambda: _remount(disk, "ro"), lambda: _remount(disk, "rw")),
    }[fault]
    failing = when_it_waits(folder, results.open(store), fail)
    first = run_apart(folder, store, *options)
    failing.join(10)
    status = raysl("status", folder / "study.yaml", "--storage", store, "--cache", folder / "cache").stdout
    left = [str(path) for path in store.rglob(".partial*")]
    left += [str(path) for path in Path(tempfile.gettempdir()).glob("raysl-*")]
    mend()
    second = run(folder, store, "--local")
    attempts = sorted((len(cell.attempts()) for cell in results.open(store).cells()), reverse=True)
    return Happened(first, status, left, second, attempts, table(folder) if second.returncode == 0 else "")


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    print(json.dumps(asdict(_main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))))
