"""Results of an older version, taken over where they were made from the data that is here."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raysl import results
from raysl.config.cells import Cell
from raysl.config.component import Chosen
from raysl.config.identity import evaluation_id, resolved
from raysl.data.snapshot import Snapshot
from raysl.errors import DataError
from raysl.results import Store
from raysl.results.carry_over import Carried, carry_store
from tests.cells import tiny_cell, tiny_evaluation
from tests.data.test_snapshot import snapshot_of, with_row, with_video
from tests.results.stocked import Stocked

OLD = "0123abcd"
CELLS = [
    Cell(tiny_cell(), (tiny_evaluation("linear"),)),
    Cell(tiny_cell({"pretraining": "none"}), (tiny_evaluation("linear"),)),
]
HERE = snapshot_of()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A trained cell and random weights, each with an evaluation, as older versions stored them."""
    store = results.open(tmp_path / "store")
    rows = [{"path": row.path, "frames": row.frames, "fingerprint": row.fingerprint} for row in HERE.manifest.rows]
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), content)
    store.place.write(f"manifests/synthetic-00000000/{OLD}", content.getvalue())
    store.place.write("manifests/synthetic-00000000/newest", content.getvalue())
    tested = [video for video in HERE.catalog.videos if video.split == "test"]
    predictions = pd.DataFrame(
        {
            "video": [video.index for video in tested],
            "path": [video.path for video in tested],
            "label": [video.label for video in tested],
            "correct": True,
        }
    )
    for cell in CELLS:
        folder = store.folder(cell.id, OLD if cell.pretrains else "none")
        folder.write_config(resolved(cell.config))
        folder.write_provenance({"manifest": OLD if cell.pretrains else None, "git": {"commit": "abc"}})
        attempt = folder.start_attempt()
        attempt.save_checkpoint(3, b"weights")
        folder.mark_done(attempt, {"minutes": 1.0})
        evaluation = cell.evaluations[0]
        options = {key: value for key, value in resolved(evaluation).items() if key != "label"}
        record = {
            "label": evaluation.label,
            "evaluation": options,
            "manifest": OLD,
            "headline": "top1",
            "metrics": {"top1": 100.0},
        }
        name = f"{evaluation_id(evaluation)}-{OLD}"
        folder.save_evaluation(name, record, predictions)
    return store


def carried(store: Store, here: Snapshot) -> Carried:
    def open_data(data: Chosen) -> Snapshot:
        return here

    return carry_store(store, open_data)


def test_what_was_made_from_the_data_here_is_found_by_this_version(store: Store) -> None:
    stocked = Stocked(store, CELLS[0], HERE.hashes)
    assert "stored by another version" in stocked.shelf(HERE.hashes).find(CELLS[0]).reason
    done = carried(store, HERE)
    assert (len(done.taken), done.refused) == (3, {})
    for cell in CELLS:
        found = stocked.shelf(HERE.hashes).find(cell)
        assert found.verdict == "done"
        assert found.folder is not None
        assert found.folder.final_checkpoint() == b"weights"
        predictions = found.folder.predictions(str(found.evaluations[0].name))
        assert predictions is not None
        assert len(predictions) == 2
    provenance = stocked.shelf(HERE.hashes).folder(CELLS[0]).provenance()
    assert provenance is not None
    assert provenance["data"]["snapshot"] == HERE.hashes.snapshot
    assert provenance["git"] == {"commit": "abc"}
    assert store.snapshot(HERE.hashes.snapshot) == HERE
    assert store.place.sizes("manifests") == {}
    assert len(store.cells()) == 2
    assert carried(store, HERE).taken == {}, "once"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (with_row(0, fingerprint="other"), "made from other data than is here: 1 of 4 videos differ, first v0.mp4"),
        (with_row(3, frames=7), "made from other data than is here: 1 of 4 videos differ, first v3.mp4"),
    ],
)
def test_other_data_is_refused_with_the_first_video_that_differs(
    store: Store, change: Callable[[Snapshot], Snapshot], reason: str
) -> None:
    done = carried(store, change(HERE))
    assert done.taken == {}
    assert set(done.refused.values()) == {reason}
    assert len(done.refused) == 3
    assert store.place.sizes("manifests"), "what is refused can be checked again"
    assert [folder.state().status for folder in store.cells()] == ["done", "done"]


def test_other_labels_or_splits_are_refused_for_evaluations_alone(store: Store) -> None:
    done = carried(store, with_video(3, label=0)(HERE))
    assert set(done.refused.values()) == {"made with other splits or labels than are here: first v3.mp4"}
    assert len(done.taken) == 1, "training reads no label"


def test_data_that_is_not_here_is_refused(store: Store) -> None:
    def open_data(data: Chosen) -> Snapshot:
        raise DataError("no root was given")

    assert set(carry_store(store, open_data).refused.values()) == {"no root was given"}


def test_results_of_a_manifest_that_is_gone_are_refused(store: Store) -> None:
    for path in store.place.sizes("manifests"):
        store.place.delete(path)
    assert set(carried(store, HERE).refused.values()) == {f"the store has no manifest {OLD}: its data is not known"}


def test_results_of_this_version_stay(tmp_path: Path) -> None:
    stocked = replace(Stocked(results.open(tmp_path / "new")), here=HERE.hashes)
    stocked.evaluated()
    done = carried(stocked.store, HERE)
    assert (done.taken, done.refused) == ({}, {})
