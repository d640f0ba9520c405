"""Evaluations: the record stands only with its predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from raysl.results import CellFolder

RECORD = {"label": "linear/x", "metrics": {"top1": np.float64(50.0), "R@1": 25.0}, "n_test": np.int64(2)}
PREDICTIONS = pd.DataFrame(
    {"video": [4, 7], "path": ["a.mp4", "b.mp4"], "label": [0, 1], "correct": [True, False], "score": [0.5, 0.25]}
)


def test_record_and_predictions_come_back(cell: CellFolder) -> None:
    assert cell.evaluation("e1") is None
    cell.save_evaluation("e1", RECORD, PREDICTIONS)
    record = cell.evaluation("e1")
    assert record is not None
    assert record["status"] == "done"
    assert record["n_test"] == 2
    assert list(record["metrics"].items()) == [("top1", 50.0), ("R@1", 25.0)], "the headline stays first"
    predictions = cell.predictions("e1")
    assert predictions is not None
    pd.testing.assert_frame_equal(predictions, PREDICTIONS)
    assert list(cell.evaluations()) == ["e1"]


def test_a_failed_evaluation_is_kept_until_it_is_cleared(cell: CellFolder) -> None:
    cell.fail_evaluation("e1", "a class has one video", {"label": "linear/x"})
    record = cell.evaluation("e1")
    assert record == {"status": "failed", "reason": "a class has one video", "label": "linear/x"}
    assert cell.predictions("e1") is None
    cell.clear_evaluation("e1")
    assert cell.evaluations() == {}


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("evaluations/e1.json", b""),
        ("evaluations/e1.json", b'{"status": "done", "met'),
        ("evaluations/e1.json", b'{"metrics": {}}'),
        ("evaluations/e1.json", b'{"status": "done"}'),
        ("evaluations/e1.parquet", b""),
        ("evaluations/e1.parquet", b"PAR1"),
    ],
)
def test_a_part_of_an_evaluation_is_none(cell: CellFolder, path: str, data: bytes) -> None:
    cell.save_evaluation("e1", RECORD, PREDICTIONS)
    cell.save_evaluation("e2", RECORD, PREDICTIONS)
    cell.place.write(path, data)
    assert cell.evaluation("e1") is None
    assert cell.predictions("e1") is None
    assert list(cell.evaluations()) == ["e2"], "the others are untouched"


def test_predictions_without_record_are_none(cell: CellFolder) -> None:
    cell.save_evaluation("e1", RECORD, PREDICTIONS)
    cell.place.delete("evaluations/e1.json")
    assert cell.evaluation("e1") is None
    assert cell.evaluations() == {}


def test_what_the_store_writes_itself_is_refused(cell: CellFolder) -> None:
    with pytest.raises(ValueError, match="status"):
        cell.save_evaluation("e1", {"status": "fine"}, PREDICTIONS)
