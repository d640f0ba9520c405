"""Reading a cell: `framework: none` is no contrastive term."""

from __future__ import annotations

from typing import Any

import pytest

from raysl.config.identity import cell_id, resolved
from raysl.config.load import cell_from
from raysl.errors import ConfigError
from tests.cells import tiny_cell


def random_row(contrastive: Any) -> Any:
    return tiny_cell({"pretraining": "none", "objective.contrastive": contrastive})


@pytest.mark.parametrize("none", [{"framework": "none"}, "none"], ids=str)
def test_the_framework_none_is_null(none: Any) -> None:
    cell, null = random_row(none), random_row(None)
    assert cell == null
    assert cell.objective.contrastive is None
    assert cell_id(cell) == cell_id(null)
    assert resolved(cell)["objective"]["contrastive"] is None
    assert cell_from(resolved(cell), "cell") == cell


def test_an_axis_over_frameworks_may_hold_none() -> None:
    cells = [tiny_cell({"pretraining": "none", "objective.contrastive.framework": name}) for name in ("simclr", "none")]
    assert cells[0].objective.contrastive is not None
    assert cells[1].objective.contrastive is None


def test_options_of_no_framework_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"objective\.contrastive\.temperature: .* framework is none"):
        random_row({"framework": "none", "temperature": 0.1})


def test_nothing_to_learn_is_refused_as_with_null() -> None:
    for contrastive in ({"framework": "none"}, None):
        with pytest.raises(ConfigError, match="has no term"):
            tiny_cell({"objective.contrastive": contrastive})
