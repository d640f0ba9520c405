"""Batch norm over groups of videos, on one rank, on several and in windows, against a plain loop over the groups."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raysl.distributed import average_over_ranks, rank, world_size
from raysl.errors import ConfigError
from raysl.models.batch_norm import average_statistics, convert_batch_norm, frozen_statistics
from raysl.models.batch_norm_groups import Grouping
from raysl.models.grouped_batch_norm import GlobalBatchNorm, GroupedBatchNorm, grouping_of
from raysl.testing.ranks import run_ranks

BATCH = 12
GROUPS = (1, 2, 3, 4, 6, 12)
VIEWS = (1, 2)
APART = {"1 view": (1, False), "2 views": (2, False), "2 views apart": (2, True)}
"""Views, and whether each has statistics of its own."""
MOMENTA = {"0.1": 0.1, "average": None}


class LoopNorm(nn.Module):
    """The oracle: nn.BatchNorm on each group of videos by itself, or on each view of each."""

    def __init__(self, norm: Any, group: int, views: int, per_view: bool) -> None:
        super().__init__()
        self.norm, self.group = norm, group
        self.together = [[view] for view in range(views)] if per_view else [list(range(views))]

    def forward(self, rows: Tensor) -> Tensor:
        result, means, variances = torch.zeros_like(rows), [], []
        for views, first in itertools.product(self.together, range(0, BATCH, self.group)):
            own = [view * BATCH + video for view in views for video in range(first, first + self.group)]
            fresh = type(self.norm)(self.norm.num_features, self.norm.eps, 1.0).double()
            normalised = nn.functional.batch_norm(
                rows[own], fresh.running_mean, fresh.running_var, self.norm.weight, self.norm.bias, True, 1.0
            )
            result = result.index_put((torch.tensor(own),), normalised)
            means.append(fresh.running_mean)
            variances.append(fresh.running_var)
        self.norm.num_batches_tracked += 1
        share = self.norm.momentum or 1 / int(self.norm.num_batches_tracked)
        for running, found in ((self.norm.running_mean, means), (self.norm.running_var, variances)):
            running.copy_((1 - share) * running + share * torch.stack(found).mean(dim=0))
        return result


def network(momentum: float | None) -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv3d(2, 4, 3),
        nn.BatchNorm3d(4, momentum=momentum),
        nn.ReLU(),
        nn.Flatten(start_dim=3),
        nn.BatchNorm2d(4, affine=False, momentum=momentum),
        nn.Flatten(),
        nn.Linear(4 * 2 * 9, 5),
    )
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    return net.double()


def looped(net: nn.Sequential, group: int, views: int, per_view: bool) -> nn.Sequential:
    norms = (LoopNorm(m, group, views, per_view) if "BatchNorm" in type(m).__name__ else m for m in net)
    return nn.Sequential(*norms)


def clips(views: int) -> Tensor:
    """``[V * 12, 2, 4, 5, 5]``; a mean far from 0, another one for each video, catches E[x^2] - E[x]^2."""
    generator = torch.Generator().manual_seed(1)
    noise = 3 * torch.randn(views, BATCH, 2, 4, 5, 5, generator=generator).double()
    return (noise + 1000 + 5 * torch.arange(BATCH)[:, None, None, None, None]).flatten(0, 1)


def weights(views: int) -> Tensor:
    return torch.randn(views * BATCH, 5, generator=torch.Generator().manual_seed(2)).double()


def of_rank(rows: Tensor, views: int) -> Tensor:
    """The rows of this rank's videos, view-major."""
    share = BATCH // world_size()
    return rows.unflatten(0, (views, BATCH))[:, rank() * share : (rank() + 1) * share].flatten(0, 1)


def trained(net: nn.Module, views: int) -> dict[str, Any]:
    """Output, gradients of the mean loss, statistics over all ranks, after two forward passes of this rank's rows."""
    samples = of_rank(clips(views), views).requires_grad_()
    for _ in range(2):
        net.zero_grad()
        samples.grad = None
        output = net(samples)
        (output * of_rank(weights(views), views)).sum(dim=1).mean().backward()
    gradients = {name.replace("norm.", ""): p.grad for name, p in net.named_parameters() if p.grad is not None}
    average_over_ranks(list(gradients.values()))
    average_statistics(net)
    assert samples.grad is not None
    return {
        "output": output.detach().unflatten(0, (views, -1)),
        "input gradient": samples.grad.div(world_size()).unflatten(0, (views, -1)),
        "gradients": gradients,
        "state": {name.replace("norm.", ""): value for name, value in net.state_dict().items()},
    }


Cases = dict[tuple[str, int, str], dict[str, Any]]
"""By momentum, group and views: what was trained."""


def on_rank(_: int) -> Cases:
    results = {}
    for case in itertools.product(MOMENTA, GROUPS, APART):
        momentum, group, given = case
        views, per_view = APART[given]
        net = convert_batch_norm(network(MOMENTA[momentum]), Grouping(BATCH, group, per_view=per_view))
        results[case] = {**trained(net, views), "class": type(net[1])}
    return results


@pytest.fixture(
    scope="module", params=[1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def ranks(request: pytest.FixtureRequest) -> list[Cases]:
    return [on_rank(0)] if request.param == 1 else run_ranks(on_rank, request.param)


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("given", APART)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("momentum", MOMENTA)
def test_equals_a_loop_over_groups(ranks: list[Cases], momentum: str, group: int, given: str) -> None:
    views, per_view = APART[given]
    expected = trained(looped(network(MOMENTA[momentum]), group, views, per_view), views)
    found = [results[momentum, group, given] for results in ranks]
    for part in ("output", "input gradient"):
        close(torch.cat([result[part] for result in found], dim=1), expected[part])
    for result in found:
        for part in ("gradients", "state"):
            assert result[part].keys() == expected[part].keys()
            for key, value in expected[part].items():
                close(result[part][key], value)
    share = BATCH // len(ranks)
    whole = nn.BatchNorm3d if len(ranks) == 1 else GlobalBatchNorm
    expected_class = whole if group == BATCH else nn.BatchNorm3d if group == share else GroupedBatchNorm
    assert {result["class"] for result in found} == {GroupedBatchNorm if per_view else expected_class}


@pytest.mark.parametrize("views", [1, 2, 3])
def test_a_view_apart_passes_as_if_it_were_alone(views: int) -> None:
    """And running statistics move as the mean over views of those that one view alone would have moved."""
    plain, norm = (nn.BatchNorm3d(2, momentum=0.3).double() for _ in range(2))
    norm = convert_batch_norm(norm, Grouping(BATCH, per_view=True))
    rows, weight = clips(views).requires_grad_(), torch.randn(views * BATCH, 2, 4, 5, 5).double()
    alone = [copy.deepcopy(plain) for _ in range(views)]
    for _ in range(3):
        output = norm(rows)
        expected = torch.cat([single(view) for single, view in zip(alone, rows.chunk(views), strict=True)])
        close(output, expected)
        close(*(torch.autograd.grad((found * weight).sum(), rows)[0] for found in (output, expected)))
    for key in ("running_mean", "running_var"):
        close(norm.state_dict()[key], torch.stack([single.state_dict()[key] for single in alone]).mean(dim=0))
    assert norm.num_batches_tracked == 3


def test_views_apart_differ_from_views_together() -> None:
    rows = clips(2)
    rows[:BATCH] += 50
    apart, together = (convert_batch_norm(network(0.1), Grouping(BATCH, 4, per_view=apart)) for apart in (True, False))
    assert (apart(rows) - together(rows)).abs().max() > 0.1


@pytest.mark.parametrize("given", APART)
@pytest.mark.parametrize(("group", "chunks"), [(1, [1] * 12), (2, [4, 4, 4]), (2, [2, 6, 4]), (4, [4, 8]), (6, [6, 6])])
def test_windows_give_what_the_whole_share_gives(group: int, chunks: list[int], given: str) -> None:
    views, per_view = APART[given]
    whole, parts = (convert_batch_norm(network(0.1), Grouping(BATCH, group, per_view=per_view)) for _ in range(2))
    rows = clips(views)
    grouping = grouping_of(parts)
    assert grouping is not None
    for _ in range(2):
        expected, first, found = whole(rows), 0, []
        for videos in chunks:
            with grouping.window(first, videos):
                found.append(parts(rows.unflatten(0, (views, BATCH))[:, first : first + videos].flatten(0, 1)))
            first += videos
        by_view = [result.unflatten(0, (views, -1)) for result in found]
        close(torch.cat(by_view, dim=1).flatten(0, 1), expected)
    for key, value in whole.state_dict().items():
        close(parts.state_dict()[key], value)


class TestWindow:
    def norm(self, group: int = 2) -> GroupedBatchNorm:
        norm = convert_batch_norm(nn.BatchNorm1d(3), Grouping(BATCH, group))
        assert isinstance(norm, GroupedBatchNorm)
        return norm

    @pytest.mark.parametrize("window", [(0, 3), (1, 2), (0, 0)])
    def test_holds_whole_groups(self, window: tuple[int, int]) -> None:
        with (
            pytest.raises(ValueError, match=r"whole batch-norm groups of 2|are not among"),
            Grouping(BATCH, 2).window(*window),
        ):
            pass

    def test_is_within_the_share_and_within_a_rank(self) -> None:
        with pytest.raises(ValueError, match="not among the 12"), Grouping(BATCH, 2).window(10, 4):
            pass
        spanning = Grouping(BATCH, 4, rank=0, world_size=2)
        with pytest.raises(ValueError, match="no whole batch-norm groups of 4"), spanning.window(0, 4):
            pass
        with spanning.window(0, 6):
            pass

    def test_statistics_refuse_windows_out_of_order(self) -> None:
        norm = self.norm()
        with norm.grouping.window(0, 4):
            norm(torch.randn(4, 3))
        with pytest.raises(ValueError, match=r"videos from 6 on .* has seen 4"), norm.grouping.window(6, 4):
            norm(torch.randn(4, 3))

    def test_rows_are_of_its_videos(self) -> None:
        norm = self.norm()
        with pytest.raises(ValueError, match=r"expects the rows of 12 videos.*got 13 rows"):
            norm(torch.randn(13, 3))
        with norm.grouping.window(0, 4), pytest.raises(ValueError, match=r"of 4 videos.*got 6 rows"):
            norm(torch.randn(6, 3))
        assert norm.grouping.videos == BATCH


def test_a_group_with_one_value_per_channel_is_refused() -> None:
    norm = convert_batch_norm(nn.BatchNorm1d(3), Grouping(4, 1))
    with pytest.raises(ConfigError, match=r"batch_norm_group 1: .* larger batch_norm_group"):
        norm(torch.randn(4, 3))
    assert norm(torch.randn(8, 3)).shape == (8, 3)


@pytest.mark.parametrize(("group", "size"), [(5, 1), ("batch", 5)])
def test_a_grouping_divides_its_batch(group: int | str, size: int) -> None:
    with pytest.raises(ValueError, match="5 does not divide the batch of 12"):
        Grouping(BATCH, group, rank=0, world_size=size)


@pytest.mark.parametrize("per_view", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
def test_evaluation_is_that_of_batch_norm(tracked: bool, per_view: bool) -> None:
    plain = nn.BatchNorm1d(3, track_running_stats=tracked)
    grouped = convert_batch_norm(copy.deepcopy(plain), Grouping(BATCH, 2, per_view=per_view))
    assert isinstance(grouped, GroupedBatchNorm)
    assert grouped.state_dict().keys() == plain.state_dict().keys()
    grouped(torch.randn(BATCH, 3))
    plain.load_state_dict(grouped.state_dict())
    rows = torch.randn(7, 3)  # of any number of videos
    torch.testing.assert_close(grouped.eval()(rows), plain.eval()(rows))


def test_checkpoints_move_between_views_apart_and_together() -> None:
    groupings = [Grouping(BATCH), Grouping(BATCH, 3), Grouping(BATCH, per_view=True), Grouping(BATCH, 3, per_view=True)]
    rows, kept = clips(2), network(0.1)
    for grouping in [*groupings, *groupings]:
        net = convert_batch_norm(network(0.1), grouping)
        net.load_state_dict(kept.state_dict())
        close(net.eval()(rows), kept.eval()(rows))
        net.train()(rows)
        assert not torch.equal(net.state_dict()["1.running_mean"], kept.state_dict()["1.running_mean"])
        kept = net


@pytest.mark.parametrize("views", VIEWS)
def test_bfloat16_keeps_float32_statistics(views: int) -> None:
    rows = torch.randn(views * 4, 2, 4, 5, 5)
    grouped, reference = (convert_batch_norm(nn.BatchNorm3d(2), Grouping(4, 2)) for _ in range(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = grouped(rows.bfloat16())
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), reference(rows.bfloat16().float()), rtol=1e-2, atol=1e-2)
    assert grouped.running_mean is not None
    assert grouped.running_mean.dtype == torch.float32
    torch.testing.assert_close(grouped.running_mean, reference.running_mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("given", APART)
def test_channels_last_stays(given: str) -> None:
    views, per_view = APART[given]
    rows = torch.randn(views * 4, 2, 4, 5, 5).to(memory_format=torch.channels_last_3d)
    norm = convert_batch_norm(nn.BatchNorm3d(2), Grouping(4, 2, per_view=per_view))
    assert norm(rows).is_contiguous(memory_format=torch.channels_last_3d)


NORMS = {
    "plain": lambda: nn.BatchNorm1d(3),
    "grouped": lambda: convert_batch_norm(nn.BatchNorm1d(3), Grouping(4, 2)),
    "views apart": lambda: convert_batch_norm(nn.BatchNorm1d(3), Grouping(4, per_view=True)),
    "global": lambda: GlobalBatchNorm.of(nn.BatchNorm1d(3)),
}


@pytest.mark.parametrize("kind", NORMS)
def test_frozen_statistics_stay_while_the_batch_normalises(kind: str) -> None:
    norm, free = NORMS[kind](), NORMS[kind]()
    rows = 5 + torch.randn(4, 3)
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    with frozen_statistics(norm):
        output = norm(rows)
    for key, value in norm.state_dict().items():
        assert torch.equal(value, before[key])
    assert torch.equal(output, free(rows))
    norm(rows)
    for key, value in norm.state_dict().items():
        assert torch.equal(value, free.state_dict()[key])
