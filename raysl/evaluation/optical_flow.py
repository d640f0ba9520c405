"""RAFT, a network that estimates optical flow, with weights from a file.

Teed and Deng 2020, https://arxiv.org/abs/2003.12039, in torchvision's implementation. Nothing is downloaded: the file
is a state dict of `torchvision.models.optical_flow.raft_large` or ``raft_small``, as torchvision publishes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from raysl.errors import ConfigError
from raysl.evaluation.given_file import given_file
from raysl.evaluation.raft import STATE_DICT
from raysl.models.inflate import UNREADABLE


class OpticalFlow(nn.Module):
    """``[B, 3, 2, H, W]`` in [0, 1] to ``[B, 2, H, W]``: right and down, in pixels, from the first frame to the second.

    Args:
        raft: torchvision's network.
        updates: of the estimate; RAFT trains with 12.
    """

    def __init__(self, raft: nn.Module, updates: int) -> None:
        super().__init__()
        self.raft, self.updates = raft, updates

    def forward(self, frames: Tensor) -> Tensor:
        first, second = (2.0 * frames - 1.0).unbind(dim=2)
        flow: Tensor = self.raft(first.contiguous(), second.contiguous(), num_flow_updates=self.updates)[-1]
        return flow


def load_raft(name: str, files: Mapping[str, Path], network: Literal["small", "large"], updates: int) -> OpticalFlow:
    """The network with the weights of the file.

    Raises:
        ConfigError: there is no file, or it holds no weights of this network.
    """
    from torchvision.models import optical_flow  # takes a second: not when a study is only read

    file = given_file(name, STATE_DICT, files)
    raft: nn.Module = {"small": optical_flow.raft_small, "large": optical_flow.raft_large}[network]()
    try:
        raft.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except UNREADABLE as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"weights: {name}: {file.name} is no state dict of torchvision's raft_{network} saved by torch.save: {said}"
        ) from error
    return OpticalFlow(raft, updates)


def raft_hash(name: str, files: Mapping[str, Path]) -> str:
    """SHA-256 of the file, stored with a result."""
    with given_file(name, STATE_DICT, files).open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
