"""How planning grows with a study's rows, and what a command costs before it has looked at anything.

The start-up of `raysl status` and `raysl plan` on the smallest study that is shipped: at most 1 CPU second and 150 MB
each, since neither computes.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path

from figures import Figure
from sizes import Measure, Work

STUDY = """
title: "A table of {size} rows"
base: recipes/simclr
data: synthetic/long
training: {{epochs: 4, batch_size: 16}}
seeds: [0, 1, 2]
evaluations: [linear/synthetic/long, retrieval/synthetic/long]
baseline: row 0
"""
MEGABYTES, SECONDS = 150.0, 1.0


def study(size: int, folder: Path) -> Path:
    """A study of so many rows, each of which changes two keys; at paper's scale, which reads nothing else."""
    rows = (
        f"  row {i}: {{objective.contrastive.temperature: {0.05 + i / 1e5:.5f}, training.epochs: {5 + i % 50}}}\n"
        for i in range(size)
    )
    path = folder / "rows.yaml"
    path.write_text(STUDY.format(size=size) + "rows:\n" + "".join(rows))
    return path


ONE_FACTOR = """
title: "One factor of {size} values"
base: recipes/simclr
data: synthetic/long
training: {{epochs: 4, batch_size: 16}}
evaluations: [linear/synthetic/long]
design: one_factor
axes: {{objective.contrastive.temperature: [{values}]}}
"""


def one_factor(size: int, folder: Path) -> Path:
    """A study whose rows follow from an axis of so many values."""
    path = folder / "one_factor.yaml"
    path.write_text(ONE_FACTOR.format(size=size, values=", ".join(f"{0.05 + i / 1e5:.5f}" for i in range(size))))
    return path


def prepare_load(size: int, folder: Path) -> Work:
    from raysl.commands.inputs import load_studies

    path = study(size, folder)
    return lambda: load_studies([path], None, []) and None


def prepare_design(size: int, folder: Path) -> Work:
    from raysl.commands.inputs import load_studies

    path = one_factor(size, folder)
    return lambda: load_studies([path], None, []) and None


def prepare_plan(size: int, folder: Path) -> Work:
    from raysl.commands.inputs import load_studies
    from raysl.commands.plan import print_plan
    from raysl.commands.roots import find_places
    from raysl.commands.terminal import PlainConsole

    planned, places = load_studies([study(size, folder)], None, []), find_places([], None)

    def work() -> None:
        with redirect_stdout(io.StringIO()):
            print_plan(planned, places, PlainConsole())

    return work


def prepare_yaml(size: int, folder: Path) -> Work:
    from raysl.config.yaml_reader import read_tree

    text = study(size, folder).read_text()
    numbers = iter(range(10**9))

    def work() -> None:  # a new file each time: one that was read is kept
        path = folder / f"{next(numbers)}.yaml"
        path.write_text(text)
        read_tree(path)

    return work


MEASURES = {
    "planning/yaml": Measure(prepare_yaml, "rows", (100, 1000, 4000), (100, 1000), goal=1.2),
    "planning/load": Measure(prepare_load, "rows", (100, 1000, 4000), (100, 400, 1000)),
    "planning/one_factor": Measure(prepare_design, "rows", (100, 1000, 4000), (100, 400, 1000)),
    "planning/print": Measure(prepare_plan, "rows", (100, 1000, 4000), (100, 400, 1000)),
}


def figures(quick: bool) -> Iterable[Figure]:
    """The start-up of commands, in processes of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(study(2, Path(folder)))
        commands = {"status": ["status", path, "--storage", f"{folder}/store"], "plan": ["plan", path]}
        for name, arguments in commands.items():
            seconds, megabytes = min(start_up(arguments) for _ in range(2 if quick else 5))
            yield Figure(f"start-up of raysl {name}", seconds, SECONDS, "CPU s", goal=1.0, better="less")
            yield Figure(f"memory of raysl {name}", megabytes, MEGABYTES, "MB", goal=1.0, better="less")


def start_up(arguments: list[str]) -> tuple[float, float]:
    """CPU seconds and peak megabytes of a command."""
    output = os.open(os.devnull, os.O_WRONLY)
    try:
        command = [sys.executable, "-m", "raysl", *arguments]
        child = os.posix_spawn(sys.executable, command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, output, 1)])
        _, status, usage = os.wait4(child, 0)
    finally:
        os.close(output)
    if status:
        raise RuntimeError(f"raysl {' '.join(arguments)} ended with status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000
