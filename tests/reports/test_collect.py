"""From a real store to a table."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path, PurePosixPath

import pandas as pd
import pytest

import raysl.results as results
from raysl.config.cells import Cell
from raysl.config.component import Chosen, find
from raysl.config.identity import evaluation_id
from raysl.data.catalog import Catalog, Video
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.snapshot import Snapshot, data_key, data_record
from raysl.errors import ConfigError
from raysl.reports import EvaluationRecord, build_table, collect, render_markdown
from raysl.reports.over_videos import count_recordings
from raysl.results import CellFolder, Shelf, Store
from tests.cells import tiny_cell, tiny_evaluation
from tests.data.test_snapshot import snapshot_of

DETAILS = {
    "unreadable": {"train": {"bad.mp4": "empty"}, "test": {}},
    "unlabelled": {"train": 0, "test": 3},
    "missing": 2,
}


LINEAR = tiny_evaluation("linear", c=1.0)
HASHES = snapshot_of().hashes
NAME = f"{evaluation_id(LINEAR)}-{HASHES.evaluated}"
OTHER = f"{evaluation_id(LINEAR)}-01234567"
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
    cell.save_evaluation(NAME, record, predictions)
    return cell


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return results.open(tmp_path / "store")


def planned(row: str, number: int = 0) -> Cell:
    """A row's cell; rows of one number share it."""
    return Cell(tiny_cell({"training.steps": 4 + number}), (LINEAR,), "t", row)


def seeded(row: str, seed: int) -> Cell:
    return Cell(tiny_cell({"training.steps": 4, "training.seed": seed}), (LINEAR,), "t", row)


def known(store: Store) -> Shelf:
    return Shelf(store, {data_key(LINEAR.data): HASHES})


def folder(store: Store, number: int = 0) -> CellFolder:
    return known(store).folder(planned("", number))


def test_a_done_cell_in_full(store: Store) -> None:
    finish(folder(store, 0), 4, unreadable=2)
    source = collect(known(store), [planned("A")], title="t")
    cell = source.rows[0].cells[0]
    record = cell.evaluations["linear/synthetic"]
    assert record is not None
    assert [column.key for column in source.columns] == ["linear/synthetic:top1"], "the headline, not the first metric"
    assert (cell.missing, cell.too_short, cell.left_out) == (4, 6, 3)
    assert (cell.cell, cell.status, cell.unreadable, cell.minutes, cell.clips_per_second) == (
        folder(store).name,
        "done",
        2,
        2.5,
        31.0,
    )
    assert (cell.commit, cell.dirty) == ("0123456789abcdef", True)
    assert sum(record.correct.values()) == 4
    assert record.left_out == {"unreadable train": 1, "unlabelled test": 3, "missing files": 2}


def test_a_share_of_a_videos_clips_is_exact(store: Store) -> None:
    """Stored as a decimal number where each clip is asked: sums over videos must not depend on their order."""
    cell = finish(folder(store), 4)
    share = pd.DataFrame({"path": ["a", "b", "c"], "label": 0, "correct": [1 / 3, 0.7, 1.0]})
    cell.save_evaluation(NAME, {"headline": "R@1", "metrics": {"R@1": 67.8}}, share)
    record = collect(known(store), [planned("A")], title="t").rows[0].cells[0].evaluations["linear/synthetic"]
    assert record is not None
    assert record.correct == {"a": Fraction(1, 3), "b": Fraction(7, 10), "c": 1}


def test_every_hole_has_its_reason(store: Store) -> None:
    finish(folder(store, 0), 4)
    finish(folder(store, 1), 4).place.write(f"evaluations/{NAME}.json", b'{"sta')
    folder(store, 2).write_config({})
    folder(store, 2).mark_failed("the loss is NaN at step 3", {})
    folder(store, 5).place.write("cell.yaml", b"")
    finish(folder(store, 6), 4).fail_evaluation(NAME, "a class has one video", {})
    source = collect(
        known(store), [planned(row.upper(), ord(row) - ord("a")) for row in "abcdfg"], title="t", baseline="A"
    )
    holes = {row.name: " ".join(row.entries[0].holes) for row in build_table(source).rows}
    assert holes["A"] == ""
    assert "not whole (5 bytes)" in holes["B"]
    assert holes["C"] == "seed 0: failed: the loss is NaN at step 3"
    assert holes["D"] == "seed 0: missing"
    assert holes["F"].startswith("seed 0: broken: cells/")
    assert holes["G"] == "seed 0: linear/synthetic failed: a class has one video"


def test_rows_share_a_cell(store: Store) -> None:
    finish(folder(store, 0), 4)
    source = collect(known(store), [planned("A"), planned("B")], title="t", baseline="A")
    assert source.rows[0].cells == source.rows[1].cells
    assert "same results" in render_markdown(build_table(source))


def test_why_an_evaluation_is_not_there_is_said(store: Store) -> None:
    cell = finish(folder(store), 4)
    cell.clear_evaluation(NAME)
    cell.note_fault(NAME, 0, {"reason": "v1 cannot be read now", "traceback": ""})
    (row,) = build_table(collect(known(store), [planned("A")], title="t")).rows
    assert row.entries[0].holes == ("seed 0: linear/synthetic not evaluated yet: v1 cannot be read now",)


def test_a_cell_is_found_without_its_data(store: Store) -> None:
    finish(folder(store), 4)
    finish(folder(store, 1), 9)
    here = folder(store).name
    assert collect(Shelf(store), [planned("A")], title="t").rows[0].cells[0].cell == here
    finish(store.folder(planned("A").id, "other"), 5)
    cell = collect(Shelf(store), [planned("A")], title="t").rows[0].cells[0]
    assert (cell.cell, cell.status) == ("", "missing")
    assert "2 results of this cell, on different data" in cell.reason


def test_rows_of_other_test_videos_are_no_table(store: Store) -> None:
    """Where the data is not here, each cell has one result, and the two are of different test sets."""
    finish(folder(store), 4)
    other = finish(folder(store, 1), 9)
    shutil.move(f"{other.place.root}/evaluations/{NAME}.json", f"{other.place.root}/evaluations/{OTHER}.json")
    shutil.move(f"{other.place.root}/evaluations/{NAME}.parquet", f"{other.place.root}/evaluations/{OTHER}.parquet")
    cells = [planned("A"), planned("B", 1)]
    with pytest.raises(ConfigError, match=f"linear/synthetic is of 2 .* {HASHES.evaluated} of t/A/seed0; 0123"):
        collect(Shelf(store), cells, title="t", baseline="A")
    rows = build_table(collect(known(store), cells, title="t", baseline="A")).rows
    assert [row.entries[0].sample.mean for row in rows] == [40.0, None], "known data decides which counts"
    assert f"made on other data: {OTHER}" in rows[1].entries[0].holes[0]


@pytest.mark.parametrize("number", [0, 1])
def test_rows_trained_on_other_videos_are_no_table(store: Store, number: int) -> None:
    """Of one row at two seeds too, whose mean would mix them."""
    finish(folder(store), 4)
    cells = [planned("A"), seeded("A", 1) if number == 0 else planned("B", 1)]
    finish(store.folder(cells[1].id, "01234567"), 9).write_provenance(
        {"data": {"name": "synthetic", "videos": {"train": 7}}}
    )
    said = r"t: no table, since pretraining is of 2 versions .* 01234567 \(synthetic: train 7 videos\) of t/.*--root"
    with pytest.raises(ConfigError, match=said):
        collect(Shelf(store), cells, title="t", baseline="A")


def test_columns_as_asked_for(store: Store) -> None:
    finish(folder(store, 0), 4)
    source = collect(
        known(store), [planned("A")], title="t", columns=["linear/synthetic:mean_class", "linear/synthetic"]
    )
    assert [column.key for column in source.columns] == ["linear/synthetic:mean_class", "linear/synthetic:top1"]


def test_a_column_of_no_evaluation_is_an_error(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"'linear/sinthetic'.*did you mean 'linear/synthetic'"):
        collect(known(store), [planned("A")], title="t", columns=["linear/sinthetic:top1"])


def test_nothing_yet_is_a_table_of_holes(store: Store) -> None:
    text = render_markdown(build_table(collect(known(store), [planned("A")], title="t")))
    assert "[a] A, seed 0: missing" in text


def test_unreadable_provenance_is_said_and_the_result_stands(store: Store) -> None:
    finish(folder(store, 0), 4).place.write("provenance.json", b"")
    source = collect(known(store), [planned("A")], title="t")
    assert (source.rows[0].cells[0].status, source.rows[0].cells[0].commit) == ("done", "unreadable")


def test_a_slim_store_gives_the_same_table(store: Store, tmp_path: Path) -> None:
    finish(folder(store, 0), 4)
    finish(folder(store, 1), 6)
    slim = results.open(tmp_path / "slim")
    results.slim_copy(store, slim, [folder(store, 0).name, folder(store, 1).name])
    cells = [planned("A"), planned("B", 1)]
    assert collect(known(slim), cells, title="t", baseline="A") == collect(known(store), cells, title="t", baseline="A")


GROUPED = Chosen("data set", "folder", FolderOptions(group="^([a-z]+)_"))
PATHS = [
    f"{name}/{person}_{number}.mp4" for name in ("run", "walk") for person in ("ann", "bob") for number in range(3)
]


def test_recordings_are_those_of_the_stored_list(store: Store) -> None:
    videos = tuple(Video(i, path, i // 6, "test", PurePosixPath(path).name[:3]) for i, path in enumerate(PATHS))
    record = _evaluated(store, GROUPED, PATHS, Catalog("mine", ("run", "walk"), videos))
    assert record.recordings == {path: PurePosixPath(path).name[:3] for path in PATHS}
    assert count_recordings(record) == 2


@pytest.mark.parametrize("damage", ["gone", "not whole"])
def test_where_the_list_is_gone_paths_say_it_or_nothing_does(store: Store, damage: str) -> None:
    """UCF101 names recordings in its files; a folder's groups are in the list alone."""
    ucf = tuple(f"Lunges/v_Lunges_g0{1 + i // 3}_c0{1 + i % 3}.avi" for i in range(6))
    for data, paths, recordings in ((_chosen("ucf101"), ucf, 2), (GROUPED, tuple(PATHS[:6]), None)):
        videos = tuple(Video(i, path, 0, "test", "g") for i, path in enumerate(paths))
        record = _evaluated(store, data, paths, Catalog("mine", ("a",), videos), damage)
        assert count_recordings(record) == recordings
        source = collect(Shelf(store), [_planned(data)], title="t")
        (note,) = [text for text in source.footnotes if "parquet" in text]
        assert note.startswith(f"The list of {data.bound_name}'s videos, data/")
        assert str(store.place.root) not in note


def _chosen(name: str) -> Chosen:
    return Chosen("data set", name, find("data set", name).options())


def _planned(data: Chosen) -> Cell:
    return Cell(tiny_cell({"training.steps": 4}), (LINEAR.model_copy(update={"data": data}),), "t", "A")


def _evaluated(
    store: Store, data: Chosen, paths: Sequence[str], catalog: Catalog, damage: str = ""
) -> EvaluationRecord:
    """The record that a report reads of an evaluation on this list of videos."""
    rows = tuple(ManifestRow(path, 9, 9, (0,), 8, 8, 25.0, "f", True) for path in paths)
    snapshot = Snapshot(catalog, Manifest(catalog.name, rows))
    store.save_snapshot(snapshot)
    if damage == "gone":
        store.place.delete(f"data/{snapshot.hashes.snapshot}.parquet")
    elif damage:
        store.place.write(f"data/{snapshot.hashes.snapshot}.parquet", b"PAR1")
    cell = Shelf(store, {data_key(LINEAR.data): HASHES}).folder(planned("A"))
    cell.write_config({})
    cell.write_provenance({})
    cell.mark_done(cell.start_attempt(), {})
    name = f"{evaluation_id(LINEAR.model_copy(update={'data': data}))}-{snapshot.hashes.evaluated}"
    predictions = pd.DataFrame({"path": list(paths), "correct": True})
    record = {"headline": "top1", "metrics": {"top1": 100.0}, "data": data_record(data, snapshot)}
    cell.save_evaluation(name, record, predictions)
    found = collect(Shelf(store), [_planned(data)], title="t").rows[0].cells[0].evaluations
    (one,) = found.values()
    assert one is not None
    return one
