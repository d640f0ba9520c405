"""A tiny search as the engine is given it."""

from __future__ import annotations

from pathlib import Path

from raysl.planning.study import Study, load_study
from tests.planning.studies import SMALL_RECIPE, write_study

SEARCH = """
title: "A search of a test"
base: recipe
design: search
axes:
  objective.contrastive.temperature: {loguniform: [0.05, 1.0]}
  sampling.pair.name: {choice: [same, random]}
search: {trials: TRIALS, length: 0.5, reports: 4, reduction_factor: 2, best: 1, knn: {neighbors: 3}}
rows:
  random: {pretraining: none}
seeds: [0]
evaluations: [retrieval/synthetic]
"""


def search_file(folder: Path, trials: int, changes: str = "") -> Path:
    """The study file, with lines laid over it."""
    text = SEARCH.replace("TRIALS", str(trials)) + changes
    return write_study(folder, text, SMALL_RECIPE, name="hunt")


def search_study(folder: Path, trials: int, changes: str = "") -> Study:
    return load_study(search_file(folder, trials, changes))
