"""Points of every shipped search: each is a configuration, and takes a real step."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.planning.axes import RandomSuggestions, suggest
from raysl.planning.search import Search
from raysl.planning.study import load_study
from raysl.training.try_step import try_step
from tests.search_spaces.shipped import STUDIES, ShippedRow, document_of, narrow

SEARCHES = [path for path in STUDIES if document_of(path).data.get("design") == "search"]


@cache
def search_of(path: Path, scale: str | None) -> Search:
    search = load_study(path, scale).search
    assert search is not None
    return search


def trial(path: Path, scale: str | None, seed: int) -> CellConfig:
    """A random point's."""
    search = search_of(path, scale)
    return search.trial(suggest(search.axes, RandomSuggestions(np.random.default_rng(seed))))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places({}, tmp_path_factory.mktemp("cache"))


def test_there_are_searches() -> None:
    assert SEARCHES


@pytest.mark.parametrize("scale", [None, "smoke"])
@pytest.mark.parametrize("path", SEARCHES, ids=lambda path: path.stem)
def test_every_point_is_a_configuration(path: Path, scale: str | None) -> None:
    ids = {cell_id(trial(path, scale, seed)) for seed in range(20)}
    assert len(ids) > 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("path", SEARCHES, ids=lambda path: path.stem)
def test_a_random_point_takes_a_step(path: Path, seed: int, places: Places) -> None:
    keys = frozenset(tuple(axis.key.split(".")) for axis in search_of(path, "smoke").axes)
    cell = narrow(trial(path, "smoke", seed), ShippedRow(path.stem, f"point {seed}", keys))
    step = try_step(cell, open_source(cell.data, places, resize=cell.clip.resize))
    assert math.isfinite(step.loss or math.nan)
