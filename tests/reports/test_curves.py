"""Curves for figures, from a store."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import raysl.results as results
from raysl.reports import CellResult, RowInput
from raysl.reports.curves import POINTS, read_curves
from raysl.results import Store

ROW = RowInput("a", (CellResult(0, "c0-d", "done"), CellResult(1, "c1-d", "done"), CellResult(2, "c2-d", "failed")))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three cells, of 240 steps and of 120."""
    found = results.open(tmp_path)
    for cell, steps in (("c0-d", 240), ("c1-d", 120), ("c2-d", 240)):
        attempt = found.named(cell).start_attempt()
        columns = {"step": range(1, steps + 1), "epoch": 1, "loss/total": [float(step) for step in range(steps)]}
        attempt.place.write("curves.csv", pd.DataFrame({**columns, "time/x": 0.0}).to_csv(index=False).encode())
    return found


def test_curves_are_means_over_stretches_that_all_seeds_of_a_row_have_in_common(store: Store) -> None:
    curves = read_curves(store, [ROW])
    assert set(curves["name"]) == {"loss/total"}
    assert curves.groupby("seed").size().to_dict() == {0: POINTS, 1: POINTS // 2}
    first = curves[curves["step"] == 4]
    assert first[["seed", "value"]].values.tolist() == [[0, 1.5], [1, 1.5]]
    assert list(curves["row"].cat.categories) == ["a"]


@pytest.mark.parametrize("content", [b"", b"step,epoch\n1", b"step,loss/total\nx,y\n", b"\x00\n", None])
def test_damaged_curves_are_left_out(content: bytes | None, store: Store) -> None:
    """None: a folder stands in the place of the file."""
    (attempt,) = store.named("c0-d").attempts()
    if content is None:
        attempt.place.delete("curves.csv")
        attempt.place.write("curves.csv/x", b"")
    else:
        attempt.place.write("curves.csv", content)
    assert set(read_curves(store, [ROW])["seed"]) == {1}


def test_no_curves_are_an_empty_table(tmp_path: Path) -> None:
    assert len(read_curves(results.open(tmp_path), [ROW])) == 0
