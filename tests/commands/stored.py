"""A store with the results of a small study, written without training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from raysl import results
from raysl.commands.inputs import Planned
from raysl.config.identity import evaluation_id, resolved
from raysl.results import NO_DATA, CellFolder, Store

VIDEOS = [f"v{number}" for number in range(10)]


def stored(planned: Iterable[Planned], storage: str | Path, data: str = "data0000") -> Store:
    """A store in which every cell of the studies is done; the later a cell, the better it is."""
    store = results.open(storage)
    for item in planned:
        for number, cell in enumerate(item.cells):
            folder = store.folder(cell.id, data if cell.pretrains else NO_DATA)
            folder.write_config(resolved(cell.config))
            folder.write_provenance(
                {
                    "git": {"commit": f"{number:040x}", "dirty": False},
                    "packages": {"torch": "2.15.0"},
                    "attempts": [{"workers": 2, "threads": 1, "hardware": [{"cpu": "EPYC", "gpu": None}]}],
                    "data": {"name": "synthetic", "snapshot": data, "videos": {"test": 10, "train": 16}},
                }
            )
            attempt = folder.start_attempt()
            steps = range(1, 5)
            attempt.write_curves(
                pd.DataFrame(
                    {"step": steps, "epoch": 1, "loss/total": [2.0 / step for step in steps], "metric/accuracy": 0.5}
                )
            )
            folder.mark_done(attempt, {"minutes": 1.5 + number, "clips_per_second": 40.0, "unreadable": number % 2})
            for one in cell.evaluations:
                evaluate(folder, f"{evaluation_id(one)}-{data}", one.label, 3 + number, resolved(one))
    return store


def evaluate(folder: CellFolder, name: str, label: str, right: int, config: dict[str, object]) -> None:
    headline = "R@1" if label.startswith("retrieval") else "top1"
    record = {
        "id": name.rpartition("-")[0],
        "label": label,
        "evaluation": config,
        "headline": headline,
        "metrics": {headline: 10.0 * right, "other": 50.0},
        "details": {"class_accuracy": {"run <fast>": 10.0 * right, "walk": 100.0}},
    }
    frame = pd.DataFrame({"path": VIDEOS, "label": 0, "correct": [number < right for number in range(len(VIDEOS))]})
    folder.save_evaluation(name, record, frame)
