from __future__ import annotations

import pytest

from raysl.errors import DataError
from raysl.evaluation.agreement import on_every_rank, on_first_rank


def raise_data_error() -> None:
    raise DataError("gone")


def test_without_a_group() -> None:
    """With two ranks: `tests/evaluation/test_ranks.py`."""
    assert on_every_rank(lambda: None) is None
    assert on_first_rank(lambda: 3) == 3
    for run in (on_every_rank, on_first_rank):
        with pytest.raises(DataError, match="gone"):
            run(raise_data_error)
