"""A tiny search for the engine.

``python -m tests.engine.search.searches FOLDER CACHE ADDRESS`` runs `LONG` on the Ray there, one trial after the other.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from raysl import results
from raysl.commands.searches import trials_of
from raysl.data.places import Places
from raysl.engine.driver import run_searches
from raysl.planning.search import Search, TitledSearch
from raysl.planning.study import Study, load_study
from raysl.results import SearchTrial, Shelf, Store
from raysl.work.run_cells import AS_IT_FITS, RunOptions
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


def search_in(study: Study, store: Store) -> tuple[Search, list[SearchTrial]]:
    """The search, and what is known of its trials."""
    assert study.search is not None
    return study.search, trials_of(study.search, Shelf(store))


def run_search(
    study: Study, store: Store, places: Places, options: RunOptions = AS_IT_FITS
) -> tuple[Search, list[SearchTrial]]:
    assert study.search is not None
    run_searches([TitledSearch(study.name, study.search)], store, places, options)
    return search_in(study, store)


LONG = "training: {steps: 1600, checkpoint_steps: 100000}\n"
"""Trials of 800 steps; only their end, and a run's, writes a checkpoint."""

if __name__ == "__main__":
    # A shell starts background jobs with SIGINT ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder, places = Path(sys.argv[1]), Places({}, Path(sys.argv[2]), cache_gigabytes=0.1)
    on = RunOptions(address=sys.argv[3], max_concurrent=1)
    run_search(search_study(folder, 3, LONG), results.open(folder / "store"), places, on)
