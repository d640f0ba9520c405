"""Where cells lie and how far they are, over stores in every state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from raysl import results
from raysl.data.snapshot import DataHashes
from raysl.results import Store
from raysl.results.folder import EVALUATION
from tests.cells import tiny_cell
from tests.results.stocked import CELL, HERE, STATES, THERE, Stocked, done, elsewhere

RANDOM = replace(CELL, config=tiny_cell({"pretraining": "none"}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return results.open(tmp_path / "store")


@pytest.fixture
def stocked(store: Store) -> Stocked:
    return Stocked(store)


@pytest.mark.parametrize("fill", STATES, ids=lambda fill: fill.__name__)
def test_every_state_has_one_answer(fill: Callable[[Stocked], None], stocked: Stocked) -> None:
    fill(stocked)
    found = stocked.shelf(HERE).find(CELL)
    verdict, status, reason = STATES[fill]
    assert (found.verdict, found.state.status) == (verdict, status)
    assert found.reason.startswith(reason)
    assert bool(found.reason) == bool(reason)
    assert [one.label for one in found.evaluations] == ["linear/synthetic", "retrieval/synthetic"]


def test_without_its_data_a_cell_is_found_by_its_id_where_there_is_one_alone(stocked: Stocked) -> None:
    assert stocked.shelf(None).find(CELL).folder is None
    elsewhere(stocked)
    found = stocked.shelf(None).find(CELL)
    assert (found.verdict, found.state.status) == ("done", "done")
    done(stocked)
    found = stocked.shelf(None).find(CELL)
    assert (found.verdict, found.folder) == ("missing", None)
    assert "2 results of this cell, on different data" in found.reason
    assert "synthetic: train 2, test 2 videos" in found.reason
    assert "--root" in found.reason
    assert stocked.shelf(HERE).find(CELL).verdict == "done"
    assert stocked.shelf(THERE).find(CELL).verdict == "done"


def test_results_of_another_version_are_named_and_not_used(stocked: Stocked) -> None:
    folder = stocked.store.named(f"{CELL.id}-01234567")
    folder.write_config({"training": {"seed": 0}})
    folder.write_provenance({"manifest": "01234567"})
    folder.mark_done(folder.start_attempt(), {})
    found = stocked.shelf(HERE).find(CELL)
    assert found.verdict == "missing"
    assert f"done as {folder.name} (stored by another version of raysl" in found.reason


def test_random_weights_read_no_data_but_their_evaluations_do(stocked: Stocked) -> None:
    stocked.of(RANDOM).evaluated()
    assert stocked.shelf(HERE).find(RANDOM).verdict == "done"
    there = stocked.shelf(THERE).find(RANDOM)
    assert (there.state.status, there.verdict) == ("done", "missing")
    assert "evaluation linear/synthetic: made on other data" in there.reason


def test_an_evaluation_is_looked_up_by_its_marker_and_no_predictions_are_read(
    stocked: Stocked, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(stocked)
    read: list[str] = []
    plain = type(stocked.store.place).read

    def reading(self: object, path: str) -> bytes | None:
        read.append(path)
        return plain(self, path)  # type: ignore[arg-type]

    monkeypatch.setattr(type(stocked.store.place), "read", reading)
    assert stocked.shelf(HERE).find(CELL).verdict == "done"
    assert not [path for path in read if path.endswith(".parquet")]
    assert len([path for path in read if path.startswith("evaluations/")]) == 2


def test_predictions_that_were_cut_short_leave_their_evaluation_out(stocked: Stocked) -> None:
    folder = stocked.evaluated()
    (name, _) = folder.evaluations()
    folder.place.write(f"evaluations/{name}.parquet", b"half")
    assert [one.status for one in stocked.shelf(HERE).find(CELL).evaluations].count("missing") == 1


def test_the_cause_on_one_rank_stands_before_what_followed_on_the_others(stocked: Stocked) -> None:
    folder = stocked.begun()
    for rank, (reason, follows) in enumerate([("Connection closed by peer", True), ("no memory left", False)]):
        folder.note_fault("pretraining", rank, {"reason": reason, "traceback": "", "follows": follows})
    assert folder.faults() == {"pretraining": "no memory left"}
    folder.clear_faults("pretraining")
    assert folder.faults() == {}


def test_what_ended_all_evaluations_is_the_reason_of_those_that_are_missing(stocked: Stocked) -> None:
    folder = stocked.evaluated(1)
    folder.note_fault(EVALUATION, 0, {"reason": "MemoryError: no memory left", "traceback": ""})
    found = stocked.shelf(HERE).find(CELL)
    assert found.verdict == "missing"
    assert found.reason == "evaluation retrieval/synthetic: MemoryError: no memory left"


@pytest.mark.parametrize("hashes", [HERE, None], ids=["data known", "data unknown"])
def test_a_damaged_evaluation_is_a_hole_that_names_its_file(hashes: DataHashes | None, stocked: Stocked) -> None:
    folder = stocked.evaluated()
    folder.place.write(f"evaluations/{stocked.name(0)}.json", b"")
    found = stocked.shelf(hashes).find(CELL)
    assert (found.verdict, [one.label for one in found.to_compute]) == ("missing", ["linear/synthetic"])
    assert f"cells/{folder.name}/evaluations/{stocked.name(0)}.json is not whole (0 bytes)" in found.reason
    assert "raysl run computes it anew" in found.reason
