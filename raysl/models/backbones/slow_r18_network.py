"""The network of `slow_r18`; its options and sources stand in `raysl.models.backbones.slow_r18`."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from raysl.models.backbone_options import stem_channels
from raysl.models.backbones.slow_r18 import Block, SlowR18Options, TemporalConvs
from raysl.models.slow import SlowResNet

FRAMES = (1, 1, 3, 3)
"""Frames that the kernels of the four stages span."""


class SlowR18(SlowResNet):
    """Slow R18 without pooling and classifier.

    ``[B, 3, T, H, W]`` to ``[B, 512 * width, T, H / 32, W / 32]`` (bottlenecks: 2048 * width), sizes rounded up; clips
    of any size.

    Args:
        width: factor of every layer's channels.
        block: what the stages are made of.
        temporal_convs: which convolutions of a basic block span time.
    """

    def __init__(self, width: float = 1.0, block: Block = "basic", temporal_convs: TemporalConvs = "first") -> None:
        from pytorchvideo.models.net import Net  # here, as in `raysl.models.video_resnet`
        from pytorchvideo.models.stem import create_res_basic_stem

        channels = stem_channels(width)
        expansion = 1 if block == "basic" else 4
        stem = create_res_basic_stem(
            in_channels=3, out_channels=channels, conv_kernel_size=(1, 7, 7), conv_padding=(0, 3, 3)
        )
        parts, inputs = [stem], channels
        for index, frames in enumerate(FRAMES):
            inner = channels * 2**index
            make = _basic_stage if block == "basic" else _bottleneck_stage
            second = frames if temporal_convs == "both" else 1
            parts.append(make(inputs, inner, 1 if index == 0 else 2, frames, second))
            inputs = inner * expansion
        # Net draws the weights.
        image_network = "ResNet-18" if block == "basic" else "ResNet of two bottlenecks a stage"
        super().__init__(Net(blocks=nn.ModuleList(parts)), inputs, image_network)


def _basic_stage(inputs: int, outputs: int, stride: int, first: int, second: int) -> nn.Module:
    from pytorchvideo.models.resnet import create_res_stage

    stage: nn.Module = create_res_stage(
        depth=2,
        dim_in=inputs,
        dim_inner=outputs,
        dim_out=outputs,
        bottleneck=_basic_block,
        conv_a_kernel_size=(first, 3, 3),
        conv_a_stride=(1, stride, stride),
        conv_a_padding=(first // 2, 1, 1),
        conv_b_kernel_size=(second, 3, 3),
        conv_b_stride=(1, 1, 1),
        conv_b_padding=(second // 2, 1, 1),
    )
    return stage


def _bottleneck_stage(inputs: int, inner: int, stride: int, frames: int, second: int) -> nn.Module:
    from pytorchvideo.models.resnet import create_bottleneck_block, create_res_stage

    stage: nn.Module = create_res_stage(
        depth=2,
        dim_in=inputs,
        dim_inner=inner,
        dim_out=4 * inner,
        bottleneck=create_bottleneck_block,
        conv_a_kernel_size=(frames, 1, 1),
        conv_a_stride=(1, 1, 1),
        conv_a_padding=(frames // 2, 0, 0),
        conv_b_stride=(1, stride, stride),
    )
    return stage


class BasicBlock(nn.Module):
    """The residual branch of two convolutions; parts are named as in PyTorchVideo's bottleneck.

    Args:
        conv_a: with its stride. conv_b: without.
        channels: after each of them.
    """

    def __init__(self, conv_a: nn.Conv3d, conv_b: nn.Conv3d, channels: int) -> None:
        super().__init__()
        self.conv_a, self.norm_a, self.act_a = conv_a, nn.BatchNorm3d(channels), nn.ReLU()
        self.conv_b, self.norm_b = conv_b, nn.BatchNorm3d(channels)
        # PyTorchVideo starts the batch norm that bears this mark at 0.
        self.norm_b.block_final_bn = True  # type: ignore[assignment]

    def forward(self, features: Tensor) -> Tensor:
        features = self.act_a(self.norm_a(self.conv_a(features)))
        result: Tensor = self.norm_b(self.conv_b(features))
        return result


def _basic_block(*, dim_in: int, dim_out: int, **options: Any) -> BasicBlock:
    """Called by `create_res_stage`, which names its arguments after bottlenecks."""

    def convolution(inputs: int, part: str) -> nn.Conv3d:
        kernel, stride, padding = (options[f"conv_{part}_{name}"] for name in ("kernel_size", "stride", "padding"))
        return nn.Conv3d(inputs, dim_out, kernel, stride, padding, bias=False)

    return BasicBlock(convolution(dim_in, "a"), convolution(dim_out, "b"), dim_out)


def build(options: SlowR18Options) -> SlowR18:
    return SlowR18(options.width, options.block, options.temporal_convs)
