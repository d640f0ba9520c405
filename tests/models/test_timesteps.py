"""What a backbone says of its timesteps is what its network leaves."""

from __future__ import annotations

from typing import Any

import pytest

from raysl.config.component import find, names
from raysl.errors import ConfigError
from raysl.models.shape import feature_shape
from raysl.testing.backbone import shapes

VARIED: dict[str, list[Any]] = {"last_stage_time": ["halved", "kept"], "max_pool": [False, True], "slow": [False, True]}
"""Options that time depends on."""


def variants(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{}]
    for key in VARIED.keys() & find("backbone", name).options.model_fields.keys():
        found = [{**one, key: value} for one in found for value in VARIED[key]]
    return found


@pytest.mark.parametrize("name", names("backbone"))
def test_timesteps_are_those_of_the_network(name: str) -> None:
    component = find("backbone", name)
    assert component.timesteps is not None, f"{name} must say them, or a study with it imports PyTorch to be planned"
    for options in variants(name):
        network, chosen = shapes(name, **options), component.options.model_validate(options)
        for frames in (5, 8, 11, 16):
            try:
                left = feature_shape(network, frames, 32)[1]
            except ConfigError:  # too small for its pools
                continue
            assert component.timesteps(chosen, frames) == left, (options, frames)
