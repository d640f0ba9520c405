"""What a cell costs beside its training: raysl's engine against plain Tune and TorchTrainer, in one run.

    python -m benchmarks.engine_overhead [--quick] [--cells 6] [--noop 1000] [--seconds 60]

Each engine runs few cells and then more, in a Ray that is there already: the difference is what one more cell costs.
Cells take four steps of a three-layer network on rendered videos and are evaluated by retrieval; the plain trials
only start their workers, whose function returns. Then so many cells without training, one worker each: seconds a cell
and the driver's memory. Last, cells that train for so many seconds beside a bare loop over the same batches: network,
loss, backward pass, optimizer, one checkpoint in the end. Run it alone: it measures processes that start. The cell's
process is new and the loop's is not, which is two seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch

from benchmarks.figures import Figure, print_figures
from raysl import results
from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.engine.cluster import cluster
from raysl.engine.driver import run_on_cluster
from raysl.training.batches import StepBatches
from raysl.training.loop import Run
from raysl.training.threads import cpu_threads
from raysl.training.unreadable import Unreadable
from raysl.work.run_cells import RunOptions
from tests.work.plans import plan


def cells(folder: Path, count: int, workers: int) -> list[Cell]:
    rows = {
        f"row{index}": f"{{objective.contrastive.temperature: {0.1 + index / 1000}, training.workers: {workers}}}"
        for index in range(count)
    }
    return plan(folder, rows, extra="training: {steps: 4}\n")


def ours(folder: Path, count: int, workers: int, places: Places) -> tuple[float, float]:
    """Seconds of the run, and of all training in it."""
    store = results.open(folder / "store")
    started = time.perf_counter()
    outcome = run_on_cluster(cells(folder, count, workers), store, places)
    took = time.perf_counter() - started
    assert len(outcome.computed) == count, outcome
    assert not outcome.missing
    trained = sum(60 * float(cell.state().progress.get("minutes", 0.0)) for cell in store.cells())
    return took, trained


def plain(folder: Path, count: int, workers: int) -> float:
    """Tune over TorchTrainer, as Ray's documentation has it."""
    from ray import train, tune
    from ray.train.torch import TorchConfig, TorchTrainer

    def work(config: dict[str, Any]) -> None:
        return None

    def trial(config: dict[str, Any]) -> None:
        trainer = TorchTrainer(
            cast(Any, work),
            train_loop_config={},
            scaling_config=train.ScalingConfig(num_workers=workers, resources_per_worker={"CPU": 0.9}),
            torch_config=TorchConfig(backend="gloo"),
            run_config=train.RunConfig(name=f"plain{config['index']}", storage_path=str(folder)),
        )
        trainer.fit()

    started = time.perf_counter()
    tune.Tuner(
        tune.with_resources(trial, {"CPU": 0.1}),
        param_space={"index": tune.grid_search(list(range(count)))},
        tune_config=tune.TuneConfig(max_concurrent_trials=1),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    ).fit()
    return time.perf_counter() - started


def noop(folder: Path, count: int, places: Places) -> dict[str, float]:
    """Cells that train nothing."""
    work = plan(folder, {"random": "{pretraining: none}"}, seeds=str(list(range(count))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    outcome = run_on_cluster(work, results.open(folder / "store"), places)
    took = time.perf_counter() - started
    assert len(outcome.done) == count, outcome.missing
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cells": count, "seconds": took, "seconds_a_cell": took / count, "driver_mb": after, "mb_before": before}


LONG = (
    "backbone: {{name: r3d_18, width: 0.25}}, clip.size: 32, data.train_per_class: 64, training.steps: {steps}, "
    "training.threads: 1, training.checkpoint_steps: 100"
)
"""Of a set whose epochs are no two steps: each ends with a heartbeat, and by default with a checkpoint."""


def long_cells(folder: Path, steps: int, seeds: int) -> list[Cell]:
    return plan(folder, {"long": f"{{{LONG.format(steps=steps)}}}"}, seeds=str(list(range(seeds))))


def bare(cell: CellConfig, places: Places, folder: Path, steps: int) -> float:
    """Seconds of so many steps of the cell, without all that is around them."""
    source = open_source(cell.data, places, resize=cell.clip.resize)
    with cpu_threads(cell):
        run = Run(
            cell,
            source,
            found=None,
            unreadable=Unreadable(source, cell.training.max_unreadable),
            precision="float32",
            device=torch.device("cpu"),
            attempts=[],
            cores=1,
        )
        objective, optimizer = run.learner.objective, run.learner.optimizer
        batches = StepBatches(run.loader, run.length, 1, 0, torch.device("cpu"))
        started = time.perf_counter()
        for _ in range(steps):
            (batch,), _ = batches.next()
            optimizer.zero_grad(set_to_none=True)
            loss = objective(batch).loss
            loss.backward()
            optimizer.step()
            loss.item()
        torch.save([objective.state_dict(), optimizer.state_dict()], folder / "bare.pt")
        return time.perf_counter() - started


def beside_bare(folder: Path, seconds: float, places: Places) -> dict[str, float]:
    """A cell of about so many seconds, by its own clock and as one more of a run, beside a bare loop."""
    folder.mkdir()
    (one,) = long_cells(folder / "try", 1000, 1)
    bare(one.config, places, folder, 5)
    steps = max(10, round(20 * seconds / bare(one.config, places, folder, 20)))
    took = []
    for count in (1, 2):
        store, work = results.open(folder / f"store{count}"), long_cells(folder / f"run{count}", steps, count)
        started = time.perf_counter()
        assert not run_on_cluster(work, store, places, RunOptions(max_concurrent=1)).missing
        took.append(time.perf_counter() - started)
    (one,) = long_cells(folder / "bare", steps, 1)
    loops = [bare(one.config, places, folder, steps) for _ in range(2)]
    trained = [60 * float(cell.state().progress["minutes"]) for cell in store.cells()]
    found = {"steps": steps, "first_cell": took[0], "one_more_cell": took[1] - took[0], "bare": sum(loops) / 2}
    return found | {"of_which_pretraining": sum(trained) / 2, "bare_apart": abs(loops[0] - loops[1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two cells more, 20 without training, 15 seconds")
    parser.add_argument("--cells", type=int, default=6, help="more in the second run than in the first; 0: none")
    parser.add_argument("--noop", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of a cell beside a bare loop; 0: none")
    given = parser.parse_args()
    if given.quick:
        given.cells, given.noop, given.seconds = 2, 20, 15.0
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, cluster():
        folder = Path(name)
        places = Places({}, folder / "cache", cache_gigabytes=0.2)
        ours(folder / "warm", 1, 1, places)  # renders the videos
        for workers in (1, 2) if given.cells else ():
            few, _ = ours(folder / f"few{workers}", 1, workers, places)
            many, trained = ours(folder / f"many{workers}", 1 + given.cells, workers, places)
            more = (many - few) / given.cells
            found[f"raysl, {workers} worker(s)"] = {
                "first_cell": round(few, 1),
                "one_more_cell": round(more, 2),
                "of_which_training": round(trained / (1 + given.cells), 2),
            }
            print(json.dumps(found), flush=True)
        if given.cells:
            few = plain(folder / "plain-few", 1, 2)
            many = plain(folder / "plain-many", 1 + given.cells, 2)
            found["plain Tune + TorchTrainer, 2 workers"] = {
                "first_cell": round(few, 1),
                "one_more_cell": round((many - few) / given.cells, 2),
            }
        print(json.dumps(found), flush=True)
        if given.noop:
            found["no-op cells"] = {
                key: round(value, 2) for key, value in noop(folder / "noop", given.noop, places).items()
            }
        if given.seconds:
            found["a long cell"] = {
                key: round(value, 2) for key, value in beside_bare(folder / "long", given.seconds, places).items()
            }
    print(json.dumps(found, indent=1))
    print_figures(figures(found))


def figures(found: dict[str, dict[str, float]]) -> Iterator[Figure]:
    if "plain Tune + TorchTrainer, 2 workers" in found:
        ours, plain = found["raysl, 2 worker(s)"], found["plain Tune + TorchTrainer, 2 workers"]
        beside = max(ours["one_more_cell"] - ours["of_which_training"], 0.0)
        name = "one more cell of 2 workers, beside its training, vs a plain trial"
        yield Figure(name, beside, plain["one_more_cell"], "s", goal=1.0, floor=1.5, better="less")
    if "a long cell" in found:
        cell = found["a long cell"]
        yield Figure(
            "a cell's training vs a bare loop", cell["of_which_pretraining"], cell["bare"], "s", 1.1, 1.3, "less"
        )


if __name__ == "__main__":
    main()
