"""What evaluations are said to compute, against what passes the network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.evaluation.against_data import LabelledSplits
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.workload import workload
from raysl.objectives.build import build_objective
from tests.cells import TINY_BACKBONE, tiny_cell, tiny_evaluation


@pytest.mark.parametrize(
    ("protocol", "options"),
    [
        ("linear", {"clips": 3}),
        ("retrieval", {"clips": 2}),
        ("similarity", {"clips": 2, "videos": 5, "buffers": [0.0, 0.5]}),
        ("attention", {"clips": 2}),
        ("class_activation", {"clips": 2}),
        ("geometry", {"clips": 2}),
        ("classifier", {"clips": 2, "clip": {"frames": 2}}),
    ],
)
def test_as_many_clips_pass_the_network_as_are_counted(
    protocol: str, options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    trained = "supervised" if protocol == "classifier" else "self_supervised"
    cell = tiny_cell({"backbone": TINY_BACKBONE, "pretraining": trained})
    evaluation = tiny_evaluation(protocol, **options)
    places = Places({}, tmp_path_factory.getbasetemp() / "workload", cache_gigabytes=0.1)
    source = open_source(evaluation.data, places, resize=cell.clip.resize)
    passed = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal passed
        assert not module.training
        passed += len(inputs[0])

    network = build_objective(cell, range(16), 1, classes=4)
    network.backbone.register_forward_hook(count)
    evaluate(
        network.backbone,
        {protocol: evaluation},
        cell.clip,
        lambda _: source,
        seed=0,
        device=torch.device("cpu"),
        cell=cell,
        network=lambda: (network, source.catalog.classes),
    )
    found = workload(evaluation, cell, LabelledSplits.of(source.snapshot))
    assert found is not None
    assert passed == found.videos * found.clips
    assert found.fits == (protocol in ("linear", "retrieval", "geometry"))
