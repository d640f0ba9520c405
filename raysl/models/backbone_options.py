"""What backbones' options and checks share, without PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from raysl.config.cell import CellConfig
from raysl.config.options import NO_UNIT, option
from raysl.errors import ConfigError


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


LastStageTime = Literal["halved", "kept"]


def last_stage_option() -> Any:
    """The option ``last_stage_time``."""
    return option(
        "halved",
        doc="time steps of the last stage: halved as in the networks of Tran et al., or kept, its first convolution "
        "dilated by 2 in time (TCLR)",
        source="printed: Tran et al. 2018; TCLR, and its code: kept",
    )


WIDTH_STEP = 8
"""Widths are multiples of 1/8: the narrowest branches have 16 and 24 channels."""


def slow_option() -> Any:
    """The option ``slow``."""
    return option(
        False,
        doc="no temporal stride in the stem, so twice as many time steps",
        source="printed: Xie et al. 2018: false; code: CoCLR: slow",
    )


def smallest_clip(slow: bool) -> tuple[int, int]:
    """The smallest frames and pixels that leave two for the last max pool, which is not padded."""
    return 3 if slow else 5, 17


def halved(times: int) -> Callable[[Any, int], int]:
    """`Component.timesteps` of a network that halves time so many times, rounded up.

    Where it has the option ``last_stage_time`` and keeps that of its last stage, once less.
    """

    def timesteps(options: Any, frames: int) -> int:
        divisor: int = 2 ** (times - 1 if getattr(options, "last_stage_time", "halved") == "kept" else times)
        return -(-frames // divisor)

    return timesteps


def s3d_timesteps(options: Any, frames: int) -> int:
    """`Component.timesteps` of S3D: each halving rounds up, the last one down; one less where it is slow."""
    rounded_up: int = -(-frames // (2 if options.slow else 4))
    return rounded_up // 2


FeatureNorm = Literal["none", "l2", "l2_batch_norm"]
