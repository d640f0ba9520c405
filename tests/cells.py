"""Tiny cells that every part of the suite can train in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.evaluation import EvaluationConfig
from raysl.config.load import evaluation_from, resolve_cell
from raysl.config.tree import expand, merge
from raysl.config.yaml_reader import Origin, Tree, parse_tree

TINY_BACKBONE = "tests.models.small_backbone"
"""Of three layers: for tests that train and do not care for the network."""

GOLDEN = Path(__file__).parent / "config" / "golden.yaml"

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


def tiny_cell(change: dict[str, Any] | None = None) -> CellConfig:
    """A cell on 16 rendered training videos, 4 steps; ``change`` has dotted keys, of which later ones win."""
    laid = Tree({}, {(): Origin("change")})
    for key, value in (change or {}).items():
        laid = merge(laid, expand({key: value}, laid.origins))
    return resolve_cell(merge(parse_tree(TINY, "tiny"), laid))


def tiny_evaluation(protocol: str, **options: Any) -> EvaluationConfig:
    """A protocol on the same rendered videos."""
    data = parse_tree(TINY, "tiny").data["data"]
    tree = {"label": f"{protocol}/synthetic", "protocol": {"name": protocol, **options}, "data": data}
    return evaluation_from(tree, "tiny")
