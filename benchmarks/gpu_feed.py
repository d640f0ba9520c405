"""Whether the loader keeps a GPU busy: clips a second by itself, and what a training loop waits for them.

    python benchmarks/gpu_feed.py [--root FOLDER] [--device cpu] [--quick] [--workers N ...] [--out FOLDER]

What is measured: SimCLR on R3D-18 at 16 x 112², 64 videos a batch, on the five classes of UCF101 that
``search_spaces/ucf101_5class.yaml`` has (``--root``, as there), or on rendered videos; frames cached.

- the loader alone, by the number of its processes;
- the loop of `raysl.training`: with colours on the device or in the loader, batches in page-locked memory or not, and
  loader processes that work ahead into the next epoch or begin each epoch anew, as most loops do.

Acceptance: the loop waits for its clips for less than a tenth of its time.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

import torch
from figures import Figure, print_figures
from gpu_step import Report

from raysl.config.cell import CellConfig
from raysl.config.load import cell_from
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.objectives.build import build_objective
from raysl.training.learner import Learner
from raysl.training.precision import choose_device, colors_on_device, resolve_precision
from raysl.views.batch import Batch
from raysl.views.loader import PretrainingLoader

CLASSES = ["BodyWeightSquats", "BoxingPunchingBag", "JugglingBalls", "JumpingJack", "Lunges"]
RENDERED = {"classes": 2, "train_per_class": 8, "test_per_class": 1, "frames": 40, "height": 32, "width": 40}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=None, help="holds UCF-101/ and ucfTrainTestlist/")
    parser.add_argument("--cache", type=Path, default=None, help="of decoded frames; a temporary folder where absent")
    parser.add_argument("--device", default=None, help="cuda:0 where there is one, else cpu")
    parser.add_argument("--quick", action="store_true", help="a tiny network and few clips: does every part run?")
    parser.add_argument("--workers", type=int, nargs="+", default=None, help="numbers of loader processes")
    parser.add_argument("--out", type=Path, default=None, help="folder for feed.json")
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    report = Report(arguments.out, device, "feed.json")
    cores = len(os.sched_getaffinity(0))
    workers = arguments.workers or sorted({1, max(1, cores // 2), max(1, cores - 2)})
    with tempfile.TemporaryDirectory() as folder:
        cache = arguments.cache or Path(folder)
        source = opened(report, cell_of(arguments.root, arguments.quick), arguments.root, cache)
        for number in workers:
            alone(report, cell_of(arguments.root, arguments.quick, loader_workers=number), source)
        cell = cell_of(arguments.root, arguments.quick, loader_workers=workers[-1])
        loops(report, cell, source, device, seconds=0.5 if arguments.quick else 6.0)
    print_figures(report.figures)


def cell_of(root: Path | None, quick: bool, **training: Any) -> CellConfig:
    clip = {"frames": 4, "stride": 2, "size": 24, "resize": 32} if quick else {}
    return cell_from(
        {
            "data": {"name": "synthetic", **RENDERED} if root is None else {"name": "ucf101", "classes": CLASSES},
            "clip": {"frames": 16, "stride": 2, "size": 112, "resize": 128, **clip},
            "sampling": {"pair": {"name": "random"}},
            "augment": {"name": "standard"},
            "backbone": {"name": "r3d_18", "width": 0.0625 if quick else 1.0},
            "objective": {"contrastive": {"framework": "simclr"}},
            "optimizer": {"name": "adamw", "learning_rate": {"value": 1e-3, "at_batch": 32}},
            "schedule": {"name": "cosine"},
            "training": {"epochs": 1000, "batch_size": 8 if root is None else 64, "precision": "auto", **training},
        },
        "the benchmark's cell",
    )


def opened(report: Report, cell: CellConfig, root: Path | None, cache: Path) -> VideoSource:
    """Read and cached by as many processes as there are CPUs."""
    started = time.perf_counter()
    places = Places({} if root is None else {"ucf101": root.absolute()}, cache.absolute())
    source = open_source(cell.data, places, resize=cell.clip.resize, processes=None)
    seconds = round(time.perf_counter() - started, 1)
    videos = len(source.manifest.rows)
    report.add("reading and caching the set", {"videos": videos, "seconds": seconds, "cpus": os.cpu_count()})
    return source


def loader_of(cell: CellConfig, source: VideoSource, pin: bool = False, finish: bool = True) -> PretrainingLoader:
    return PretrainingLoader(cell, source, view_names=("query", "key"), rank=0, world_size=1, pin=pin, finish=finish)


def endless(loader: PretrainingLoader) -> Iterator[Batch]:
    return loader.batches((epoch, step) for epoch in count() for step in range(loader.steps_per_epoch))


def alone(report: Report, cell: CellConfig, source: VideoSource) -> None:
    """Clips a second after one batch a process."""
    processes = cell.training.loader_workers
    batches = endless(loader_of(cell, source))
    for _ in range(processes):
        next(batches)
    steps = 2 * processes
    started = time.perf_counter()
    for _ in range(steps):
        next(batches)
    rate = steps * 2 * cell.training.batch_size / (time.perf_counter() - started)
    by_process = {"clips/s": round(rate, 1), "clips/s a process": round(rate / processes, 1)}
    report.add(f"loader alone, {processes} processes", by_process)
    del batches
    gc.collect()  # ends its processes before others are forked


def loops(report: Report, cell: CellConfig, source: VideoSource, device: torch.device, seconds: float) -> None:
    rates = {}
    for name, pin, ahead, colors_on in (
        ("as it is", True, True, "auto"),
        ("colours on the device", True, True, "device"),
        ("colours in the loader", True, True, "loader"),
        ("pageable batches", False, True, "auto"),
        ("each epoch begun anew", True, False, "auto"),
    ):
        loader = loader_of(cell, source, pin and device.type == "cuda", finish=not colors_on_device(colors_on, device))
        batches = endless(loader) if ahead else chain.from_iterable(loader.epoch(epoch) for epoch in count())
        rates[name] = loop(report, name, cell, loader, batches, device, seconds)
        del loader, batches
        gc.collect()
    report.figures += [
        Figure(f"loop vs {name}", rates["as it is"], rate, "clips/s")
        for name, rate in rates.items()
        if name != "as it is"
    ]


def loop(
    report: Report,
    name: str,
    cell: CellConfig,
    loader: PretrainingLoader,
    batches: Iterator[Batch],
    device: torch.device,
    seconds: float,
) -> float:
    """Steps on the loader's batches, as training takes them; returns clips a second."""
    objective = build_objective(cell, range(len(CLASSES) * 200), 10**6)
    precision = resolve_precision(cell.training.precision, device)
    learner = Learner(objective, cell, total_steps=10**6, steps_per_epoch=10, device=device, precision=precision)
    waited = copied = steps = 0.0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds or not steps:
        before = time.perf_counter()
        batch = next(batches)
        loaded = time.perf_counter()
        batch = loader.finished(batch.to(device))
        moved = time.perf_counter()
        learner.take([batch], 10)
        learner.read(learner.ahead)
        if steps == 0 and not waited:  # begins when processes have started and kernels are loaded
            waited, started = 1e-9, time.perf_counter()
            continue
        waited, copied, steps = waited + loaded - before, copied + moved - loaded, steps + 1
    spent = time.perf_counter() - started
    rate = steps * 2 * cell.training.batch_size / spent
    shares = {"waits for clips": round(waited / spent, 3), "hands them over": round(copied / spent, 3)}
    report.add(f"loop, {name}", {"clips/s": round(rate, 1), **shares})
    return rate


if __name__ == "__main__":
    main()
