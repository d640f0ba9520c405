"""Backbones as plain PyTorch builds them: the lines of a model card load the weights strictly, and compute the same."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from raysl.config.component import find
from raysl.models.backbone import pool
from raysl.models.plain_network import PlainNetwork

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("r3d_18", {"width": 0.125}, "width 0.125"),
    ("r3d_18", {"width": 0.125, "last_stage_time": "kept", "max_pool": True}, "the last stage keeps time"),
    ("r2plus1d_18", {"width": 0.125, "last_stage_time": "kept"}, "the last stage keeps time"),
    ("mc3_18", {"width": 0.125}, "width 0.125"),
    ("s3d", {"width": 0.125, "slow": True}, "no temporal stride in the stem"),
    ("hara_r3d_18", {"width": 0.125}, "the stem is 7x7x7"),
    ("vcop_r3d", {"width": 0.125, "last_stage_time": "kept"}, "every stage has one block"),
    ("slow_r50", {"width": 0.0625}, "width 0.0625"),
    ("cvrl_r3d", {"width": 0.0625}, "width 0.0625"),
    ("c3d", {"width": 0.125, "last_stage_time": "kept"}, ""),
    ("shallow_c3d", {"width": 0.125}, ""),
]
WHOLE = ["r3d_18", "r2plus1d_18", "mc3_18", "s3d", "slow_r50"]


def drawn(name: str, options: dict[str, Any]) -> tuple[torch.nn.Module, PlainNetwork]:
    """A backbone whose batch norms do something, and how it is built without raysl."""
    component = find("backbone", name)
    chosen = component.options(**options)
    torch.manual_seed(0)
    backbone: torch.nn.Module = component.build(chosen)
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            for value in (module.weight, module.bias, module.running_mean):
                assert value is not None
                value.data.normal_(std=0.5)
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2.0)
    assert component.plain is not None
    plain: PlainNetwork = component.plain(chosen)
    return backbone.eval(), plain


def run_without_raysl(program: str, clips: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """``features`` of what a card prints, where nothing of raysl can be imported."""
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        assert name.partition(".")[0] != "raysl", name
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    space: dict[str, Any] = {"clips": clips}
    with torch.inference_mode():
        exec(program, space)
    features: torch.Tensor = space["features"]
    return features


@pytest.mark.parametrize(("name", "options", "said"), CASES)
def test_the_lines_of_a_card_compute_the_same(
    name: str, options: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone, plain = drawn(name, options)
    weights = {key.removeprefix(plain.prefix): value for key, value in backbone.state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors")
    clips = torch.randn(2, 3, 8, 40, 40)
    with torch.inference_mode():
        expected = pool(backbone(clips))
    monkeypatch.chdir(tmp_path)
    features = run_without_raysl(plain.program("model.safetensors"), clips, monkeypatch)
    # The mean over a map is of another kernel in torchvision's forward pass.
    torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-6)
    assert any(change.startswith(said) for change in plain.changes) or said == ""
    assert len(plain.program("x").splitlines()) <= 20


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_weights_of_full_width_load_into_the_network_itself(name: str) -> None:
    """Into what torchvision and PyTorchVideo build by themselves, with no change but the classifier."""
    import pytorchvideo.models.hub as hub
    import torchvision.models.video as video

    backbone, plain = drawn(name, {})
    assert plain.changes == ()
    assert not plain.resize
    network = getattr(video, name)() if plain.pools else getattr(hub, name)()
    assert plain.origin.endswith(f".{name}")
    if name == "s3d":
        network.avgpool = network.classifier = torch.nn.Identity()
    elif plain.pools:
        network.fc = torch.nn.Identity()
    else:
        network.blocks[5] = torch.nn.Identity()
    weights = {key.removeprefix(plain.prefix): value for key, value in backbone.state_dict().items()}
    network.load_state_dict(weights, strict=True)
    clips = torch.randn(1, 3, 8, 32, 32)
    with torch.inference_mode():
        found = network.eval()(clips)
        torch.testing.assert_close(found if plain.pools else pool(found), pool(backbone(clips)), rtol=1e-5, atol=1e-6)
