"""Video ResNets of basic blocks, put together from torchvision's parts at any width.

torchvision's own builder knows one width. Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action
Recognition", https://arxiv.org/abs/1711.11248.

torchvision is imported where a network is built: it takes 1.5 seconds, which commands that only read a study need not
wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from torch import Tensor, nn

from raysl.models.backbone import Backbone
from raysl.models.backbone_options import LastStageTime

Shortcut = Callable[[int, int, tuple[int, int, int]], nn.Module]
"""From inputs, outputs and stride to the shortcut of a block that changes the shape."""

Convolution = Literal["Conv3DSimple", "Conv3DNoTemporal", "Conv2Plus1D"]
"""torchvision's builders of convolutions, by name: full 3-D, over space alone, factorised."""


class VideoResNet(Backbone):
    """A stem and four stages; modules are named as in torchvision, so its weights load at width 1.

    Clips of any size pass. Weights are as torch.nn draws them.

    Args:
        channels: after the stem; the stages have 1, 2, 4 and 8 times as many.
        stem: from 3 channels to ``channels``.
        convolutions: of each of the four stages: one of torchvision's, or a class of its kind.
        blocks: basic blocks in a stage.
        shortcut: of the first block of a stage that changes the shape.
        last_stage_time: of stage 4; ``kept``: see `keep_time`.
    """

    def __init__(
        self,
        channels: int,
        stem: nn.Module,
        convolutions: Sequence[Convolution | Any],
        *,
        blocks: int = 2,
        shortcut: Shortcut | None = None,
        last_stage_time: LastStageTime = "halved",
    ) -> None:
        super().__init__()
        make = shortcut or strided_shortcut
        self.stem = stem
        self.layer1 = _stage(channels, channels, 1, convolutions[0], blocks, make)
        self.layer2 = _stage(channels, 2 * channels, 2, convolutions[1], blocks, make)
        self.layer3 = _stage(2 * channels, 4 * channels, 2, convolutions[2], blocks, make)
        self.layer4 = _stage(4 * channels, 8 * channels, 2, convolutions[3], blocks, make)
        self.feature_dim = 8 * channels
        if last_stage_time == "kept":
            keep_time(self.layer4)

    def forward(self, clips: Tensor) -> Tensor:
        features = self.layer2(self.layer1(self.stem(clips)))
        result: Tensor = self.layer4(self.layer3(features))
        return result


def _stage(
    inputs: int, outputs: int, stride: int, kind: Convolution | Any, blocks: int, shortcut: Shortcut
) -> nn.Sequential:
    from torchvision.models.video import resnet

    convolution, beside = getattr(resnet, kind) if isinstance(kind, str) else kind, None
    if stride != 1 or inputs != outputs:
        beside = shortcut(inputs, outputs, convolution.get_downsample_stride(stride))
    first = resnet.BasicBlock(inputs, outputs, convolution, stride, beside)
    return nn.Sequential(first, *(resnet.BasicBlock(outputs, outputs, convolution) for _ in range(blocks - 1)))


def strided_shortcut(inputs: int, outputs: int, stride: tuple[int, int, int]) -> nn.Sequential:
    """A strided 1x1x1 convolution and batch norm."""
    return nn.Sequential(nn.Conv3d(inputs, outputs, kernel_size=1, stride=stride, bias=False), nn.BatchNorm3d(outputs))


def keep_time(stage: nn.Sequential) -> None:
    """Gives a stage that halves time the temporal stride 1.

    The temporal convolution of its first block is dilated by 2 instead; nothing else changes, as in TCLR's code, whose
    forward pass this equals with the same weights (code). The aim that TCLR states, the same temporal receptive field
    (printed), would need the stage's other three convolutions dilated too. TCLR's loader also puts a full 3x3x3
    convolution in place of the factorised one of R(2+1)D, a side effect: here it stays factorised.
    """
    block: Any = stage[0]
    for convolution in _convolutions(block.conv1):
        if convolution.kernel_size[0] > 1:
            convolution.dilation = (2, 1, 1)
            convolution.padding = (2 * (convolution.kernel_size[0] // 2), *convolution.padding[1:])
        convolution.stride = (1, *convolution.stride[1:])
    for convolution in _convolutions(block.downsample):
        convolution.stride = (1, *convolution.stride[1:])


def draw_kaiming(module: nn.Module) -> None:
    """He et al. 2015 over the outputs of every convolution, as torchvision and Hara et al. start (code)."""
    for convolution in _convolutions(module):
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")


def _convolutions(module: nn.Module) -> list[Any]:
    return [inner for inner in module.modules() if isinstance(inner, nn.Conv3d)]
