"""The contract of every backbone, found by name: a new one inherits these tests. Then what single ones promise."""

from __future__ import annotations

import itertools
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
import torch
import yaml
from pydantic import ValidationError
from torch import nn
from torchvision.models.video import mc3_18, r2plus1d_18, r3d_18, s3d

from raysl.config.component import find, names
from raysl.config.identity import cell_id
from raysl.config.objective_sections import ProjectorOptions
from raysl.errors import ConfigError
from raysl.models.backbone import pool
from raysl.models.backbone_options import stem_channels
from raysl.models.backbones.cvrl_r3d_network import draw_variance_scaling
from raysl.models.gated_inception import SelfGating
from raysl.models.projector import Projector
from raysl.testing import BackboneContract
from raysl.testing.backbone import build, clips, count, shapes
from tests.cells import tiny_cell

ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "cvrl_r3d50": ("cvrl_r3d", {}),
    "cvrl_r3d101": ("cvrl_r3d", {"depth": 101}),
    "cvrl_r3d50_2x": ("cvrl_r3d", {"width": 2.0}),
    "cvrl_r3d50_4x": ("cvrl_r3d", {"width": 4.0}),
    "slow_r50": ("slow_r50", {}),
    "slow_r18_basic": ("slow_r18", {}),
    "slow_r18_basic_both_convs": ("slow_r18", {"temporal_convs": "both"}),
    "slow_r18_bottleneck_2222": ("slow_r18", {"block": "bottleneck"}),
    "torchvision_r3d_18": ("r3d_18", {}),
    "tclr_r3d_18": ("r3d_18", {"last_stage_time": "kept"}),
    "torchvision_r2plus1d_18": ("r2plus1d_18", {}),
    "vcop_r3d_1111": ("vcop_r3d", {}),
    "vcop_r2plus1d_1111": ("vcop_r2plus1d", {}),
    "c3d_bn": ("c3d", {}),
    "s3d": ("s3d", {}),
    "s3d_g": ("s3d_g", {}),
    "hara_r3d18": ("hara_r3d_18", {}),
}
"""Published architecture to backbone and options."""
TRAINED = [name for name in names("backbone") if "width" in find("backbone", name).options.model_fields]
"""Backbones with weights."""
UNPUBLISHED = {"mc3_18": 11_490_240, "shallow_c3d": 4_651_968}
"""Parameters of what is in no paper's table; `mc3_18` is held to torchvision's."""
FACTORISED = ("r2plus1d_18", "vcop_r2plus1d")
"""Channels within a factorised convolution are rounded down."""
DEEP_POOLED = ("hara_r3d_18", "s3d", "s3d_g")
"""One place is left of 8x32x32: batch norm would see a value a video."""
SMALLEST: dict[str, tuple[tuple[dict[str, Any], tuple[int, int, int]], ...]] = {
    "c3d": (({"last_stage_time": "halved"}, (8, 16, 16)), ({"last_stage_time": "kept"}, (4, 16, 16))),
    "s3d": (({"slow": False}, (5, 17, 17)), ({"slow": True}, (3, 17, 17))),
    "s3d_g": (({"slow": False}, (5, 17, 17)),),
}
"""The clips that a backbone with unpadded pools needs."""


@cache
def published() -> dict[str, dict[str, Any]]:
    tables = yaml.safe_load(files("raysl.published").joinpath("tables.yaml").read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in tables["architectures"]}


class TestBackbones(BackboneContract):
    @pytest.fixture(autouse=True, params=TRAINED)
    def one(self, request: pytest.FixtureRequest) -> None:
        self.component = request.param
        self.rounded = self.component in FACTORISED
        self.smallest = SMALLEST.get(self.component, ())
        if self.component in DEEP_POOLED:
            self.clip = (8, 64)
        if self.component in ("s3d", "s3d_g"):
            self.changes = {"clip": {"frames": 8, "stride": 1, "size": 32}}

    def test_its_parameters_are_held_to_a_count(self) -> None:
        if self.component not in {backbone for backbone, _ in ARCHITECTURES.values()}:
            assert count(shapes(self.component)) == UNPUBLISHED[self.component]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameter_counts_of_published_architectures(architecture: str) -> None:
    name, options = ARCHITECTURES[architecture]
    backbone, entry = shapes(name, **options), published()[architecture]
    assert count(backbone) == entry["exact_trainable"]
    if "exact_with_bn_stats" in entry:
        moving = [value for key, value in backbone.named_buffers() if key.endswith(("running_mean", "running_var"))]
        assert count(backbone) + sum(value.numel() for value in moving) == entry["exact_with_bn_stats"]


def test_every_published_architecture_can_be_built() -> None:
    """TCLR's 13.5 M in its Table 15 match no architecture in its code, and the table says so."""
    buildable = {key for key, entry in published().items() if "exact_trainable" in entry}
    assert buildable == {*ARCHITECTURES, "cvrl_head_3x2048_128"}


def test_parameter_count_of_cvrls_head() -> None:
    head = Projector(2048, ProjectorOptions(hidden_layers=3, hidden_dim=2048, output_dim=128))
    assert count(head) == published()["cvrl_head_3x2048_128"]["exact_trainable"]


@pytest.mark.parametrize(
    ("name", "options", "clip", "expected"),
    [
        ("r3d_18", {}, (16, 112), (512, 2, 7)),
        ("r3d_18", {"last_stage_time": "kept"}, (16, 112), (512, 4, 7)),
        ("r3d_18", {"max_pool": True}, (16, 112), (512, 1, 4)),
        ("r3d_18", {"max_pool": True, "last_stage_time": "kept"}, (16, 112), (512, 2, 4)),
        ("r2plus1d_18", {}, (16, 112), (512, 2, 7)),
        ("r2plus1d_18", {"last_stage_time": "kept"}, (16, 112), (512, 4, 7)),
        ("mc3_18", {}, (16, 112), (512, 16, 7)),
        ("shallow_c3d", {}, (8, 24), (512, 2, 2)),
        ("shallow_c3d", {}, (16, 112), (512, 4, 7)),
        ("vcop_r3d", {}, (16, 112), (512, 2, 7)),
        ("vcop_r3d", {"last_stage_time": "kept"}, (16, 112), (512, 4, 7)),
        ("vcop_r2plus1d", {}, (16, 112), (512, 2, 7)),
        ("vcop_r2plus1d", {"last_stage_time": "kept"}, (16, 112), (512, 4, 7)),
        ("c3d", {}, (16, 112), (512, 2, 7)),
        ("c3d", {"last_stage_time": "kept"}, (16, 112), (512, 4, 7)),
        ("hara_r3d_18", {}, (16, 112), (512, 1, 4)),
        ("s3d", {}, (16, 224), (1024, 2, 7)),
        ("s3d", {"slow": True}, (16, 224), (1024, 4, 7)),
        ("s3d_g", {}, (16, 112), (1024, 2, 3)),
        ("cvrl_r3d", {}, (16, 224), (2048, 8, 7)),
        ("cvrl_r3d", {}, (32, 256), (2048, 16, 8)),
        ("slow_r50", {}, (8, 224), (2048, 8, 7)),
        ("slow_r18", {}, (8, 224), (512, 8, 7)),
        ("slow_r18", {"block": "bottleneck"}, (8, 224), (2048, 8, 7)),
    ],
)
def test_feature_map_shapes(
    name: str, options: dict[str, Any], clip: tuple[int, int], expected: tuple[int, int, int]
) -> None:
    features = shapes(name, **options)(torch.empty(1, 3, clip[0], clip[1], clip[1], device="meta"))
    assert tuple(features.shape) == (1, *expected, expected[-1])


def test_shapes_within_r3d_18() -> None:
    backbone: Any = shapes("r3d_18")
    features, sizes = torch.empty(1, 3, 16, 112, 112, device="meta"), []
    for stage in (backbone.stem, backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4):
        features = stage(features)
        sizes.append(tuple(features.shape[1:4]))
    assert sizes == [(64, 16, 56), (64, 16, 56), (128, 8, 28), (256, 4, 14), (512, 2, 7)]


@pytest.mark.parametrize("last_stage_time", ["halved", "kept"])
def test_a_max_pool_of_r3d_18_follows_the_stem_and_changes_nothing_else(last_stage_time: str) -> None:
    options: dict[str, Any] = {"width": 1 / 16, "last_stage_time": last_stage_time}
    without: Any
    without, pooled = (build("r3d_18", **options, max_pool=on).eval() for on in (False, True))
    assert pooled.state_dict().keys() == without.state_dict().keys()
    for key, value in without.state_dict().items():
        assert torch.equal(value, pooled.state_dict()[key]), key
    stem = nn.functional.max_pool3d(without.stem(clips()), kernel_size=3, stride=2, padding=1)
    assert stem.shape[2:] == (4, 8, 8)
    expected = without.layer4(without.layer3(without.layer2(without.layer1(stem))))
    assert torch.equal(pooled(clips()), expected)


def test_a_max_pool_of_r3d_18_has_a_default() -> None:
    cells = [tiny_cell({"backbone.max_pool": on}) for on in (False, True)]
    assert cell_id(cells[0]) == cell_id(tiny_cell()) != cell_id(cells[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_18", "mc3_18"])
def test_resnets_are_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    theirs = {"r3d_18": r3d_18, "r2plus1d_18": r2plus1d_18, "mc3_18": mc3_18}[name]().eval()
    weights = {key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")}
    ours = build(name, seed=9).eval()
    for key, value in ours.named_parameters():
        if value.ndim == 5 and value.numel() > 5000:  # as widely spread as torchvision's draw
            assert value.std().item() == pytest.approx(weights[key].std().item(), rel=0.1), key
    ours.load_state_dict(weights)
    theirs.fc = nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(pool(ours(clips())), theirs(clips()), rtol=1e-5, atol=1e-6)


def test_s3d_is_torchvisions() -> None:
    torch.manual_seed(0)
    theirs = s3d().eval()
    ours: Any = build("s3d", seed=9).eval()
    ours.features.load_state_dict(theirs.features.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(clips()), theirs.features(clips()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "dilated", "stride_one"),
    [
        ("r3d_18", "layer4.0.conv1.0", {"layer4.0.conv1.0", "layer4.0.downsample.0"}),
        ("r2plus1d_18", "layer4.0.conv1.0.3", {"layer4.0.conv1.0.3", "layer4.0.downsample.0"}),
        ("vcop_r2plus1d", "layer4.0.conv1.0.3", {"layer4.0.conv1.0.3", "layer4.0.downsample.0.3"}),
    ],
)
def test_keeping_time_changes_the_first_block_of_the_last_stage_alone(
    name: str, dilated: str, stride_one: set[str]
) -> None:
    halved, kept = (dict(shapes(name, last_stage_time=time).named_modules()) for time in ("halved", "kept"))
    convolutions = [key for key, module in kept.items() if isinstance(module, nn.Conv3d)]
    assert [key for key in convolutions if kept[key].dilation != (1, 1, 1)] == [dilated]
    assert {key for key in convolutions if kept[key].stride != halved[key].stride} == stride_one
    assert all(kept[key].stride[0] == 1 for key in stride_one)
    assert kept[dilated].dilation[0] == kept[dilated].padding[0] == 2


def test_a_dilated_last_stage_sees_what_the_strided_one_saw_at_its_steps() -> None:
    halved: Any
    kept: Any
    halved, kept = (build("vcop_r3d", width=1 / 16, last_stage_time=time).eval() for time in ("halved", "kept"))
    earlier = torch.randn(1, 16, 4, 6, 6)
    first, again = halved.layer4[0].conv1[0], kept.layer4[0].conv1[0]
    # At even steps the dilated kernel sees t - 2, t, t + 2 where the strided one saw t - 1, t, t + 1.
    spread = torch.zeros(1, 16, 8, 6, 6)
    spread[:, :, ::2] = earlier
    assert torch.equal(first.weight, again.weight)
    unstrided = nn.functional.conv3d(earlier, first.weight, stride=(1, 2, 2), padding=1)
    torch.testing.assert_close(again(spread)[:, :, ::2], unstrided)


def test_temporal_kernels_of_slow_r18() -> None:
    def spans(**options: Any) -> list[list[int]]:
        backbone: Any = shapes("slow_r18", **options)
        stages = [list(stage.modules()) for stage in backbone.network.blocks[1:]]
        kernels = [[module.kernel_size for module in stage if isinstance(module, nn.Conv3d)] for stage in stages]
        return [[time for time, height, _ in stage if height > 1] for stage in kernels]

    assert spans() == [[1, 1, 1, 1], [1, 1, 1, 1], [3, 1, 3, 1], [3, 1, 3, 1]]
    assert spans(temporal_convs="both") == [[1] * 4, [1] * 4, [3] * 4, [3] * 4]
    with pytest.raises(ValidationError, match="temporal_convs: both"):
        build("slow_r18", block="bottleneck", temporal_convs="both")


def test_self_gating_scales_channels_by_what_all_channels_say() -> None:
    gate, features = SelfGating(3), torch.rand(2, 3, 2, 4, 4)
    weight, bias = gate.linear.weight, gate.linear.bias
    gated = gate(features)
    for video, channel in itertools.product(range(2), range(3)):
        said = sum(weight[channel, other] * features[video, other].mean() for other in range(3)) + bias[channel]
        expected = features[video, channel] / (1 + torch.exp(-said))
        torch.testing.assert_close(gated[video, channel], expected)


def test_first_weights_are_those_of_the_source() -> None:
    kernel = torch.empty(64, 32, 3, 3, 3)
    draw_variance_scaling(kernel)
    assert kernel.std().item() == pytest.approx((1 / (32 * 27)) ** 0.5, rel=0.02)
    assert kernel.abs().max() <= 2 * (1 / (32 * 27)) ** 0.5 / 0.8796
    component: Any = find("backbone", "cvrl_r3d")
    cvrl = component.build(component.options(width=1 / 16))
    assert all(bool((m.weight == 1).all()) for m in cvrl.modules() if isinstance(m, nn.BatchNorm3d))
    gated: Any = build("s3d_g", width=1 / 8)
    assert gated.features[3][0][0].weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_batch_norm_momentum_of_s3d() -> None:
    norms = [m for m in shapes("s3d", batch_norm_momentum=0.001).modules() if isinstance(m, nn.BatchNorm3d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.001, 0.001)}


@pytest.mark.parametrize("name", ["c3d", "s3d", "s3d_g"])
def test_a_clip_too_small_is_refused_when_the_cell_is_loaded(name: str) -> None:
    with pytest.raises(ConfigError, match=r"clip\.frames"):
        tiny_cell({"backbone": {"name": name}, "clip.frames": 2})
    tiny_cell({"backbone": {"name": name}, "clip.frames": 8})


def test_stem_channels_refuses_a_broken_channel() -> None:
    assert stem_channels(0.125) == 8
    with pytest.raises(ValueError, match="multiple of 1/64"):
        stem_channels(0.33)
