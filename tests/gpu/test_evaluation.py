"""Features and protocols on the device give the CPU's results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from raysl.data.places import Places
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.features import extract_features
from tests.evaluation.tiny import CLIP, CPU, backbone, evaluation, open_tiny


def test_features_are_those_of_the_cpu(device: torch.device, places: Places) -> None:
    found, expected = (
        extract_features(backbone().to(where), open_tiny(places), "test", CLIP, 2, device=where, batch_clips=4)
        for where in (device, CPU)
    )
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-3, atol=1e-5)
    assert found.path == expected.path


@pytest.mark.parametrize("protocol", ["linear", "retrieval", "similarity"])
def test_protocols_give_what_they_give_on_the_cpu(device: torch.device, protocol: str, places: Places) -> None:
    config = evaluation(protocol, protocol, clips=2)
    found, expected = (_metrics(config, places, where) for where in (device, CPU))
    assert found.keys() == expected.keys()
    # One of nine test videos may change sides where two classes are as near.
    slack = 100 / 9 + 1e-6 if protocol != "similarity" else 1e-3
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=slack)


def _metrics(config: Any, places: Places, where: torch.device) -> dict[str, float]:
    network = backbone().to(where)
    results = evaluate(network, {"it": config}, CLIP, lambda _: open_tiny(places), seed=0, device=where, batch_clips=4)
    return dict(results["it"].metrics)
