"""What every backbone is: a network from clips to feature maps before pooling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from raysl.config.cell import CellConfig
from raysl.config.options import NO_UNIT, option
from raysl.errors import ConfigError


class Backbone(nn.Module, ABC):
    """Base of every backbone: ``COMPONENT.build(options) -> Backbone``.

    Attributes:
        feature_dim: D, channels of the last feature map.
    """

    feature_dim: int

    @abstractmethod
    def forward(self, clips: Tensor) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, D, T', H', W']``, before any pooling."""


def pool(feature_map: Tensor) -> Tensor:
    """Mean over time and space, ``[B, D, T', H', W'] -> [B, D]``."""
    return feature_map.mean(dim=(2, 3, 4))


def refuse_training(name: str) -> Callable[[Any, CellConfig], None]:
    """The check of a backbone without weights: only a head on top of it can be trained."""

    def check(options: Any, cell: CellConfig) -> None:
        if cell.pretraining != "none" and cell.train != "head":
            raise ConfigError(
                f"{name} has no weights to train: write `pretraining: none`, or, to train a head on it, `train: head`"
            )

    return check


def width_option(channels: str, source: str, step: int = 64) -> Any:
    """The option ``width``: a factor of every layer's channels.

    Args:
        channels: what width 1 is, in words.
        source: where those channels are from.
        step: the factor is a multiple of 1 / step, so that every layer has whole channels.
    """
    return option(
        1.0,
        doc=f"factor of every layer's channels; 1 is {channels}",
        unit=NO_UNIT,
        source=source,
        ge=1 / step,
        le=8,
        multiple_of=1 / step,
    )


def scaled(channels: int, width: float) -> int:
    """``channels * width``.

    Raises:
        ValueError: that is not a whole number of channels.
    """
    product = channels * width
    if product < 1 or product != int(product):
        raise ValueError(f"width {width} makes {product} channels of {channels}: use a multiple of 1/{channels}")
    return int(product)


def stem_channels(width: float, full: int = 64) -> int:
    """Channels after the stem of a ResNet with every layer ``width`` times as wide; later stages are its multiples.

    Raises:
        ValueError: ``width`` does not give a whole number of channels.
    """
    return scaled(full, width)


def check_clip(clip: Sequence[int], smallest: tuple[int, int]) -> None:
    """For networks with unpadded pools, which leave nothing of a small clip.

    Args:
        clip: frames, height and width.
        smallest: frames, and pixels of height and width, that the network needs.

    Raises:
        ConfigError: the clip has fewer.
    """
    frames, size = smallest
    if clip[0] < frames or min(clip[1:]) < size:
        given = "x".join(str(length) for length in clip)
        raise ConfigError(
            f"a clip of {given} is too small for the backbone: it needs at least {frames}x{size}x{size} (clip.frames, "
            "clip.size)"
        )
