"""The network of `vcop_r2plus1d`; its options and sources stand in `raysl.models.backbones.vcop_r2plus1d`."""

from __future__ import annotations

from torch import nn

from raysl.models.backbone_options import LastStageTime, stem_channels
from raysl.models.backbones.vcop_r2plus1d import VcopR2Plus1DOptions
from raysl.models.video_resnet import VideoResNet

STEM_KERNEL = (3, 7, 7)


class FactorisedConv(nn.Sequential):
    """A t x d x d convolution as 1 x d x d, batch norm, ReLU and t x 1 x 1.

    Args:
        kernel: t, d, d.
        stride: of time, height and width.
        middle: channels between the two; `middle_channels` where absent.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int, int],
        stride: tuple[int, int, int],
        middle: int | None = None,
    ) -> None:
        time, size, _ = kernel
        middle = middle or middle_channels(inputs, outputs, kernel)
        super().__init__(
            nn.Conv3d(inputs, middle, (1, size, size), (1, *stride[1:]), (0, size // 2, size // 2), bias=False),
            nn.BatchNorm3d(middle),
            nn.ReLU(inplace=True),
            nn.Conv3d(middle, outputs, (time, 1, 1), (stride[0], 1, 1), (time // 2, 0, 0), bias=False),
        )


def middle_channels(inputs: int, outputs: int, kernel: tuple[int, int, int]) -> int:
    """M, by which the factorised convolution has about as many weights as the full one (Tran et al. 2018)."""
    time, area = kernel[0], kernel[1] * kernel[2]
    return max(1, (time * area * inputs * outputs) // (area * inputs + time * outputs))


class _BlockConv(FactorisedConv):
    """3x3x3, called as torchvision's blocks call their convolutions; they compute another M, which is not used."""

    def __init__(self, inputs: int, outputs: int, middle: int | None = None, stride: int = 1) -> None:
        super().__init__(inputs, outputs, (3, 3, 3), (stride, stride, stride))

    @staticmethod
    def get_downsample_stride(stride: int) -> tuple[int, int, int]:
        return stride, stride, stride


def _factorised_shortcut(inputs: int, outputs: int, stride: tuple[int, int, int]) -> nn.Sequential:
    return nn.Sequential(FactorisedConv(inputs, outputs, (1, 1, 1), stride), nn.BatchNorm3d(outputs))


class VcopR2Plus1D(VideoResNet):
    """R(2+1)D of VCOP without pooling and classifier.

    ``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 8, H / 16, W / 16]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
        last_stage_time: ``kept`` gives T / 4.
    """

    def __init__(self, width: float = 1.0, last_stage_time: LastStageTime = "halved") -> None:
        channels = stem_channels(width)
        # The inputs of the stem are 3 at any width, so M is scaled like every other layer.
        middle = max(1, int(middle_channels(3, stem_channels(1.0), STEM_KERNEL) * width))
        stem = nn.Sequential(
            FactorisedConv(3, channels, STEM_KERNEL, (1, 2, 2), middle),
            nn.BatchNorm3d(channels),
            nn.ReLU(inplace=True),
        )
        super().__init__(
            channels,
            stem,
            [_BlockConv] * 4,
            blocks=1,
            shortcut=_factorised_shortcut,
            last_stage_time=last_stage_time,
        )


def build(options: VcopR2Plus1DOptions) -> VcopR2Plus1D:
    return VcopR2Plus1D(options.width, options.last_stage_time)
