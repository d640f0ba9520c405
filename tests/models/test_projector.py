"""The projector: parameter counts of the published heads, depth and batch norm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from raysl.config.objective_sections import ProjectorOptions
from raysl.models.projector import Projector


@pytest.mark.parametrize(
    ("input_dim", "options", "expected"),
    [
        (2048, ProjectorOptions(hidden_layers=3, hidden_dim=2048, batch_norm="hidden"), 12_863_616),
        (512, ProjectorOptions(hidden_layers=1, hidden_dim=512, batch_norm="all"), 329_472),
        (512, ProjectorOptions(hidden_layers=0, batch_norm="none"), 512 * 128 + 128),
    ],
    ids=["CVRL", "TCLR", "linear"],
)
def test_parameter_counts_of_published_heads(input_dim: int, options: ProjectorOptions, expected: int) -> None:
    projector = Projector(input_dim, options)
    assert sum(parameter.numel() for parameter in projector.parameters()) == expected
    assert projector(torch.randn(4, input_dim)).shape == (4, 128)


def test_hidden_dim_follows_the_feature_unless_given() -> None:
    def widths(options: ProjectorOptions) -> list[int]:
        return [layer.out_features for layer in Projector(96, options).modules() if isinstance(layer, nn.Linear)]

    assert widths(ProjectorOptions()) == [96, 128]
    assert widths(ProjectorOptions(hidden_layers=2, hidden_dim=40, output_dim=16)) == [40, 40, 16]


@pytest.mark.parametrize(("batch_norm", "norms"), [("none", 0), ("hidden", 2), ("all", 3)])
def test_where_batch_norm_stands(batch_norm: Any, norms: int) -> None:
    projector = Projector(8, ProjectorOptions(hidden_layers=2, batch_norm=batch_norm))
    assert sum(isinstance(layer, nn.BatchNorm1d) for layer in projector.modules()) == norms
    assert not isinstance(projector.layers[-1], nn.ReLU)


def test_batch_norm_without_scale_and_linear_layers_without_the_bias_it_cancels() -> None:
    plain = ProjectorOptions(hidden_layers=2, hidden_dim=5, output_dim=3, batch_norm="all")
    given: dict[str, Any] = {"hidden_layers": 2, "hidden_dim": 5, "output_dim": 3}
    bare = Projector(4, ProjectorOptions(**given, batch_norm="all", last_affine=False, bias_before_norm=False))
    full = sum(parameter.numel() for parameter in Projector(4, plain).parameters())
    assert full - sum(parameter.numel() for parameter in bare.parameters()) == 2 * 3 + 2 * 5
    without_norm = Projector(4, ProjectorOptions(**given, batch_norm="none", bias_before_norm=False))
    assert all(layer.bias is not None for layer in without_norm.modules() if isinstance(layer, nn.Linear))
