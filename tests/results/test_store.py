"""The store as a whole, on both kinds of place."""

from __future__ import annotations

import pickle
import time
from pathlib import Path

import pandas as pd
import pytest

import raysl.results as results
from raysl.data.fetch import without_credentials
from raysl.errors import StorageError
from raysl.results import Store
from tests.data.test_snapshot import snapshot_of

PREDICTIONS = pd.DataFrame({"video": [0], "path": ["a"], "label": [0], "correct": [True]})


def test_an_empty_store(store: Store) -> None:
    store.check_writable()
    assert store.cells() == []
    assert store.frame().empty
    assert list(store.place.sizes()) == [], "checking leaves nothing behind"


def test_a_data_set_as_it_was_read(store: Store) -> None:
    snapshot = snapshot_of()
    with pytest.raises(StorageError, match="is gone; run the study again"):
        store.snapshot(snapshot.hashes.snapshot)
    store.save_snapshot(snapshot)
    assert store.snapshot(snapshot.hashes.snapshot) == snapshot
    assert store.snapshot_of("set-1a2b3c4d") is None, "nobody said what it is"
    store.save_snapshot(snapshot, "set-1a2b3c4d", listing="now")
    assert store.snapshot_of("set-1a2b3c4d", "now") == snapshot
    assert store.snapshot_of("set-1a2b3c4d", "then") is None, "its address holds something else"
    store.save_snapshot(snapshot_of(videos=6), "set-1a2b3c4d", listing="now")
    assert store.snapshot_of("set-1a2b3c4d", "now") is None, "nothing says which is meant"
    assert store.cells() == []
    store.place.write(f"data/{snapshot.hashes.snapshot}.parquet", b"half")
    with pytest.raises(StorageError, match="cannot be read"):
        store.snapshot(snapshot.hashes.snapshot)


def test_cells_are_listed_by_name(store: Store) -> None:
    for cell_id in ("b", "a"):
        store.folder(cell_id, "none").write_config({"training": {"seed": 0}})
    assert [cell.name for cell in store.cells()] == ["a-none", "b-none"]
    assert store.folder("a", "none") == store.named("a-none")


def test_what_one_writes_another_reads(storage: str, store: Store) -> None:
    store.folder("a", "b").start_attempt().save_checkpoint(3, b"weights")
    assert results.open(storage).folder("a", "b").latest_checkpoint() == (3, b"weights")
    assert pickle.loads(pickle.dumps(store)).folder("a", "b").latest_checkpoint() == (3, b"weights")


def test_frame_has_a_row_per_evaluation_and_every_field(store: Store) -> None:
    done, failed, broken = (store.folder(name, "x") for name in ("a", "b", "c"))
    done.write_config({"objective": {"contrastive": {"temperature": 0.1}}, "training": {"seed": 3}})
    done.mark_done(done.start_attempt(), {"minutes": 2.0, "unreadable": 1})
    details = {"unreadable": {"train": {"v.mp4": "no video stream"}, "test": {}}, "c": 0.1}
    done.save_evaluation("e1", {"label": "linear/u", "metrics": {"top1": 40.0}, "details": details}, PREDICTIONS)
    done.save_evaluation("e2", {"label": "retrieval/u", "metrics": {"R@1": 30.0}, "n_test": 1}, PREDICTIONS)
    failed.write_config({"objective": {"contrastive": None}, "training": {"seed": 4}})
    failed.mark_failed("NaN", {})
    broken.place.write("cell.yaml", b"")
    frame = store.frame()
    assert frame["cell"].tolist() == ["a-x", "a-x", "b-x", "c-x"]
    assert frame["status"].tolist() == ["done", "done", "failed", "broken"]
    assert frame["objective.contrastive.temperature"].tolist()[:2] == [0.1, 0.1]
    assert frame["training.seed"].tolist()[:3] == [3, 3, 4]
    assert frame["evaluation.label"].tolist()[:2] == ["linear/u", "retrieval/u"]
    assert frame["metric.top1"].tolist()[0] == 40.0
    assert frame["metric.R@1"].tolist()[1] == 30.0
    assert frame["summary.unreadable"].tolist()[:2] == [1, 1]
    assert frame[["evaluation.details.unreadable.train", "evaluation.details.unreadable.test"]].values.tolist()[0] == [
        1,
        0,
    ]
    assert frame["evaluation.details.c"].tolist()[0] == 0.1
    assert frame["reason"].tolist()[2] == "NaN"


def test_slim_copy_has_what_a_report_needs_and_no_weights(store: Store, tmp_path: Path) -> None:
    cell = store.folder("a", "b")
    cell.write_config({"training": {"seed": 3}})
    cell.write_provenance({"git_commit": "abc"})
    attempt, other = cell.start_attempt(), cell.start_attempt()
    for each in (attempt, other):
        each.save_checkpoint(1, b"weights")
        each.write_curves(pd.DataFrame({"step": [1], "loss": [1.0]}))
        each.place.write("tensorboard/events", b"events")
    cell.save_evaluation("e1", {"metrics": {"top1": 40.0}}, PREDICTIONS)
    cell.mark_done(attempt, {"minutes": 2.0})
    cell.write_changes(b"-a\n+b\n")
    slim = results.open(tmp_path / "slim")
    assert results.slim_copy(store, slim, ["a-b", "a-b"]) == ["a-b"]
    copy = slim.folder("a", "b")
    assert (copy.state(), copy.config(), copy.provenance()) == (cell.state(), cell.config(), cell.provenance())
    assert copy.evaluations() == cell.evaluations()
    assert copy.predictions("e1") is not None
    assert copy.curves() is not None
    assert copy.final_checkpoint() is None
    assert sorted(slim.place.sizes()) == [
        f"cells/a-b/attempts/{attempt.name}/curves.csv",
        "cells/a-b/cell.yaml",
        "cells/a-b/done.json",
        "cells/a-b/evaluations/e1.json",
        "cells/a-b/evaluations/e1.parquet",
        "cells/a-b/provenance.json",
    ]


def test_slim_copy_refuses_what_is_broken(store: Store, tmp_path: Path) -> None:
    store.named("a-b").place.write("cell.yaml", b"")
    with pytest.raises(StorageError, match="a-b: it is broken"):
        results.slim_copy(store, results.open(tmp_path / "slim"), ["a-b"])


def test_the_clock_of_a_store_is_that_of_its_objects(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    right = time.time
    monkeypatch.setattr("raysl.results.place._clocks", {})
    monkeypatch.setattr("time.time", lambda: right() + 600)
    assert store.place.written("x") is None
    store.place.write("x", b"1")
    written = store.place.written("x")
    assert written is not None
    assert abs(written - right()) < 60
    assert abs(store.place.now() - written) < 60
    assert list(store.place.sizes()) == ["x"], "nothing is left of it"


def test_a_place_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file"):
        results.open(tmp_path / "file")
    below = results.open(tmp_path / "file" / "store")
    with pytest.raises(StorageError, match=r"file/store cannot be written: .*--storage"):
        below.check_writable()
    assert below.cells() == []
    assert below.folder("a", "b").state().status == "missing"


def test_a_bucket_that_is_not_there_cannot_be_written(s3_address: str) -> None:
    store = results.open(f"s3://absent/x?scheme=http&endpoint_override={s3_address}")
    with pytest.raises(StorageError, match=r"s3://absent/x cannot be written: .*--storage"):
        store.check_writable()


@pytest.mark.parametrize("address", ["", "ftp://host/x", "s3://"])
def test_an_address_that_is_not_understood(address: str) -> None:
    with pytest.raises(StorageError, match="--storage"):
        results.open(address)


@pytest.mark.parametrize("address", ["s3:/bucket/x", "s3:bucket/x", "gs:bucket/x"])
def test_an_address_with_too_few_slashes_makes_no_folder(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=rf"write {address[:2]}://bucket/x, or \./{address} for a folder"):
        results.open(address)
    results.open(f"./{address}").check_writable()
    assert (tmp_path / address).is_dir()


def test_a_file_address_is_a_local_store(tmp_path: Path) -> None:
    results.open(f"file://{tmp_path}/store").place.write("x", b"1")
    assert results.open(tmp_path / "store").place.read("x") == b"1"


def test_a_write_that_fails_leaves_the_old_object_and_no_part(tmp_path: Path) -> None:
    store = results.open(tmp_path / "store")
    (tmp_path / "store" / "x").mkdir(parents=True)
    (tmp_path / "store" / "x" / "inside").write_text("kept")
    with pytest.raises(StorageError, match="cannot write"):
        store.place.write("x", b"1")
    assert [path.name for path in (tmp_path / "store").rglob("*")] == ["x", "inside"]


def test_credentials_are_not_shown() -> None:
    assert without_credentials("s3://key:secret@bucket/x?region=eu") == "s3://bucket/x?region=eu"
    assert without_credentials("s3://bucket/x@y") == "s3://bucket/x@y"
