"""From a real store to a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import raysl.results as results
from raysl.errors import ConfigError
from raysl.reports import TableCell, build_table, collect, render_markdown
from raysl.results import CellFolder, Store

DETAILS = {
    "unreadable": {"train": {"bad.mp4": "empty"}, "test": {}},
    "unlabelled": {"train": 0, "test": 3},
    "missing": 2,
}


MORE = {"missing": 4, "too_short": 6, "left_out": 3}


def finish(cell: CellFolder, right: int, unreadable: int = 0) -> CellFolder:
    """A done cell of which ``right`` of ten test videos are answered correctly."""
    cell.write_config({"training": {"seed": 0}})
    cell.write_provenance({"git": {"commit": "0123456789abcdef", "dirty": True}})
    cell.mark_done(cell.start_attempt(), {"minutes": 2.5, "clips_per_second": 31.0, "unreadable": unreadable} | MORE)
    record = {"headline": "top1", "metrics": {"mean_class": 1.0, "top1": 10.0 * right}, "details": DETAILS}
    predictions = pd.DataFrame(
        {
            "video": range(10),
            "path": [f"v{video}" for video in range(10)],
            "label": 0,
            "correct": [i < right for i in range(10)],
        }
    )
    cell.save_evaluation("e1", record, predictions)
    return cell


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return results.open(tmp_path / "store")


def planned(row: str, cell_id: str, seed: int = 0, data_hash: str | None = "d") -> TableCell:
    return TableCell(row, seed, cell_id, data_hash, {"linear/u": "e1"})


def test_a_done_cell_in_full(store: Store) -> None:
    finish(store.folder("a", "d"), 4, unreadable=2)
    source = collect(store, [planned("A", "a")], title="t")
    cell = source.rows[0].cells[0]
    record = cell.evaluations["linear/u"]
    assert record is not None
    assert [column.key for column in source.columns] == ["linear/u:top1"], "the headline, not the first metric"
    assert (cell.missing, cell.too_short, cell.left_out) == (4, 6, 3)
    assert (cell.cell, cell.status, cell.unreadable, cell.minutes, cell.clips_per_second) == (
        "a-d",
        "done",
        2,
        2.5,
        31.0,
    )
    assert (cell.commit, cell.dirty) == ("0123456789abcdef", True)
    assert sum(record.correct.values()) == 4
    assert record.left_out == {"unreadable train": 1, "unlabelled test": 3, "missing files": 2}


def test_every_hole_has_its_reason(store: Store) -> None:
    finish(store.folder("a", "d"), 4)
    finish(store.folder("b", "d"), 4).place.write("evaluations/e1.json", b'{"sta')
    store.folder("c", "d").write_config({})
    store.folder("c", "d").mark_failed("the loss is NaN at step 3", {})
    store.folder("f", "d").place.write("cell.yaml", b"")
    finish(store.folder("g", "d"), 4).fail_evaluation("e1", "a class has one video", {})
    source = collect(store, [planned(row.upper(), row) for row in "abcdfg"], title="t", baseline="A")
    holes = {row.name: " ".join(row.entries[0].holes) for row in build_table(source).rows}
    assert holes["A"] == ""
    assert holes["B"] == "seed 0: linear/u not evaluated yet"
    assert holes["C"] == "seed 0: failed: the loss is NaN at step 3"
    assert holes["D"] == "seed 0: missing"
    assert holes["F"].startswith("seed 0: broken: cell.yaml")
    assert holes["G"] == "seed 0: linear/u failed: a class has one video"


def test_rows_share_a_cell(store: Store) -> None:
    finish(store.folder("a", "d"), 4)
    source = collect(store, [planned("A", "a"), planned("B", "a")], title="t", baseline="A")
    assert source.rows[0].cells == source.rows[1].cells
    assert "same results" in render_markdown(build_table(source))


def test_a_cell_is_found_without_its_data(store: Store) -> None:
    finish(store.folder("a", "d"), 4)
    finish(store.folder("aa", "d"), 9)
    assert collect(store, [planned("A", "a", data_hash=None)], title="t").rows[0].cells[0].cell == "a-d"
    store.folder("a", "other").write_config({})
    assert collect(store, [planned("A", "a", data_hash=None)], title="t").rows[0].cells[0].cell == "a-d"
    finish(store.folder("a", "other"), 5)
    cell = collect(store, [planned("A", "a", data_hash=None)], title="t").rows[0].cells[0]
    assert (cell.cell, cell.status) == ("", "missing")
    assert "2 results of this cell on different data" in cell.reason


def test_columns_as_asked_for(store: Store) -> None:
    finish(store.folder("a", "d"), 4)
    source = collect(store, [planned("A", "a")], title="t", columns=["linear/u:mean_class", "linear/u"])
    assert [column.key for column in source.columns] == ["linear/u:mean_class", "linear/u:top1"]


def test_a_column_of_no_evaluation_is_an_error(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"'linear/v'.*did you mean 'linear/u'"):
        collect(store, [planned("A", "a")], title="t", columns=["linear/v:top1"])


def test_nothing_yet_is_a_table_of_holes(store: Store) -> None:
    text = render_markdown(build_table(collect(store, [planned("A", "a")], title="t")))
    assert "[a] A, seed 0: missing" in text


def test_unreadable_provenance_is_said_and_the_result_stands(store: Store) -> None:
    finish(store.folder("a", "d"), 4).place.write("provenance.json", b"")
    source = collect(store, [planned("A", "a")], title="t")
    assert (source.rows[0].cells[0].status, source.rows[0].cells[0].commit) == ("done", "unreadable")


def test_a_slim_store_gives_the_same_table(store: Store, tmp_path: Path) -> None:
    finish(store.folder("a", "d"), 4)
    finish(store.folder("b", "d"), 6)
    slim = results.open(tmp_path / "slim")
    results.slim_copy(store, slim, ["a-d", "b-d"])
    cells = [planned("A", "a"), planned("B", "b")]
    assert collect(slim, cells, title="t", baseline="A") == collect(store, cells, title="t", baseline="A")
