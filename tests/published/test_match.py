"""A study's rows and columns in a published table."""

from __future__ import annotations

from typing import Any

import pytest

from raysl.errors import ConfigError
from raysl.published import match, published_table

COLUMNS = {"linear/k:top1": "top1"}


def test_a_row_is_found_by_its_values_and_true_is_not_one() -> None:
    found = match(
        published_table("cvrl_t9"),
        {
            "both": {"temporal_augmentation": True, "spatial_augmentation": True, "temporal_consistency": True},
            "time": {"temporal_augmentation": True, "spatial_augmentation": False},
        },
        COLUMNS,
        [["both", "time"]],
    )
    assert found.rows == {"both": 3, "time": 0}
    assert found.unscored == {frozenset(("both", "time"))}
    with pytest.raises(ConfigError, match=r"no row .* temporal_augmentation 1"):
        match(published_table("cvrl_t9"), {"a": {"temporal_augmentation": 1}}, COLUMNS)


def test_null_is_a_value() -> None:
    given = {"memory_size": None, "temporal_memory": False}
    assert match(published_table("sstl_t5"), {"none": given}, {"f": "UCF101"}).rows == {"none": 0}


def test_a_figure_with_rows() -> None:
    assert match(published_table("cvrl_f3"), {"uniform": {"family": "uniform"}}, COLUMNS).rows == {"uniform": 3}


BAD: dict[str, tuple[str, dict[str, Any], dict[str, str], list[list[str]], str]] = {
    "no such row": ("cvrl_t6", {"a": {"hidden_layers": 7}}, COLUMNS, [], r"row 'a'.*it has hidden_layers: 0, 1, 2, 3"),
    "several rows": ("cvrl_t9", {"a": {"temporal_augmentation": True}}, COLUMNS, [], r"3 rows of cvrl_t9.*give more"),
    "no such column": ("cvrl_t6", {"a": {"hidden_layer": 1}}, COLUMNS, [], r"did you mean 'hidden_layers'"),
    "no such result": ("cvrl_t6", {}, {"linear/k:top1": "top2"}, [], r"no column 'top2' \(did you mean 'top"),
    "found by a result": ("cvrl_t6", {"a": {"top5": 79.1}}, COLUMNS, [], r"'top5' .*not left of its results"),
    "found by nothing": ("cvrl_t6", {"a": {}}, COLUMNS, [], r"by its columns hidden_layers"),
    "a result in words": ("cvrl_t2", {"a": {"method": "VINCE"}}, {"x": "pretrain"}, [], r"'K400', which is no number"),
    "a pair of one": ("cvrl_t6", {"a": {"hidden_layers": 1}}, COLUMNS, [["a", "a"]], r"not two of the rows"),
    "a pair of strangers": ("cvrl_t6", {"a": {"hidden_layers": 1}}, COLUMNS, [["a", "b"]], r"not two of the rows"),
    "nothing recovered": ("taco_f4", {"a": {"x": 1}}, {}, [], r"no recovered columns"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_one_error(case: str) -> None:
    table, rows, columns, unscored, message = BAD[case]
    with pytest.raises(ConfigError, match=message):
        match(published_table(table), rows, columns, unscored)
