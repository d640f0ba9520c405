"""What the page says of single cells."""

from __future__ import annotations

from typing import Any, cast

import pytest

from raysl.reports.page.cells import _warnings
from raysl.results import StoredCell


class Found:
    elsewhere = ""


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ({"data_wait_share": 0.43, "minutes": 3.0}, ["43% of the training time was spent waiting for clips"]),
        ({"data_wait_share": 0.43, "minutes": 0.2}, []),
        ({"data_wait_share": 0.1, "minutes": 3.0}, []),
        ({"data_wait_share": None, "minutes": 3.0}, []),
        ({"minutes": 3.0}, []),
    ],
)
def test_a_long_training_that_waited_much_says_so(summary: dict[str, Any], expected: list[str]) -> None:
    assert _warnings(summary, {}, cast(StoredCell, Found())) == expected
