"""Curves for figures, from a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import raysl.results as results
from raysl.reports import CellResult, RowInput
from raysl.reports.curves import POINTS, CellCurves, CurveReader, read_curves
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
    curves = read_curves(CurveReader(store), [ROW])
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
    assert set(read_curves(CurveReader(store), [ROW])["seed"]) == {1}


def test_no_curves_are_an_empty_table(tmp_path: Path) -> None:
    assert len(read_curves(CurveReader(results.open(tmp_path)), [ROW])) == 0


def test_a_file_is_read_once_and_thinning_again_splits_no_stretch(store: Store) -> None:
    reader = CurveReader(store)
    first = reader.of("c0-d")
    store.named("c0-d").attempts()[0].place.delete("curves.csv")
    assert reader.of("c0-d") is first
    steps = np.arange(1.0, 10_001)
    curves = CellCurves.of({"step": steps, "epoch": np.ones(10_000), "loss/total": steps})
    assert curves is not None
    for points in (60, 30, 12):
        assert points / 2 < len(curves.thinned(curves.width_for(points)).steps) <= points
    once = curves.thinned(curves.width_for(12))
    again = curves.thinned(curves.width_for(60)).thinned(curves.width_for(12))
    assert once.steps.tolist() == again.steps.tolist()
    assert once.values[:-1] == pytest.approx(again.values[:-1], rel=1e-12)


def test_what_is_logged_now_and_then_is_a_mean_over_what_is_known() -> None:
    """As an accuracy that is measured once an epoch; where none is known there is a gap."""
    known = {2: 1.0, 3: 3.0, 7: 5.0}
    values = np.array([known.get(step, np.nan) for step in range(1, 9)])
    curves = CellCurves.of({"step": np.arange(1.0, 9), "epoch": np.ones(8), "metric/knn": values, "time/x": values})
    assert curves is not None
    assert curves.names == ("metric/knn",)
    assert np.nan_to_num(curves.thinned(2).values[:, 0], nan=-1).tolist() == [1.0, 3.0, -1.0, 5.0]
    assert curves.thinned(4).values[:, 0].tolist() == [2.0, 5.0]
