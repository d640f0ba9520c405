"""Terms of the objective in a configuration: by their field, by name in a mapping, and what they share."""

from __future__ import annotations

from typing import Any

import pytest

from raysl.config.cell import CellConfig, chosen_terms
from raysl.config.identity import cell_id, identity, resolved
from raysl.config.load import advice, cell_from
from raysl.errors import ConfigError
from tests.cells import tiny_cell

WINDOWS: dict[str, Any] = {
    "sampling.windows": {"name": "global_local", "local_clips": 2, "skips": [2]},
    "clip": {"frames": 8, "stride": 1},
    "backbone": {"name": "r3d_18", "width": 0.0625, "last_stage_time": "kept"},
    "objective.projector": {"output_dim": 16},
}
RATES: dict[str, Any] = {"augment.temporal": {"buffer_frames": 4, "max_rate": 1.5}}


def windowed(change: dict[str, Any]) -> CellConfig:
    return tiny_cell(WINDOWS | change)


def test_a_term_stands_without_a_name_and_null_switches_it_off() -> None:
    off, on = windowed({"objective.local_local": None}), windowed({"objective.local_local": {}})
    assert list(chosen_terms(on.objective)) == ["contrastive", "local_local"]
    assert list(chosen_terms(off.objective)) == ["contrastive"]
    assert cell_id(off) == cell_id(windowed({}))
    assert (("objective", "local_local", "@component"), 1) in identity(on)


def test_terms_stand_in_the_order_of_their_fields_then_the_tasks_by_name() -> None:
    cell = windowed(
        RATES
        | {
            "objective.pretext": {"playback_regression": {}},
            "objective.memory": {},
            "objective.clip_to_video": {},
            "objective.global_local": {},
        }
    )
    assert list(chosen_terms(cell.objective)) == [
        "contrastive",
        "global_local",
        "clip_to_video",
        "playback_regression",
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"objective.local_local": {"temperature": 0.5}},
        {"objective.pretext": {"playback_regression": {"weight": 0.5}}} | RATES,
        {"objective.memory": {"cells": 3}, "objective.clip_to_video": {}},
        {"objective.contrastive": {"framework": "simclr", "projector": "shared"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_resolved_cell_is_read_back_as_it_was(change: dict[str, Any]) -> None:
    cell = windowed(change)
    again = cell_from(resolved(cell), "again")
    assert again == cell
    assert cell_id(again) == cell_id(cell) != cell_id(windowed({}))


def test_every_option_of_a_task_is_of_the_id() -> None:
    ids = {
        cell_id(windowed(RATES | {"objective.pretext": {"playback_regression": options}}))
        for options in ({}, {"weight": 0.5}, {"hidden_dim": 8})
    }
    assert len(ids) == 3


def test_a_null_task_is_no_task() -> None:
    assert cell_id(windowed({"objective.pretext": {"playback_regression": None}})) == cell_id(windowed({}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective.pretext": {"playback_regresion": {}}}, r"unknown pretext task 'playback_regresion'.*regression"),
        ({"objective.pretext": {"playback_regression": 3}}, r"playback_regression: a mapping of options is expected"),
        ({"objective.pretext": ["playback_regression"]}, r"a mapping from the name of a pretext task"),
        ({"objective.local_local": "on"}, r"objective\.local_local: a mapping of options is expected"),
        ({"objective.local_local": {"temprature": 1.0}}, r"temprature: unknown key.*temperature"),
        ({"objective.local_local": {"temperature": 0}}, r"objective\.local_local\.temperature: .*greater than 0"),
        ({"objective.memory": {"cells": 0}}, r"objective\.memory\.cells: .*greater than or equal to 1"),
        ({"objective.contrastive": {"framework": "simclr", "projector": "own"}}, r"projector"),
    ],
)
def test_what_does_not_fit_is_refused_by_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        windowed(change)


def test_one_term_is_enough_whichever_it_is() -> None:
    cell = windowed({"objective.contrastive": None, "objective.local_local": {}, "sampling.pair": None})
    assert list(chosen_terms(cell.objective)) == ["local_local"]
    with pytest.raises(ConfigError, match="has no term"):
        windowed({"objective.contrastive": None})


def test_a_temporal_temperature_below_the_instance_temperature_is_allowed_and_told() -> None:
    assert advice(windowed({"objective.local_local": {"temperature": 0.1}})) == []
    (said,) = advice(windowed({"objective.local_local": {"temperature": 0.01}}))
    assert "objective.global_local) has a temperature below that of objective.contrastive" in said
    assert "40.93 to 51.1" in said
    assert "60.32 to 69.93" in said
    alone = {"objective.local_local": {"temperature": 0.01}, "objective.contrastive": None}
    assert advice(windowed(alone)) == []
