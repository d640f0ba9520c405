"""Tiny cells, videos and stores that the training tests share."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from raysl import results
from raysl.config.cell import CellConfig
from raysl.config.cells import Cell
from raysl.config.identity import cell_id
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot, data_key
from raysl.data.source import VideoSource, open_source
from raysl.results import CellFolder, Shelf
from raysl.training.checkpoint import Checkpoint, read_checkpoint
from raysl.training.precision import multiplies_bfloat16_wrongly
from tests import cells

needs_bfloat16 = pytest.mark.skipif(
    multiplies_bfloat16_wrongly(torch.device("cpu")), reason="this CPU's bfloat16 gradients are wrong (no AMX)"
)

FAILING = "tests.training.failing_simclr"
"""A framework whose loss is NaN from one step on."""

SMALLEST: dict[str, Any] = {
    "backbone": cells.TINY_BACKBONE,
    "data.classes": 2,
    "data.train_per_class": 8,
    "data.frames": 12,
    "augment": {"name": "none"},
    "optimizer.learning_rate": {"value": 1e-3, "at_batch": 4},
    "training": {"steps": 6, "batch_size": 4, "threads": 1},
}


def tiny_cell(**changes: Any) -> CellConfig:
    """Six steps of four videos, of 16; dotted keys replace: ``tiny_cell(**{"training.steps": 3})``."""
    return cells.tiny_cell(SMALLEST | changes)


def tiny_source(folder: Path, *, cached: bool = True, snapshot: Snapshot | None = None) -> VideoSource:
    """The videos of `tiny_cell`, rendered below ``folder``, which also holds the manifest and the cache."""
    chosen = tiny_cell()
    places = Places({"synthetic": folder / "videos"}, folder / "cache", 1.0 if cached else 0.0)
    return open_source(chosen.data, places, resize=chosen.clip.resize, snapshot=snapshot, fill=cached)


def folder_of(storage: Path, cell: CellConfig, source: VideoSource | None) -> CellFolder:
    data = {} if source is None else {data_key(cell.data): source.snapshot.hashes}
    return Shelf(results.open(storage), data).folder(Cell(cell))


def final(folder: CellFolder, cell: CellConfig) -> Checkpoint:
    data = folder.final_checkpoint()
    assert data is not None
    return read_checkpoint(data, cell_id(cell))


def curves_of(folder: CellFolder) -> pd.DataFrame:
    """``curves.csv`` of the attempt that finished."""
    curves = folder.curves()
    assert curves is not None
    return curves


def done_attempt(storage: Path) -> Path:
    """The folder of the attempt that finished the only cell below ``storage``."""
    (marker,) = storage.rglob("done.json")
    return marker.parent / "attempts" / str(json.loads(marker.read_text())["attempt"])


def logged_steps(attempt: Path, tag: str = "loss/total") -> list[tuple[int, float]]:
    """Steps and values of a TensorBoard tag in one attempt's folder."""
    events = EventAccumulator(str(attempt / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def assert_equal_states(left: dict[str, Any], right: dict[str, Any]) -> None:
    """Bit-equal tensors under equal names."""
    assert left.keys() == right.keys()
    different = [name for name in left if not torch.equal(left[name], right[name])]
    assert not different, f"{len(different)} of {len(left)} differ, e.g. {different[0]}"


def corrupt(source: VideoSource, count: int) -> list[str]:
    """Overwrites the first ``count`` training videos' files with what no decoder reads; their paths."""
    paths = [video.path for video in source.catalog.split("train")][:count]
    for path in paths:
        (source.root / path).write_bytes(b"not a video")
    return paths


def broken_source(folder: Path, count: int) -> tuple[VideoSource, list[str]]:
    """A source whose manifest knows that ``count`` training videos cannot be read, and their paths."""
    paths = corrupt(tiny_source(folder, cached=False), count)
    shutil.rmtree(folder / "cache")
    return tiny_source(folder), paths
