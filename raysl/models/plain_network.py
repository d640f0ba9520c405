"""A backbone without raysl: the lines of Python that build it from torchvision, PyTorchVideo or PyTorch alone.

`Component.plain` of a backbone gives them, and a model card prints them (`raysl export-backbone`). A backbone without
them is exported as a traced program.
"""

from __future__ import annotations

from dataclasses import dataclass

Change = tuple[str, tuple[str, ...]]
"""What differs from a network, in words and in lines of Python."""

POOLED = ".mean(dim=(2, 3, 4))"

RESIZE = (
    "for name, value in [*network.named_parameters(), *network.named_buffers()]:",
    "    value.data = torch.empty_like(weights[name])  # every layer takes the size of its weights",
)
"""A network of one width becomes that of another: convolutions and batch norms read their sizes from their weights."""


@dataclass(frozen=True)
class PlainNetwork:
    """How ``network`` is built in plain Python.

    Attributes:
        origin: the network that it is, or is changed from: ``torchvision.models.video.r3d_18``.
        imports: lines that import what ``build`` names; ``torch`` and ``load_file`` are imported already.
        build: lines that set ``network``, without a classifier.
        changes: what differs from ``origin``, in words; empty where the weights load into it as it is.
        resize: the layers take their sizes from ``weights``: another width than the origin's.
        pools: whether ``network(clips)`` is ``[B, D]``; else it is ``[B, D, T', H', W']``.
        prefix: of the backbone's own names, which the exported ones are without.
    """

    origin: str
    imports: tuple[str, ...]
    build: tuple[str, ...]
    changes: tuple[str, ...] = ()
    resize: bool = False
    pools: bool = True
    prefix: str = ""

    def program(self, file: str) -> str:
        """Python that loads ``file`` strictly and computes ``features``, ``[B, D]``, of ``clips``."""
        lines = ["import torch", "from safetensors.torch import load_file", *self.imports, ""]
        lines += [f'weights = load_file("{file}")', *self.build, *(RESIZE if self.resize else ())]
        lines += ["network.load_state_dict(weights, strict=True)", "network.eval()"]
        lines += [f"features = network(clips){'' if self.pools else POOLED}"]
        return "\n".join(lines)


def of_torchvision(name: str, width: float, head: tuple[str, ...], *changes: Change) -> PlainNetwork:
    """A video network of torchvision.

    Args:
        name: of its builder in ``torchvision.models.video``.
        head: lines that take its classifier away.
        changes: each in words, with its lines.
    """
    said = tuple(words for words, _ in changes) + ((f"width {width:g}",) if width != 1 else ())
    return PlainNetwork(
        origin=f"torchvision.models.video.{name}",
        imports=(f"from torchvision.models.video import {name}",),
        build=(f"network = {name}()", *head, *(line for _, lines in changes for line in lines)),
        changes=said,
        resize=width != 1,
    )


WITHOUT_FC = ("network.fc = torch.nn.Identity()",)


def of_pytorchvideo(depth: int, channels: int, stem: str, width: float, origin: str) -> PlainNetwork:
    """A slow pathway that PyTorchVideo's ``create_resnet`` builds.

    Args:
        channels: after the stem.
        stem: its other arguments.
        origin: how the network is called, with ``create_resnet``.
    """
    return PlainNetwork(
        origin=origin,
        imports=("from pytorchvideo.models.resnet import create_resnet",),
        build=(
            f"network = create_resnet(model_depth={depth}, stem_dim_out={channels}, {stem}, head=None,",
            "    stage_conv_a_kernel_size=((1, 1, 1), (1, 1, 1), (3, 1, 1), (3, 1, 1)))",
        ),
        changes=() if width == 1 else (f"width {width:g}",),
        pools=False,
        prefix="network.",
    )


def kept_time(temporal: str, padding: tuple[int, int, int], stride: tuple[int, int, int]) -> Change:
    """`raysl.models.video_resnet.keep_time` in plain Python.

    Args:
        temporal: the convolution of the last stage that strides in time.
        padding: of it, dilated. stride: of it, in time 1.
    """
    return (
        "the last stage keeps time, its first temporal convolution dilated by 2",
        (
            f"conv = {temporal}",
            f"conv.stride, conv.dilation, conv.padding = {stride}, (2, 1, 1), {padding}",
            "network.layer4[0].downsample[0].stride = (1, 2, 2)",
        ),
    )
