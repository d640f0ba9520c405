"""What every optimizer keeps: the rate it is given, every parameter once, and decay where it is asked for."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from raysl.config.sections import LearningRate
from raysl.errors import ConfigError
from raysl.testing.component import BASE, TrainedContract

RATE = LearningRate(value=0.32, at_batch=1024)


class OptimizerContract(TrainedContract):
    """Of an optimizer: ``COMPONENT = Component(kind="optimizer", ...)``, whose options extend those of all others."""

    kind: ClassVar[str] = "optimizer"
    place: ClassVar[str] = "optimizer"

    def host(self, options: Any) -> dict[str, Any]:
        return super().host({"learning_rate": BASE["optimizer.learning_rate"], **options})

    def build(self, module: nn.Module, learning_rate: float = 0.1, **options: Any) -> torch.optim.Optimizer:
        rate = {"learning_rate": RATE.model_dump()}
        optimizer = self.found.build(self.resolved(**{**rate, **self.options, **options}), module, learning_rate)
        assert isinstance(optimizer, torch.optim.Optimizer)
        return optimizer

    def decayed(self, weights: Tensor) -> Tensor:
        """Weights without a gradient after a step at rate 0.1 and ``weight_decay`` 0.5, by the rule of SGD."""
        return weights * (1 - 0.1 * 0.5)

    def test_uses_the_rate_it_is_given(self) -> None:
        optimizer = self.build(network(), learning_rate=RATE.at(256))
        assert {group["lr"] for group in optimizer.param_groups} == {0.08}

    def test_holds_every_trainable_parameter_once(self) -> None:
        module = network()
        module[0].weight.requires_grad_(False)
        held = [id(p) for group in self.build(module).param_groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in module.parameters() if p.requires_grad)

    def test_a_step_lowers_the_loss(self) -> None:
        module = network()
        clips = torch.randn(4, 1, 2, 2, 2)
        target = torch.randn(4, 3)
        optimizer = self.build(module, learning_rate=0.01)
        losses = []
        for _ in range(20):
            loss = (module(clips) - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]

    def test_weight_decay_leaves_norms_and_biases_alone(self) -> None:
        module = network()
        before = {key: value.clone() for key, value in module.named_parameters()}
        optimizer = self.build(module, weight_decay=0.5, decay_norm_and_bias=False)
        for parameter in module.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        moved = [key for key, value in module.named_parameters() if not torch.equal(value, before[key])]
        assert moved == ["0.weight", "3.weight"]
        torch.testing.assert_close(module[0].weight, self.decayed(before["0.weight"]))

    def test_weight_decay_of_everything(self) -> None:
        optimizer = self.build(network(), weight_decay=0.5, decay_norm_and_bias=True)
        assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5]

    @pytest.mark.parametrize("bad", [{"weight_decay": -1.0}, {"learning_rate": 0.1}, {"lr": 0.1}], ids=str)
    def test_refuses_bad_options(self, bad: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match=next(iter(bad))):
            self.resolved(**{"learning_rate": RATE.model_dump(), **bad})


def network() -> nn.Sequential:
    """A convolution, two norms and a linear layer."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(1, 2, 2), nn.BatchNorm3d(2), nn.Flatten(), nn.Linear(2, 3), nn.LayerNorm(3))
