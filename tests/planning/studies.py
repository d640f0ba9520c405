"""Study files that tests write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raysl.config.cell import CellConfig
from tests.cells import TINY_BACKBONE

RECIPE = """
data: {name: synthetic, classes: 4, train_per_class: 4, test_per_class: 2, frames: 24, height: 40, width: 48}
clip: {frames: 4, stride: 2, size: 32, resize: 32}
sampling: {pair: {name: random}}
augment: {name: standard}
backbone: {name: r3d_18, width: 0.0625}
objective: {contrastive: {framework: simclr, temperature: 0.1}}
optimizer: {name: adamw, learning_rate: {value: 1e-3, at_batch: 8}}
schedule: {name: cosine}
training: {steps: 4, batch_size: 8}
"""

SMALL_RECIPE = RECIPE.replace("{name: r3d_18, width: 0.0625}", TINY_BACKBONE)
"""For tests that train."""

STUDY = """
title: "A test"
base: recipe
rows:
  random: {pretraining: none}
  plain: {}
  warm: {objective.contrastive.temperature: 0.5}
baseline: plain
seeds: [0, 1]
evaluations: [linear/synthetic, retrieval/synthetic]
"""

SEARCH = """
title: "A search"
base: recipe
design: search
axes:
  objective.contrastive.temperature: {loguniform: [0.05, 1.0]}
  objective.contrastive.framework: {choice: [simclr, moco]}
  objective.contrastive.queue_size: {choice: [16, 32], when: {objective.contrastive.framework: moco}}
search: {trials: 3, length: 0.5, reports: 2, best: 2, seed: 7}
rows:
  random: {pretraining: none}
baseline: random
seeds: [0, 1]
evaluations: [linear/synthetic, retrieval/synthetic]
"""
"""A search of two steps a trial."""


def write_study(
    folder: Path, study: str = STUDY, recipe: str = RECIPE, name: str = "study", trivial: bool = False
) -> Path:
    """Writes ``recipe.yaml`` and a study beside it; returns the study.

    Args:
        trivial: on files, it measures what nothing was learned for beside its rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(recipe)
    path = folder / f"{name}.yaml"
    path.write_text(study if trivial else study.rstrip("\n") + "\ntrivial: false\n")
    return path


def contrastive(cell: CellConfig) -> Any:
    """Options of the framework that a cell chose."""
    assert cell.objective.contrastive is not None
    return cell.objective.contrastive.options
