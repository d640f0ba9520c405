"""S3D, with or without self-gating, put together from torchvision's parts at any width.

Xie et al. 2018, "Rethinking Spatiotemporal Feature Learning", https://arxiv.org/abs/1712.04851: an Inception network
whose k x k x k convolutions are 1 x k x k and k x 1 x 1. torchvision's own builder knows one width and no gating.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from raysl.models.backbone import Backbone
from raysl.models.backbone_options import check_clip, scaled, smallest_clip

BLOCKS = (
    ((192, 64, 96, 128, 16, 32, 32), (256, 128, 128, 192, 32, 96, 64)),
    (
        (480, 192, 96, 208, 16, 48, 64),
        (512, 160, 112, 224, 24, 64, 64),
        (512, 128, 128, 256, 24, 64, 64),
        (512, 112, 144, 288, 32, 64, 64),
        (528, 256, 160, 320, 32, 128, 128),
    ),
    ((832, 256, 160, 320, 32, 128, 128), (832, 384, 192, 384, 48, 128, 128)),
)
"""Inception blocks of the three groups at width 1: inputs; branch 0; branch 1, inside and out; branch 2; branch 3."""


class S3DNetwork(Backbone):
    """S3D without pooling and classifier; without gating modules are named as in torchvision.

    The smallest clip is 5x17x17, slow 3x17x17. Weights are as torch.nn draws them.

    Args:
        width: factor of every layer's channels.
        gating: self-gating after every branch of an inception block (S3D-G).
        slow: no temporal stride in the stem.
        norm: makes the batch norm for a number of channels.
    """

    def __init__(self, width: float, *, gating: bool, slow: bool, norm: Callable[[int], nn.Module]) -> None:
        from torchvision.models.video.s3d import SepInceptionBlock3D, TemporalSeparableConv  # as in `video_resnet`
        from torchvision.ops.misc import Conv3dNormActivation

        from raysl.models.gated_inception import GatedInception

        super().__init__()
        wide = partial(scaled, width=width)
        block = GatedInception if gating else SepInceptionBlock3D
        first, second, third = ([block(*map(wide, row), norm_layer=norm) for row in group] for group in BLOCKS)
        stem = TemporalSeparableConv(3, wide(64), 7, 2, 3, norm)
        if slow:
            stem[1][0].stride = (1, 1, 1)
        self.features = nn.Sequential(
            stem,
            nn.MaxPool3d(kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            Conv3dNormActivation(wide(64), wide(64), kernel_size=1, norm_layer=norm),
            TemporalSeparableConv(wide(64), wide(192), 3, 1, 1, norm),
            nn.MaxPool3d(kernel_size=(1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            *first,
            nn.MaxPool3d(kernel_size=3, stride=2, padding=1),
            *second,
            nn.MaxPool3d(kernel_size=2, stride=2),
            *third,
        )
        self.feature_dim = wide(1024)
        self._smallest = smallest_clip(slow)

    def forward(self, clips: Tensor) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, 1024 * width, T / 8, H / 32, W / 32]`` (slow: T / 4).

        Sizes are rounded up by each halving but the last, which rounds down.

        Raises:
            ConfigError: the clip is too small.
        """
        check_clip(clips.shape[2:], self._smallest)
        features: Tensor = self.features(clips)
        return features
