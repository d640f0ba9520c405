"""Batch-norm groups and chunks that do not fit the batch are refused when a cell is loaded."""

from __future__ import annotations

from typing import Any

import pytest

from raysl.config.identity import cell_id
from raysl.errors import ConfigError
from tests.cells import tiny_cell


def cell(group: int | str = "batch", **training: Any) -> Any:
    return tiny_cell({"batch_norm_group": group, "training": {"steps": 4, "batch_size": 12, **training}})


def test_a_group_divides_the_batch() -> None:
    with pytest.raises(ConfigError, match=r"batch_norm_group 5 does not divide training\.batch_size 12"):
        cell(5)
    assert cell(4, workers=2).batch_norm_group == 4  # of two workers' videos


def test_a_chunk_divides_the_share() -> None:
    with pytest.raises(ConfigError, match=r"training\.chunk 4 does not divide the 6 videos of a worker"):
        cell(2, chunk=4, workers=2)


@pytest.mark.parametrize("group", ["batch", 4, 12])
def test_a_chunk_needs_groups_that_divide_it(group: int | str) -> None:
    with pytest.raises(
        ConfigError, match=rf"training\.chunk 6 needs a batch_norm_group .* \(batch_norm_group is {group}\)"
    ):
        cell(group, chunk=6)


@pytest.mark.parametrize(("chunk", "in_use"), [(None, None), (3, 3), (6, None), (12, None)])
def test_a_chunk_of_a_share_or_more_is_no_chunk(chunk: int | None, in_use: int | None) -> None:
    assert cell(3, chunk=chunk, workers=2).training.chunk_in_use == in_use


@pytest.mark.parametrize("group", ["batch", 4])
def test_views_apart_are_part_of_the_result_and_views_together_are_the_default(group: int | str) -> None:
    together, apart = ({"batch_norm_group": group, "batch_norm_per_view": on} for on in (False, True))
    assert cell_id(tiny_cell(together)) == cell_id(tiny_cell({"batch_norm_group": group}))
    assert cell_id(tiny_cell(apart)) != cell_id(tiny_cell(together))


def test_a_chunk_needs_groups_with_views_apart_too() -> None:
    apart = {"batch_norm_per_view": True, "training": {"steps": 4, "batch_size": 12, "chunk": 6}}
    with pytest.raises(ConfigError, match=r"training\.chunk 6 needs a batch_norm_group"):
        tiny_cell(apart)
    assert tiny_cell({**apart, "batch_norm_group": 3}).training.chunk_in_use == 6


@pytest.mark.parametrize("given", ["yes", 1, 0.5])
def test_views_apart_is_a_switch(given: object) -> None:
    with pytest.raises(ConfigError, match=r"batch_norm_per_view: .*valid boolean"):
        tiny_cell({"batch_norm_per_view": given})


def test_groups_are_part_of_the_result_and_chunks_are_not() -> None:
    assert cell_id(cell(3)) != cell_id(cell())
    assert cell_id(cell(3, chunk=3)) == cell_id(cell(3))


def test_a_batch_of_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training\.batch_size.*greater than or equal to 2"):
        tiny_cell({"training": {"steps": 4, "batch_size": 1}})
