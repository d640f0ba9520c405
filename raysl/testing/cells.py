"""Tiny cells that a test trains in a second, on 16 rendered videos."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.load import resolve_cell
from raysl.config.tree import expand, merge
from raysl.config.yaml_reader import Origin, Tree, parse_tree
from raysl.data.places import Places

TINY_BACKBONE = "raysl.testing.small_backbone"
"""Of three layers: for tests that train and do not care for the network."""

TINY = """
data: {name: synthetic, classes: 4, train_per_class: 4, test_per_class: 2, frames: 24, height: 40, width: 48}
clip: {frames: 4, stride: 2, size: 32, resize: 32}
sampling: {pair: {name: random}}
augment: {name: standard}
backbone: {name: r3d_18, width: 0.0625}
objective: {contrastive: {framework: simclr, temperature: 0.1}}
optimizer: {name: adamw, learning_rate: {value: 1e-3, at_batch: 8}, weight_decay: 1e-4}
schedule: {name: cosine, warmup_epochs: 0}
training: {steps: 4, batch_size: 8}
"""


def tiny_cell(change: Mapping[str, Any] | None = None) -> CellConfig:
    """A cell on 16 rendered training videos, 4 steps; ``change`` has dotted keys, later ones laid over earlier."""
    laid = Tree({}, {(): Origin("change")})
    for key, value in (change or {}).items():
        laid = merge(laid, expand({key: value}, {(): Origin("change")}))
    return resolve_cell(merge(parse_tree(TINY, "tiny"), laid))


@cache
def rendered() -> Places:
    """Where this process renders the videos that its tests read: a folder that goes when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="raysl-testing-")
    _FOLDERS.append(folder)
    return Places({}, Path(folder.name), cache_gigabytes=0.5)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
"""Each is removed when nothing refers to it any more."""
