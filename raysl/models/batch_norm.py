"""Batch norm that follows the global batch, on any device and number of workers: which module serves where.

A group of videos shares statistics (`raysl.models.batch_norm_groups`): the whole batch (synchronised batch norm), or
part of it ("per GPU" statistics, on one worker too). All modules keep nn.BatchNorm's state, so checkpoints move
between numbers of workers.

| group | module |
|---|---|
| whole batch, one rank | nn.BatchNorm |
| whole batch, several ranks | nn.SyncBatchNorm on CUDA; it refuses CPU tensors: `GlobalBatchNorm` |
| a rank's share | nn.BatchNorm |
| other, and each view by itself | `GroupedBatchNorm`: without collective where every group is within a rank |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from raysl.distributed import average_over_ranks, world_size
from raysl.models.batch_norm_groups import Grouping
from raysl.models.grouped_batch_norm import GlobalBatchNorm, GroupedBatchNorm

ModuleType = TypeVar("ModuleType", bound=nn.Module)


def convert_batch_norm(module: ModuleType, grouping: Grouping | None = None) -> ModuleType:
    """Makes every batch norm in ``module`` take its statistics over the groups of the global batch; call it before DDP.

    Parameters and statistics are kept and so are the keys of the state. The module must be on its device already.

    Args:
        grouping: one for all networks that see the same batches; absent: the whole batch, of any size.

    Returns:
        ``module`` with its batch norms replaced in place, or the replacement if it is a batch norm itself.
    """
    if grouping is None or (grouping.is_whole and not grouping.per_view):
        return _over_whole_batch(module)
    if grouping.group == grouping.share and not grouping.per_view:
        return module
    return cast(ModuleType, _replaced(module, lambda norm: GroupedBatchNorm.grouped(norm, grouping)))


def _over_whole_batch(module: ModuleType) -> ModuleType:
    if world_size() == 1:
        return module
    first = next(module.parameters(), None)
    if first is not None and first.is_cuda:
        return cast(ModuleType, nn.SyncBatchNorm.convert_sync_batchnorm(module))  # type: ignore[no-untyped-call]
    return cast(ModuleType, _replaced(module, GlobalBatchNorm.of))


def _replaced(module: nn.Module, replacement: Callable[[_BatchNorm], nn.Module]) -> nn.Module:
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        return replacement(module)
    for name, child in module.named_children():
        setattr(module, name, _replaced(child, replacement))
    return module


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """While batch norms in ``module``, of any class, normalise by the batch and leave running statistics alone."""
    tracking = [child for child in module.modules() if isinstance(child, _BatchNorm) and child.track_running_stats]
    for norm in tracking:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in tracking:
            norm.track_running_stats = True


@torch.no_grad()
def average_statistics(module: nn.Module) -> None:
    """Averages over ranks the running statistics that each rank tracked for its own groups. Collective.

    A moving average is linear, so the mean of the ranks' averages is the average of their means: whenever this is
    called, the result is that of one rank with the whole batch.
    """
    norms = [child for child in module.modules() if isinstance(child, _BatchNorm) and _tracks_own_groups(child)]
    average_over_ranks(
        [value for norm in norms for value in (norm.running_mean, norm.running_var) if value is not None]
    )


def _tracks_own_groups(norm: _BatchNorm) -> bool:
    if isinstance(norm, GroupedBatchNorm):
        return norm.grouping.is_local
    return not isinstance(norm, GlobalBatchNorm | nn.SyncBatchNorm)
