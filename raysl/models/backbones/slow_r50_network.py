"""The network of `slow_r50`; its options and sources stand in `raysl.models.backbones.slow_r50`."""

from __future__ import annotations

from raysl.models.backbone_options import stem_channels
from raysl.models.backbones.slow_r50 import SlowR50Options
from raysl.models.slow import SlowResNet


class SlowR50(SlowResNet):
    """Slow R50 without pooling and classifier.

    ``[B, 3, T, H, W]`` to ``[B, 2048 * width, T, H / 32, W / 32]``, sizes rounded up; clips of any size.

    Args:
        width: factor of every layer's channels.
    """

    def __init__(self, width: float = 1.0) -> None:
        from pytorchvideo.models.resnet import create_resnet  # as in `raysl.models.video_resnet`

        channels = stem_channels(width)
        network = create_resnet(
            model_depth=50,
            stem_dim_out=channels,
            stem_conv_kernel_size=(1, 7, 7),
            stage_conv_a_kernel_size=((1, 1, 1), (1, 1, 1), (3, 1, 1), (3, 1, 1)),
            head=None,
        )
        super().__init__(network, 32 * channels, "ResNet-50")


def build(options: SlowR50Options) -> SlowR50:
    return SlowR50(options.width)
