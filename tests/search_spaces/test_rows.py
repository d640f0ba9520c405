"""Every row of every shipped study: it resolves, differs from its base exactly where it says, and takes a real step."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raysl.config.cell import CellConfig, chosen_terms
from raysl.config.identity import SUPERVISED_LEAVES_OUT, cell_id
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.objectives.build import draw_backbone
from raysl.planning.study import load_study
from raysl.training.try_step import try_step
from raysl.views.pair_sampler import pair_classes
from tests.search_spaces.image_weights import save_image_weights
from tests.search_spaces.shipped import (
    BASE,
    SEARCH_SPACES,
    STUDIES,
    ShippedRow,
    cells,
    changed_leaves,
    narrow,
    parts,
    shipped_rows,
)

SCALES = sorted(file.stem for file in (SEARCH_SPACES / "scales").glob("*.yaml"))
ROWS = list(shipped_rows())
TRAINED = [row for row in ROWS if cells(row.study, None)[row.name].pretraining != "none"]
FIRST = {row.study: row for row in reversed(TRAINED)}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("cache")
    return Places({file.stem: file for file in save_image_weights(folder / "weights")}, folder)


@pytest.fixture(scope="module")
def losses() -> dict[str, float | None]:
    """Of the first step by cell: rows of several studies are one cell, and take one step."""
    return {}


@pytest.fixture(scope="module")
def bases() -> dict[str, dict[str, Any]]:
    """Of a study's base, which its rows are compared with, the parts."""
    return {}


@pytest.fixture(scope="module")
def sources(places: Places) -> Callable[[CellConfig], VideoSource]:
    opened: dict[str, VideoSource] = {}

    def source(cell: CellConfig) -> VideoSource:
        key = f"{cell.data!r} {cell.clip.resize}"
        if key not in opened:
            opened[key] = open_source(cell.data, places, resize=cell.clip.resize)
        return opened[key]

    return source


@pytest.mark.parametrize(
    "scale", [None, *(pytest.param(name, marks=[] if name == "smoke" else pytest.mark.slow) for name in SCALES)]
)
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_loads_at_every_scale_and_keeps_its_rows_apart(path: Path, scale: str | None) -> None:
    study = load_study(path, scale)
    assert study.rows or study.search is not None
    assert len({row.identity for row in study.rows}) == len(study.rows)


@pytest.mark.parametrize("scale", [None, "smoke"])
@pytest.mark.parametrize("study", FIRST)
def test_rows_differ_from_their_base_exactly_where_they_say(study: str, scale: str | None) -> None:
    known = cells(study, scale)
    for row in (row for row in TRAINED if row.study == study):
        changed = changed_leaves(known[row.name], known[BASE])
        written = {path for path in row.paths if path[0] != "evaluation"}
        if known[row.name].pretraining == "supervised":  # the sections that it does not read leave the id too
            changed = {path for path in changed if path[0] not in SUPERVISED_LEAVES_OUT}
        assert {path for path in changed if not any(path[: len(own)] == own for own in written)} == set(), row
        assert {own for own in written if not any(path[: len(own)] == own for path in changed)} == set(), row


@pytest.mark.slow
@pytest.mark.parametrize("row", TRAINED, ids=str)
def test_a_row_takes_a_step_with_its_own_factor_in_place(
    row: ShippedRow,
    sources: Callable[[CellConfig], VideoSource],
    losses: dict[str, float | None],
    bases: dict[str, dict[str, Any]],
) -> None:
    known = cells(row.study, "smoke")
    cell, base = narrow(known[row.name], row), narrow(known[BASE], row)
    if repr(base) not in bases:
        bases[repr(base)] = parts(base)
    made, made_by_base = parts(cell), bases[repr(base)]
    expected = row.changes | ({"objective"} if "pretraining" in row.changes else set())
    asked = pair_classes(cell).keys() & chosen_terms(cell.objective).keys()
    if asked and pair_classes(cell) != pair_classes(base):  # heads have as many outputs as the sampler has answers
        expected |= {"objective"}
    if draw_backbone(cell).feature_dim != draw_backbone(base).feature_dim:  # and as many inputs as the feature
        expected |= {"objective"}
    if "backbone" in row.changes and "TargetEncoder" in str(made["objective"]):  # which is a copy of it
        expected |= {"objective"}
    assert {key for key in made if made[key] != made_by_base[key]} == expected
    key = cell_id(cell)
    if key not in losses:
        losses[key] = try_step(cell, sources(cell)).loss
    # It may be 0: to a query that is its key, random negatives at a low temperature are nothing in float32.
    loss = losses[key]
    assert loss is not None
    assert math.isfinite(loss)
