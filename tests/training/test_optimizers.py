"""The contract of every optimizer, found by name, and which parameters weight decay reaches."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from raysl.config.component import find, names
from raysl.testing import OptimizerContract
from raysl.testing.optimizer import RATE, network
from raysl.training.optimizers.lars_optimizer import LARS
from raysl.training.parameter_groups import parameter_groups, weight_penalty
from tests.training.steps import batches_of, cell_of, learner_of

LARGE = {"value": 0.05, "at_batch": 16}


def build(name: str, module: nn.Module, learning_rate: float = 0.1, **options: Any) -> torch.optim.Optimizer:
    component: Any = find("optimizer", name)
    optimizer = component.build(component.options(learning_rate=RATE, **options), module, learning_rate)
    assert isinstance(optimizer, torch.optim.Optimizer)
    return optimizer


class TestOptimizers(OptimizerContract):
    @pytest.fixture(autouse=True, params=names("optimizer"))
    def one(self, request: pytest.FixtureRequest) -> None:
        self.component = request.param

    def decayed(self, weights: Tensor) -> Tensor:
        # LARS by its trust coefficient; Adam by one rate, whatever the size.
        others = {"lars": weights * (1 - 0.1 * 0.001), "adam": weights - 0.1 * weights.sign()}
        return others.get(self.component, super().decayed(weights))


def test_adamw_has_the_options_given() -> None:
    group = build("adamw", network(), beta1=0.8, beta2=0.95, epsilon=1e-6).param_groups[0]
    assert (group["betas"], group["eps"]) == ((0.8, 0.95), 1e-6)


def test_sgd_has_the_options_given() -> None:
    group = build("sgd", network(), momentum=0.7, nesterov=True).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.7, True)


def test_sgd_refuses_nesterov_without_momentum() -> None:
    with pytest.raises(ValidationError, match=r"nesterov needs optimizer\.momentum"):
        build("sgd", network(), momentum=0.0, nesterov=True)


def test_groups_count_a_shared_parameter_once() -> None:
    shared = nn.Linear(3, 3)
    module = nn.ModuleDict({"a": shared, "b": nn.Sequential(shared)})
    groups = parameter_groups(module, 0.1, decay_norm_and_bias=False)
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [[(3, 3)], [(3,)]]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]


def test_the_weight_penalty_is_half_the_decay_times_the_squares_of_what_is_decayed() -> None:
    module = nn.Linear(2, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[3.0, -4.0]]))
        module.bias.fill_(7.0)
    for decays_all, squares in ((False, 25.0), (True, 74.0)):
        groups = parameter_groups(module, 0.2, decay_norm_and_bias=decays_all)
        assert weight_penalty(groups) == pytest.approx(0.1 * squares)
    assert weight_penalty(parameter_groups(module, 0.0, decay_norm_and_bias=True)) == 0
    optimizer = build("sgd", module, learning_rate=0.5, momentum=0.0, weight_decay=0.2)
    assert weight_penalty(optimizer.param_groups) == pytest.approx(2.5)


def test_a_module_without_trainable_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="no trainable parameter"):
        parameter_groups(nn.ReLU(), 0.1, decay_norm_and_bias=False)


def test_adam_has_the_options_given_and_decays_in_the_gradient() -> None:
    optimizer = build("adam", network(), beta1=0.8, beta2=0.95, epsilon=1e-6)
    assert type(optimizer) is torch.optim.Adam
    group = optimizer.param_groups[0]
    assert (group["betas"], group["eps"], group["decoupled_weight_decay"]) == ((0.8, 0.95), 1e-6, False)


def lars_oracle(weights: list[float], gradients: list[list[float]], rates: list[float], adapt: bool) -> list[float]:
    """Momentum 0.9, decay 0.01 where adapted, coefficient 0.02, in plain loops."""
    decay, velocity = (0.01 if adapt else 0.0), [0.0] * len(weights)
    for gradient, rate in zip(gradients, rates, strict=True):
        direction = [g + decay * w for g, w in zip(gradient, weights, strict=True)]
        norms = [math.sqrt(sum(x * x for x in values)) for values in (weights, direction)]
        trust = 0.02 * norms[0] / norms[1] if adapt and min(norms) > 0 else 1.0
        velocity = [0.9 * v + rate * trust * d for v, d in zip(velocity, direction, strict=True)]
        weights = [w - v for w, v in zip(weights, velocity, strict=True)]
    return weights


def test_lars_adapts_weights_alone_whatever_the_decay() -> None:
    for decay in (0.01, 0.0):
        groups = build("lars", network(), weight_decay=decay).param_groups
        assert [(group["adapt"], group["weight_decay"]) for group in groups] == [(True, decay), (False, 0.0)]


def test_lars_follows_the_plain_loop() -> None:
    module = network().double()
    parameters = dict(module.named_parameters())
    first = {name: value.flatten().tolist() for name, value in parameters.items()}
    optimizer = build("lars", module, weight_decay=0.01, trust_coefficient=0.02)
    generator, rates = torch.Generator().manual_seed(1), [0.3, 0.2, 0.05]
    gradients: dict[str, list[list[float]]] = {name: [] for name in parameters}
    for rate in rates:
        for name, parameter in parameters.items():
            parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            gradients[name].append(parameter.grad.flatten().tolist())
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
    for name, parameter in parameters.items():
        adapt = name in ("0.weight", "3.weight")
        expected = lars_oracle(first[name], gradients[name], rates, adapt)
        assert parameter.flatten().tolist() == pytest.approx(expected), name


def test_lars_takes_a_tensor_of_zeros_by_the_rate_alone() -> None:
    module = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(module.weight)
    optimizer = build("lars", module)
    module.weight.grad = torch.tensor([[3.0, 4.0]])
    optimizer.step()
    torch.testing.assert_close(module.weight.detach(), torch.tensor([[-0.3, -0.4]]))


def test_lars_takes_all_tensors_at_once_with_the_bits_of_one_after_the_other() -> None:
    """As earlier cells were trained: a network's shapes in float32, in the layout of training, one of them zeros."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(8, 3, 3, 3, 3), (8, 8, 1, 1, 1), (16, 8), (5, 7), (3, 3)]
    first = [torch.randn(shape, generator=generator) for shape in shapes]
    first[0] = first[0].contiguous(memory_format=torch.channels_last_3d)
    first[-1].zero_()
    for adapt in (True, False):
        weights = [nn.Parameter(value.clone()) for value in first]
        optimizer = LARS([{"params": weights, "weight_decay": 1e-2, "adapt": adapt}], 0.3, 0.9, 1e-3)
        expected, velocity = [value.clone() for value in first], [torch.zeros_like(value) for value in first]
        for _ in range(3):
            for index, weight in enumerate(weights):
                weight.grad = torch.randn(weight.shape, generator=generator)
                direction = weight.grad.add(expected[index], alpha=1e-2)
                if adapt:
                    norm, length = expected[index].norm(), direction.norm()
                    ratio = 1e-3 * norm / length
                    direction = direction * torch.where((norm > 0) & (length > 0), ratio, torch.ones_like(ratio))
                expected[index].sub_(velocity[index].mul_(0.9).add_(direction, alpha=0.3))
            optimizer.step()
            assert all(torch.equal(weight, value) for weight, value in zip(weights, expected, strict=True))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_a_state_that_a_gpu_saved_fused_is_taken_up_unfused(name: str) -> None:
    """And what the fused steps of a GPU save is the same state."""
    saved, learner = (
        learner_of(cell_of(changes={"optimizer": {"name": name, "learning_rate": LARGE}})) for _ in range(2)
    )
    for group in saved.optimizer.param_groups:
        group["fused"] = True
    saved.step(batches_of(cell_of(), 0), 0)
    learner.load(saved.objective.state_dict(), saved.optimizer.state_dict(), {})
    assert [group["fused"] for group in learner.optimizer.param_groups] == [None] * len(saved.optimizer.param_groups)
    learner.step(batches_of(cell_of(), 1), 1)
