"""A backbone of three layers, by import path: tests of what surrounds a network train it in a tenth of R3D-18's time.

Its feature maps have R3D-18's number of timesteps. `tests/models` tests the backbones that come with raysl.
"""

from __future__ import annotations

from torch import Tensor, nn

from raysl.config.component import Component
from raysl.config.options import Options
from raysl.models.backbone import Backbone
from raysl.models.backbone_options import LastStageTime, last_stage_option
from raysl.models.video_resnet import draw_kaiming, keep_time, strided_shortcut


class TinyOptions(Options):
    last_stage_time: LastStageTime = last_stage_option()


class Tiny(Backbone):
    """``[B, 3, T, H, W]`` to ``[B, 32, T / 8, H / 8, W / 8]``, sizes rounded up; T / 4 with ``kept``."""

    feature_dim = 32

    def __init__(self, last_stage_time: LastStageTime = "halved") -> None:
        from torchvision.models.video.resnet import BasicBlock, Conv3DSimple

        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, 8, kernel_size=5, stride=4, padding=2, bias=False), nn.BatchNorm3d(8), nn.ReLU(inplace=True)
        )
        self.layer = nn.Sequential(BasicBlock(8, 32, Conv3DSimple, 2, strided_shortcut(8, 32, (2, 2, 2))))
        if last_stage_time == "kept":
            keep_time(self.layer)
        draw_kaiming(self)

    def forward(self, clips: Tensor) -> Tensor:
        features: Tensor = self.layer(self.stem(clips))
        return features


def _build(options: TinyOptions) -> Tiny:
    return Tiny(options.last_stage_time)


COMPONENT = Component(kind="backbone", options=TinyOptions, build=_build)
