"""Inflation: a clip of one repeated frame looks to the video network as the frame does to the image network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torchvision.models import ResNet, resnet18, resnet50, resnet101

from raysl.config.component import find
from raysl.config.options import Options
from raysl.errors import ConfigError
from raysl.models.inflate import InflatableBackbone, inflate, read_image_weights, start_weights
from raysl.models.inflate_options import weights_file, weights_record

NETWORKS: dict[str, tuple[str, dict[str, Any], Callable[[], ResNet]]] = {
    "slow_r50": ("slow_r50", {}, resnet50),
    "cvrl_r3d": ("cvrl_r3d", {}, resnet50),
    "slow_r18": ("slow_r18", {}, resnet18),
    "slow_r18, both": ("slow_r18", {"temporal_convs": "both"}, resnet18),
    "hara_r3d_18": ("hara_r3d_18", {}, resnet18),
}


def image_network(make: Callable[[], ResNet]) -> ResNet:
    """With statistics of batch norm that are not those of a fresh one."""
    torch.manual_seed(0)
    network = make().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.2, 0.2)
            module.get_buffer("running_mean").uniform_(-0.2, 0.2)
            module.get_buffer("running_var").uniform_(0.5, 1.5)
    return network


def video_network(name: str, **options: Any) -> InflatableBackbone:
    component = find("backbone", name)
    backbone = component.build(component.options(**options)).eval()
    assert isinstance(backbone, InflatableBackbone)
    return backbone


def options_of(name: str, **given: Any) -> Options:
    return find("backbone", name).options(**given)


def feature_maps(network: ResNet, images: Tensor) -> Tensor:
    maps = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    features: Tensor = network.layer4(network.layer3(network.layer2(network.layer1(maps))))
    return features


def pad_by_repeating(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.padding_mode = "replicate"


def still(images: Tensor, frames: int) -> Tensor:
    return images.unsqueeze(2).expand(-1, -1, frames, -1, -1)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return image_network(resnet50).state_dict()


@pytest.mark.slow
@pytest.mark.parametrize("case", NETWORKS)
def test_a_still_clip_gives_the_images_features_at_every_step(case: str, images: Tensor) -> None:
    """Padding repeats the border in both networks, so that the ends of the clip look as still as its middle."""
    name, options, make = NETWORKS[case]
    two, three = image_network(make), video_network(name, **options)
    inflate(three, two.state_dict(), "weights")
    pad_by_repeating(two)
    pad_by_repeating(three)
    with torch.no_grad():
        expected, found = feature_maps(two, images), three(still(images, 4))
    assert expected.std() > 0.01
    torch.testing.assert_close(found, still(expected, found.shape[2]), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_zero_padding_in_time_is_seen_at_the_ends_alone(images: Tensor, weights: dict[str, Tensor]) -> None:
    """Nine blocks span three frames each: ten frames from an end, nothing of it is seen."""
    two, three = image_network(resnet50), video_network("slow_r50")
    inflate(three, weights, "weights")
    with torch.no_grad():
        expected, found = feature_maps(two, images), three(still(images, 20))
    torch.testing.assert_close(found[:, :, 9:11], still(expected, 2), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(found[:, :, 0], expected, rtol=1e-2)


@pytest.mark.slow
def test_a_kernel_is_repeated_and_divided_and_statistics_are_copied(weights: dict[str, Tensor]) -> None:
    three = video_network("cvrl_r3d")
    inflate(three, weights, "weights")
    state = three.state_dict()
    assert torch.equal(state["network.blocks.0.conv.weight"][:, :, 3], weights["conv1.weight"] / 5)
    assert torch.equal(
        state["network.blocks.4.res_blocks.2.branch2.norm_c.running_var"], weights["layer4.2.bn3.running_var"]
    )
    assert torch.equal(
        state["network.blocks.2.res_blocks.0.branch1_conv.weight"][:, :, 0], weights["layer2.0.downsample.0.weight"]
    )


def test_depth_101_takes_resnet_101() -> None:
    """Of the other depth it would lack blocks or have some too many, which is refused."""
    with torch.device("meta"):
        three, weights = video_network("cvrl_r3d", depth=101), resnet101().state_dict()
        inflate(three, weights, "weights")
        with pytest.raises(ConfigError, match="weights"):
            inflate(video_network("cvrl_r3d", depth=50), weights, "weights")
    blocks = {key.split(".")[4] for key in three.state_dict() if key.startswith("network.blocks.3.res_blocks.")}
    assert len(blocks) == len({key.split(".")[1] for key in weights if key.startswith("layer3.")}) == 23


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3},
        lambda state: {"model": {f"backbone.{key}": value for key, value in state.items()}},
        lambda state: {
            "arch": "resnet50",
            "state_dict": {
                **{f"module.encoder_k.{key}": value + 1 for key, value in state.items()},
                **{f"module.encoder_q.{key}": value for key, value in state.items()},
                "module.encoder_q.fc.0.weight": torch.zeros(2, 2),
                "module.queue": torch.zeros(2, 2),
            },
        },
    ],
    ids=["plain", "DataParallel", "model/backbone", "MoCo"],
)
def test_nesting_and_prefixes_of_a_file_are_understood(tmp_path: Path, wrap: Callable[[Any], Any]) -> None:
    state = {"conv1.weight": torch.ones(2, 3, 7, 7), "layer1.0.conv1.weight": torch.ones(2, 2, 1, 1)}
    torch.save(wrap(state), tmp_path / "weights.pt")
    read = read_image_weights("imagenet", tmp_path / "weights.pt")
    assert {key: read[key].tolist() for key in state} == {key: value.tolist() for key, value in state.items()}


@pytest.mark.parametrize(
    ("make", "name", "options", "message"),
    [
        (resnet50, "cvrl_r3d", {"depth": 101}, r"imagenet: .*no ResNet-101 .*has no layer3\.6\."),
        (resnet101, "slow_r50", {}, r"imagenet: .*no ResNet-50 .*has layer3\.10\."),
        (resnet18, "slow_r50", {}, r"no ResNet-50 .*has no layer1\.0\.downsample\.0\.weight"),
        (resnet50, "slow_r50", {"width": 0.5}, r"conv1\.weight is \[64, 3, 7, 7\] there and \[32, 3, 7, 7\] here"),
        (resnet18, "slow_r18", {"block": "bottleneck"}, r"two bottlenecks a stage"),
    ],
    ids=["shallower", "deeper", "basic blocks", "wider", "not bottlenecks"],
)
def test_another_network_is_refused_with_the_first_difference(
    make: Callable[[], ResNet], name: str, options: dict[str, Any], message: str
) -> None:
    with torch.device("meta"), pytest.raises(ConfigError, match=message):
        inflate(video_network(name, **options), make().state_dict(), "imagenet")


class TestFile:
    """What is said of a file that cannot be used names the name it is bound to, and not where it lies."""

    def test_options_want_both_or_neither(self) -> None:
        with pytest.raises(ValidationError, match="--root NAME=FILE"):
            options_of("slow_r50", init="inflate")
        with pytest.raises(ValidationError, match="not used unless init is inflate"):
            options_of("slow_r50", inflate_from="imagenet")

    def test_an_unbound_name_and_an_absent_file_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="--root imagenet=FILE"):
            weights_file("imagenet", {"ucf101": tmp_path})
        with pytest.raises(ConfigError, match=r"no file gone\.pt") as error:
            weights_file("imagenet", {"imagenet": tmp_path / "gone.pt"})
        assert str(tmp_path) not in str(error.value)
        (tmp_path / "there.pt").touch()
        assert weights_file("Image-Net", {"image_net": tmp_path / "there.pt"}) == tmp_path / "there.pt"

    def test_what_is_no_file_of_tensors_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "weights.pt"
        file.write_bytes(b"these are no weights")
        with pytest.raises(ConfigError, match=r"imagenet: weights\.pt cannot be read"):
            read_image_weights("imagenet", file)
        torch.save({"network": Path("object")}, file)
        with pytest.raises(ConfigError, match="cannot be read"):
            read_image_weights("imagenet", file)

    @pytest.mark.parametrize("keys", [["fc.weight"], ["teacher.conv1.weight", "student.conv1.weight"]])
    def test_a_file_without_one_network_is_refused(self, tmp_path: Path, keys: list[str]) -> None:
        torch.save({key: torch.zeros(1) for key in keys}, tmp_path / "weights.pt")
        with pytest.raises(ConfigError, match="one torchvision ResNet"):
            read_image_weights("imagenet", tmp_path / "weights.pt")

    def test_weights_start_where_options_say_and_the_file_is_recorded(
        self, tmp_path: Path, weights: dict[str, Tensor]
    ) -> None:
        file = tmp_path / "resnet50.pt"
        torch.save(weights, file)
        options = options_of("slow_r50", init="inflate", inflate_from="imagenet")
        three = video_network("slow_r50")
        start_weights(three, options, {"imagenet": file})
        assert torch.equal(three.state_dict()["network.blocks.0.conv.weight"][:, :, 0], weights["conv1.weight"])
        record = weights_record(options, {"imagenet": file})
        assert record["inflate_from"] == "imagenet"
        assert len(record["inflate_sha256"]) == 64

    def test_random_weights_are_left_alone(self) -> None:
        options = options_of("slow_r18", width=1 / 16)
        three = video_network("slow_r18", width=1 / 16)
        before = {key: value.clone() for key, value in three.state_dict().items()}
        start_weights(three, options, {})
        assert all(torch.equal(value, before[key]) for key, value in three.state_dict().items())
        assert weights_record(options) == {}
