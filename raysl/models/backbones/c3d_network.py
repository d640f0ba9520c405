"""The network of `c3d`; its options and sources stand in `raysl.models.backbones.c3d`."""

from __future__ import annotations

from torch import Tensor, nn

from raysl.models.backbone import Backbone
from raysl.models.backbone_options import LastStageTime, check_clip, scaled
from raysl.models.backbones.c3d import GROUPS, C3DOptions, smallest_clip


class C3D(Backbone):
    """C3D up to its last convolution; modules are named as in VCOP's code.

    The smallest clip is 8x16x16, or 4x16x16 where the last stage keeps time.

    Args:
        width: factor of every layer's channels.
        last_stage_time: ``kept`` gives T / 4.
    """

    def __init__(self, width: float = 1.0, last_stage_time: LastStageTime = "halved") -> None:
        super().__init__()
        last = 2 if last_stage_time == "halved" else 1
        pools = {"1": ("pool1", 1), "2": ("pool2", 2), "3b": ("pool3", 2), "4b": ("pool4", last)}
        inputs = 3
        for name, channels in GROUPS.items():
            outputs = scaled(channels, width)
            self.add_module(f"conv{name}", nn.Conv3d(inputs, outputs, kernel_size=3, padding=1))
            self.add_module(f"bn{name}", nn.BatchNorm3d(outputs))
            self.add_module(f"relu{name}", nn.ReLU(inplace=True))
            if name in pools:
                pool, time = pools[name]
                self.add_module(pool, nn.MaxPool3d((time, 2, 2)))
            inputs = outputs
        self.feature_dim = inputs
        self._smallest = smallest_clip(last_stage_time)

    def forward(self, clips: Tensor) -> Tensor:
        """``[B, 3, T, H, W]`` to ``[B, 512 * width, T / 8, H / 16, W / 16]``, sizes rounded down.

        Raises:
            ConfigError: the clip is too small.
        """
        check_clip(clips.shape[2:], self._smallest)
        for layer in self.children():
            clips = layer(clips)
        return clips


def build(options: C3DOptions) -> C3D:
    return C3D(options.width, options.last_stage_time)
