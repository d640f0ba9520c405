"""A store that is looked at once: the same answers as from the store itself, in few requests."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from raysl import results
from raysl.results import CellFolder, Store
from tests.conftest import empty_folder
from tests.results.stocked import PREDICTIONS, STATES, Stocked


def looked_at(cell: CellFolder) -> list[object]:
    predictions = [cell.predictions(name) for name in cell.evaluations()]
    return [
        cell.state().status,
        cell.config(),
        cell.provenance(),
        cell.read_evaluations(),
        cell.faults(),
        [attempt.name for attempt in cell.attempts()],
        [attempt.checkpoint_steps() for attempt in cell.attempts()],
        cell.place.written("cell.yaml"),
        [None if one is None else one.to_dict() for one in (cell.curves(), *predictions)],
    ]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("fill", STATES)
def test_every_state_is_seen_as_in_the_store_itself(fill: object, together: bool, store: Store) -> None:
    assert callable(fill)
    fill(Stocked(store))
    for cell in store.cells():
        for attempt in cell.attempts():
            attempt.write_part(pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.25]}))
    kept = store.kept()
    assert [cell.name for cell in kept.cells()] == [cell.name for cell in store.cells()]
    assert kept.of_cells(looked_at, kept.cells() if together else kept.cells()[:0]) in (
        [looked_at(cell) for cell in store.cells()],
        [],
    )
    assert [looked_at(cell) for cell in kept.cells()] == [looked_at(cell) for cell in store.cells()]
    assert looked_at(kept.folder("a", "b")) == looked_at(store.folder("a", "b")), "there is no such cell"


def test_what_is_written_later_is_not_seen(store: Store) -> None:
    cell = store.folder("a", "b")
    cell.write_config({})
    kept = store.kept()
    assert kept.kept() is kept
    seen = kept.folder("a", "b")
    assert seen.state().status == "missing"
    cell.mark_done(cell.start_attempt(), {})
    assert (seen.state().status, store.kept().folder("a", "b").state().status) == ("missing", "done")


@pytest.mark.parametrize(
    "content", [b"\r\n", b"{}\r\n", b"{}", b"a\x1fb\n", b"\xff\x00\n\n", b"\n" * 3000, bytes(range(256)) * 9]
)
def test_an_object_of_a_bucket_is_read_as_it_is(content: bytes, s3_address: str) -> None:
    store = results.open(empty_folder("s3", s3_address))
    store.place.write("cells/a-b/cell.yaml", content)
    assert store.kept().folder("a", "b").place.read("cell.yaml") == content


def test_requests_a_cell(s3_address: str, caplog: pytest.LogCaptureFixture) -> None:
    """One for each of its five files of text, two for predictions; the listings are two for all cells."""
    store, cells = results.open(empty_folder("s3", s3_address)), 20
    for number in range(cells):
        cell = store.folder(f"{number}", "d")
        cell.write_config({"training": {"seed": number}})
        attempt = cell.start_attempt()
        attempt.save_checkpoint(1, b"weights")
        attempt.write_curves(pd.DataFrame({"step": [1], "loss": [1.0]}))
        cell.mark_done(attempt, {})
        for name in ("e", "f"):
            cell.save_evaluation(name, {"metrics": {"top1": 1.0}}, PREDICTIONS)
    caplog.set_level(logging.INFO, "werkzeug")

    def look(cell: CellFolder) -> None:
        for _ in range(2):
            assert cell.state().status == "done"
            assert len(cell.evaluations()) == 2
            cell.config()
            assert cell.faults() == {}

    def read(cell: CellFolder) -> None:
        look(cell)
        assert cell.predictions("e") is not None
        assert cell.curves() is not None

    for function, wanted in ((look, 4), (read, 4 + 3)):
        caplog.clear()
        kept = store.kept()
        kept.of_cells(function, kept.cells())
        assert sum(record.name == "werkzeug" for record in caplog.records) == 2 + wanted * cells


def test_a_small_object_is_written_by_one_request(s3_address: str, caplog: pytest.LogCaptureFixture) -> None:
    store = results.open(empty_folder("s3", s3_address))
    store.place.read("none")
    caplog.set_level(logging.INFO, "werkzeug")
    caplog.clear()
    store.place.write("a", b"small")
    _, (options,) = store.place.filesystem.__reduce__()
    requests = 1 if "allow_delayed_open" in options else 3  # pyarrow 17 uploads everything in parts
    assert [record.name for record in caplog.records] == requests * ["werkzeug"]
    assert store.place.read("a") == b"small"


def test_links_and_folders_on_a_disk_are_named_as_ever(tmp_path: Path) -> None:
    store = results.open(tmp_path)
    cell = store.folder("a", "b")
    cell.write_config({})
    cell.mark_done(cell.start_attempt(), {})
    file = tmp_path / "cells/a-b/done.json"
    file.unlink()
    file.symlink_to(file.name)
    assert store.kept().folder("a", "b").state() == cell.state()
    file.unlink()
    file.mkdir()
    assert store.kept().folder("a", "b").state() == cell.state()
    assert cell.state().by_hand
