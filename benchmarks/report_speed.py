"""Seconds and bytes of `raysl report`: tables, figures and page of 15 cells, of 1,002, and of 996 in ten studies.

    python -m benchmarks.report_speed [--quick] [--keep FOLDER]

The stores are made of the results that are checked in under ``reports/``: configurations are the study's own, curves,
provenance and predictions those of trained cells, and each cell's metrics are moved by a draw of its own. Each command
runs in a process of its own, start included. Acceptance: no command takes longer than `CASES` allow. ``--quick`` leaves
out all but the 15 cells.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, print_figures
from raysl import results
from raysl.commands.inputs import load_studies
from raysl.config.cells import unique_cells
from raysl.config.identity import resolved

PROJECT = Path(__file__).parents[1]
SCALE, SEEDS = "laptop", 3
STUDY = """
title: "Speed of reports, study {number}"
base: recipes/simclr
datasets:
  ucf101_5class:
    name: ucf101
    split: 1
    classes: [BodyWeightSquats, BoxingPunchingBag, JugglingBalls, JumpingJack, Lunges]
data: ucf101_5class
clip: {{frames: 16, stride: 2, input: difference}}
rows:
  random: {{pretraining: none}}
design: one_factor
axes: {{objective.contrastive.temperature: [{values}]}}
seeds: [0, 1, 2]
evaluations: [linear/ucf101_5class, retrieval/ucf101_5class]
columns: ["linear/ucf101_5class:top1", "retrieval/ucf101_5class:R@1", "retrieval/ucf101_5class:R@5"]
"""


@dataclass(frozen=True)
class Case:
    """Studies of equal size, reported by one command.

    Attributes:
        rows: of a study, the random weights among them.
        options: of the command.
        most: CPU seconds that it may take, on a core of 2.5 GHz or more.
    """

    name: str
    studies: int
    rows: int
    options: tuple[str, ...]
    most: float


ALL = ("--format", "md,csv,latex,svg,png,html")
CASES = (
    Case("15 cells: tables", 1, 5, ("--format", "md,csv,latex"), 3.0),
    Case("15 cells: tables, figures, page", 1, 5, ALL, 10.0),
    Case("1,002 cells: tables", 1, 334, ("--format", "md,csv,latex"), 20.0),
    Case("1,002 cells: tables, figures", 1, 334, ("--format", "md,csv,latex,svg,png"), 45.0),
    Case("1,002 cells: tables, figures, page", 1, 334, ALL, 60.0),
    Case("996 cells in ten studies: one page", 10, 35, ("--html", "{reports}/page.html"), 45.0),
)


def sources() -> list[list[Path]]:
    """Folders of self-supervised cells that are checked in, those of one row beside each other, one a seed."""
    stores = sorted((PROJECT / "reports").glob(f"*/ucf101_5class/{SCALE}/store"))
    rows: dict[str, list[Path]] = {}
    for cell in (cell for store in stores for cell in sorted((store / "cells").iterdir())):
        text = (cell / "cell.yaml").read_text()
        if any(cell.glob("attempts/*/curves.csv")) and "pretraining: supervised" not in text:
            config = text.partition("\ntraining:")[0]
            rows.setdefault(f"{cell.parents[1]} {config}", []).append(cell)
    return [cells[:SEEDS] for cells in rows.values() if len(cells) >= SEEDS]


def write_studies(folder: Path, studies: int, rows: int) -> list[Path]:
    """Studies over temperatures, no two of them the same; random weights and the base are the last two rows."""
    top = folder / "search_spaces"
    for name in ("recipes", "scales"):
        shutil.copytree(PROJECT / "search_spaces" / name, top / name)
    paths = []
    for number in range(studies):
        values = (f"{0.02 + (number * rows + row) / 5000:.4f}" for row in range(rows - 2))
        paths.append(top / f"speed_{number}.yaml")
        paths[-1].write_text(STUDY.format(number=number, values=", ".join(values)))
    return paths


def write_store(folder: Path, paths: list[Path]) -> int:
    """The studies' cells; returns how many there are."""
    store, known, draw = results.open(folder), sources(), random.Random(0)
    for snapshots in (PROJECT / "reports").glob(f"*/ucf101_5class/{SCALE}/store/data"):
        shutil.copytree(snapshots, folder / "data", dirs_exist_ok=True)
    cells = unique_cells(cell for item in load_studies(paths, SCALE, []) for cell in item.cells)
    for number, cell in enumerate(cells):
        source = known[number // SEEDS % len(known)][number % SEEDS]
        data_hash = source.name.partition("-")[2] if cell.pretrains else "none"
        own = store.folder(cell.id, data_hash)
        shutil.copytree(source, own.place.root)
        own.write_config(resolved(cell.config))
        for path in Path(own.place.root).glob("evaluations/*.json"):
            record = json.loads(path.read_text())
            record["metrics"] = {name: value * draw.uniform(0.8, 1.0) for name, value in record["metrics"].items()}
            path.write_text(json.dumps(record))
    return len(cells)


def measure(case: Case, folder: Path, paths: list[Path]) -> dict[str, object]:
    """One command in a process of its own: seconds by the clock and of the CPU, and bytes by the ends of names."""
    reports = folder / f"reports-{CASES.index(case)}"
    reports.mkdir()
    words = ["report", *map(str, paths), "--scale", SCALE, "--storage", str(folder / "store")]
    options = [word.format(reports=reports) for word in case.options]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (reports / "output.txt").open("w") as output:
        command = [sys.executable, "-m", "raysl", *words, "--reports", str(reports), *options]
        subprocess.run(command, cwd=PROJECT, stdout=output, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "name": case.name,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(cpu, 1),
        "megabytes": {kind: round(size / 1e6, 2) for kind, size in written(reports)},
        "largest": max((file.stat().st_size, file.name) for file in reports.rglob("*"))[1],
    }


def written(reports: Path) -> Iterator[tuple[str, int]]:
    """The end of files' names to their bytes together."""
    files = [file for file in reports.rglob("*") if file.is_file()]
    for kind in sorted({file.suffix[1:] for file in files} - {"txt"}):
        yield kind, sum(file.stat().st_size for file in files if file.suffix[1:] == kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the 15 cells alone")
    parser.add_argument("--keep", type=Path, help="an empty folder for stores and reports, which stay")
    given = parser.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as temporary:
        top = given.keep or Path(temporary)
        for case in CASES[:2] if given.quick else CASES:
            folder = top / f"{case.studies}-{case.rows}"
            if not folder.exists():
                write_store(folder / "store", write_studies(folder, case.studies, case.rows))
            found = measure(case, folder, sorted(folder.glob("search_spaces/*.yaml")))
            print(json.dumps(found), flush=True)
            seconds = float(str(found["cpu_seconds"]))
            figures.append(Figure(f"{case.name} vs its limit", seconds, case.most, "CPU s", 1.0, better="less"))
    print_figures(figures)


if __name__ == "__main__":
    main()
