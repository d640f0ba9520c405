"""Batch norm over the global batch: 1 rank of B samples against 2 ranks of B/2, on gloo."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from raysl.models.batch_norm import convert_batch_norm
from raysl.models.grouped_batch_norm import GlobalBatchNorm
from raysl.testing.ranks import run_ranks


def network(momentum: float | None = 0.1) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv3d(2, 4, 3),
        nn.BatchNorm3d(4, momentum=momentum),
        nn.ReLU(),
        nn.Flatten(start_dim=3),
        nn.BatchNorm2d(4, affine=False),
        nn.Flatten(),
        nn.Linear(4 * 2 * 9, 5),
        nn.BatchNorm1d(5, track_running_stats=False),
    )
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    return net.double()


def clips() -> Tensor:
    # A mean far from 0: catches E[x^2] - E[x]^2.
    return 1000 + 3 * torch.randn(8, 2, 4, 5, 5, generator=torch.Generator().manual_seed(1)).double()


def trained(net: nn.Module, samples: Tensor, target: Tensor, steps: int = 2) -> dict[str, Any]:
    """Outputs, gradients (of the last step) and state after some steps whose loss is a mean over local rows."""
    samples = samples.clone().requires_grad_()
    for _ in range(steps):
        net.zero_grad()
        samples.grad = None
        output = net(samples)
        (output * target).sum(dim=1).mean().backward()
    inner = net.module if isinstance(net, DistributedDataParallel) else net
    with torch.no_grad():
        evaluated = inner.eval()(samples)
    return {
        "output": output.detach(),
        "input gradient": samples.grad,
        "gradients": {name: p.grad for name, p in inner.named_parameters()},
        "state": dict(inner.state_dict()),
        "evaluated": evaluated,
        "classes": [type(m).__name__ for m in inner.children()],
    }


def target() -> Tensor:
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(2)).double()


def on_rank(rank: int) -> dict[str, dict[str, Any]]:
    rows = slice(4 * rank, 4 * rank + 4)
    nets = {str(momentum): DistributedDataParallel(convert_batch_norm(network(momentum))) for momentum in (0.1, None)}
    results = {name: trained(net, clips()[rows], target()[rows]) for name, net in nets.items()}
    return {**results, "uneven": uneven(rank)}


def uneven(rank: int) -> dict[str, Any]:
    """3 samples on rank 0, 5 on rank 1, in channels_last_3d."""
    samples = clips()[:3] if rank == 0 else clips()[3:]
    norm = convert_batch_norm(nn.BatchNorm3d(2).double())
    output = norm(samples.to(memory_format=torch.channels_last_3d))
    return {"class": type(norm).__name__, "output": output.detach(), "variance": norm.running_var}


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, dict[str, Any]]]:
    return run_ranks(on_rank, 2)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-11)


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [0.1, None])
def test_two_ranks_equal_one(ranks: list[dict[str, dict[str, Any]]], momentum: float | None) -> None:
    alone = trained(network(momentum), clips(), target())
    results = [rank[str(momentum)] for rank in ranks]
    close(torch.cat([r["output"] for r in results]), alone["output"])
    # Each rank's loss is a mean over its own half, so its input gradient is twice that of the global mean.
    close(torch.cat([r["input gradient"] for r in results]) / 2, alone["input gradient"])
    close(torch.cat([r["evaluated"] for r in results]), alone["evaluated"])
    for result in results:
        assert result["classes"].count("GlobalBatchNorm") == 3
        for part in ("state", "gradients"):
            assert result[part].keys() == alone[part].keys()
            for key, value in alone[part].items():
                close(result[part][key], value)


@pytest.mark.slow
def test_ranks_with_different_numbers_of_samples(ranks: list[dict[str, dict[str, Any]]]) -> None:
    norm = nn.BatchNorm3d(2).double()
    expected = norm(clips()).detach()
    results = [rank["uneven"] for rank in ranks]
    assert [r["class"] for r in results] == ["GlobalBatchNorm"] * 2
    close(torch.cat([r["output"] for r in results]), expected)
    for result in results:
        close(result["variance"], norm.get_buffer("running_var"))


class TestWithoutGroup:
    """`GlobalBatchNorm` on one rank is nn.BatchNorm."""

    def test_conversion_leaves_batch_norm_alone(self) -> None:
        net = network()
        assert convert_batch_norm(net) is net
        assert not any(isinstance(m, GlobalBatchNorm) for m in net.modules())

    @pytest.mark.parametrize("affine", [True, False])
    @pytest.mark.parametrize("tracked", [True, False])
    def test_forward_backward_and_state(self, affine: bool, tracked: bool) -> None:
        reference = nn.BatchNorm3d(2, affine=affine, track_running_stats=tracked).double()
        ours = GlobalBatchNorm.of(nn.BatchNorm3d(2, affine=affine, track_running_stats=tracked).double())
        assert ours.state_dict().keys() == reference.state_dict().keys()
        found, expected = (self.run(norm) for norm in (ours, reference))
        for a, b in zip(found, expected, strict=True):
            close(a, b)

    @staticmethod
    def run(norm: nn.Module) -> list[Tensor]:
        samples = clips().requires_grad_()
        output = norm(samples)
        output.pow(3).sum().backward()
        assert samples.grad is not None
        gradients = [p.grad for p in norm.parameters() if p.grad is not None]
        return [output.detach(), samples.grad, *gradients, *norm.state_dict().values(), norm.eval()(clips()).detach()]

    def test_gradient_by_finite_differences(self) -> None:
        norm = GlobalBatchNorm(3).double()
        samples = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(norm, (samples,))

    def test_bfloat16_input_keeps_float32_statistics(self) -> None:
        samples = torch.randn(16, 2, 4, 5, 5).bfloat16()
        ours, reference = GlobalBatchNorm(2), nn.BatchNorm3d(2)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = ours(samples)
        assert output.dtype == torch.bfloat16
        expected = reference(samples.float())
        assert ours.running_mean is not None
        assert ours.running_mean.dtype == torch.float32
        torch.testing.assert_close(ours.running_mean, reference.running_mean, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(ours.running_var, reference.running_var, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(output.float(), expected, rtol=1e-2, atol=1e-2)

    def test_bfloat16_gradient(self) -> None:
        samples = torch.randn(16, 2, 4, 5, 5).bfloat16()
        weights = torch.randn(samples.shape)
        gradients = []
        for norm, dtype in ((GlobalBatchNorm(2), torch.bfloat16), (nn.BatchNorm3d(2), torch.float32)):
            given = samples.detach().to(dtype).clone().requires_grad_()
            (norm(given) * weights).sum().backward()
            assert given.grad is not None
            assert given.grad.dtype == dtype
            gradients.append(given.grad.float())
        torch.testing.assert_close(gradients[0], gradients[1], rtol=2e-2, atol=2e-2)

    def test_one_value_per_channel_is_refused(self) -> None:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            GlobalBatchNorm(3)(torch.randn(1, 3))
        with pytest.raises(ValueError, match=r"\[N, 3, \.\.\.\]"):
            GlobalBatchNorm(3)(torch.randn(4, 2))
