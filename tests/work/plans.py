"""Tiny studies as a run is given them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raysl.config.cells import Cell, unique_cells
from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot
from raysl.data.source import open_source
from raysl.planning.plan_study import plan_study
from raysl.planning.study import load_study
from raysl.results import Store
from raysl.work.site import Site, needed_data, read_data
from tests.planning.studies import SMALL_RECIPE, write_study

STUDY = """
title: "An engine test"
base: recipe
rows:
{rows}
seeds: {seeds}
evaluations: [{evaluations}]
"""


def plan(
    folder: Path, rows: dict[str, str], evaluations: str = "retrieval/synthetic", seeds: str = "[0]", extra: str = ""
) -> list[Cell]:
    """The distinct cells of a study with these rows (name to YAML mapping) on 16 + 8 rendered videos."""
    text = "\n".join(f"  {name}: {change}" for name, change in rows.items())
    study = STUDY.format(rows=text, seeds=seeds, evaluations=evaluations) + extra
    return plan_file(write_study(folder, study, SMALL_RECIPE, name="tiny"))


def plan_file(path: Path) -> list[Cell]:
    """The distinct cells of a study's file."""
    return unique_cells(plan_study(load_study(path)))


def site_here(cells: Sequence[Cell], store: Store, places: Places) -> Site:
    """Where a run computes these cells, their data read by this process."""

    def read(data: Chosen, resize: int) -> Snapshot:
        return open_source(data, places, resize=resize).snapshot

    data = read_data(needed_data(cells), store, places, read, lambda _: None)
    assert not data.unavailable
    return Site(store, places, data.hashes)
