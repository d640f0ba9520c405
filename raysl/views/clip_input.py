"""From an augmented clip to the network's input: subtraction of frames and normalisation."""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from torch import Tensor

# Kinetics-400 channel statistics, with which torchvision's video models are trained.
MEAN = (0.43216, 0.394666, 0.37645)
STD = (0.22803, 0.22145, 0.216989)
DIFFERENCE_STD = 0.1
"""Typical standard deviation of a frame difference at a stride of a few frames: scales the input to about one."""


def network_input(clip: Tensor, kind: Literal["rgb", "difference"], out: Tensor | None = None) -> Tensor:
    """``[..., 3, T, H, W]`` float32 in [0, 1] to the network's input: normalised RGB of T frames, or T-1 differences.

    Args:
        out: where the result is written, a row of a batch for example; None: a new tensor.
    """
    if kind == "difference":
        return torch.sub(clip[..., 1:, :, :], clip[..., :-1, :, :], out=out).div_(DIFFERENCE_STD)
    mean, std = _statistics(clip.device)
    return torch.sub(clip, mean, out=out).div_(std)


def write_rgb(frames: Tensor, out: Tensor) -> None:
    """`network_input` of RGB frames that are changed by it: they are in the processor's cache, where they go is not.

    Args:
        frames: ``[N, 3, H, W]`` float32 in [0, 1].
        out: ``[3, N, H, W]``.
    """
    mean, std = _statistics(frames.device)
    torch.div(frames.transpose(0, 1).sub_(mean), std, out=out)


@cache
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    mean, std = (torch.tensor(values, dtype=torch.float32, device=device).view(3, 1, 1, 1) for values in (MEAN, STD))
    return mean, std
