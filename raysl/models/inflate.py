"""``init: inflate``: a video network started from the weights of the image network it was made of.

Carreira and Zisserman 2017, "Quo Vadis, Action Recognition?", https://arxiv.org/abs/1705.07750: a d x d kernel is
repeated t times along time and divided by t, so that a clip of one repeated frame gives the image's activations
(but where zero padding in time is seen). CVRL's inflated baselines (Tables 2 and 3) start so.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from raysl.config.options import Options
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone
from raysl.models.inflate_options import inflated_from, weights_file

NESTING = ("state_dict", "model_state_dict", "model")
"""Where training programs put the weights in what they save."""
TRAINED = {"", "module", "backbone", "encoder_q", "encoder", "model", "net"}
"""Prefixes of the trained network, if a file holds several (MoCo: ``encoder_q``, not ``encoder_k``)."""
UNREADABLE = (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, UnpicklingError)
"""What torch.load raises for bytes that are not what it wrote."""


class InflatableBackbone(Backbone):
    """A backbone that can be inflated from an image network.

    Attributes:
        image_network: which, for messages: ``ResNet-50``.
    """

    image_network: str

    @abstractmethod
    def image_name(self, name: str) -> str:
        """The name in torchvision's image network of the parameter or buffer ``name`` of this backbone."""


def start_weights(backbone: Backbone, options: Options, files: Mapping[str, Path]) -> None:
    """Inflates the file's weights into the backbone where its options say so, in place.

    Args:
        files: name to file.

    Raises:
        ConfigError: the file is absent or unreadable, or holds another network.
    """
    name = inflated_from(options)
    if name is None:
        return
    if not isinstance(backbone, InflatableBackbone):
        raise TypeError(f"{type(backbone).__name__} has options to inflate and is no InflatableBackbone")
    inflate(backbone, read_image_weights(name, weights_file(name, files)), name)


def read_image_weights(name: str, file: Path) -> dict[str, Tensor]:
    """Tensors by torchvision's names (``conv1.weight``), whatever nesting and prefixes the file has.

    Raises:
        ConfigError: it cannot be read, or no ResNet is in it.
    """
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise ConfigError(
            f"inflate_from: {name}: {file.name} cannot be read as tensors alone ({type(error).__name__}); save the "
            "network's state_dict() with torch.save"
        ) from error
    while isinstance(content, Mapping) and (inner := [key for key in NESTING if isinstance(content.get(key), Mapping)]):
        content = content[inner[0]]
    tensors = (
        {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        if isinstance(content, Mapping)
        else {}
    )
    prefix = _prefix(tensors, name)
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _prefix(tensors: Mapping[str, Tensor], name: str) -> str:
    """The prefix before ``conv1.weight``."""
    ends = [key.removesuffix("conv1.weight") for key in tensors if key.endswith("conv1.weight")]
    stems = [prefix for prefix in ends if "layer" not in prefix and (not prefix or prefix.endswith("."))]
    if len(stems) > 1:
        stems = [prefix for prefix in stems if set(prefix.split(".")) <= TRAINED]
    if len(stems) != 1:
        found = f"several networks ({', '.join(sorted(stems))})" if stems else "no conv1.weight"
        raise ConfigError(f"inflate_from: {name}: the file holds {found}; give one torchvision ResNet's state dict")
    return stems[0]


@torch.no_grad()
def inflate(backbone: InflatableBackbone, images: Mapping[str, Tensor], name: str) -> None:
    """Copies an image network's weights and batch-norm statistics into the backbone, kernels repeated along time.

    Its classifier and whatever else is no layer of the network are left out.

    Args:
        images: by torchvision's names; kernels ``[O, I, H, W]``.
        name: of the file, for messages.

    Raises:
        ConfigError: a tensor is missing, misshapen or left over: another depth or width.
    """
    mine = {key: value for key, value in backbone.state_dict().items() if not key.endswith("num_batches_tracked")}
    names = {key: backbone.image_name(key) for key in mine}
    for key, tensor in mine.items():
        kernel = tensor.ndim == 5
        shape = [*tensor.shape[:2], *tensor.shape[3:]] if kernel else list(tensor.shape)
        given = images.get(names[key])
        if given is None:
            raise _mismatch(backbone, name, f"it has no {names[key]}")
        if list(given.shape) != shape:
            raise _mismatch(backbone, name, f"{names[key]} is {list(given.shape)} there and {shape} here")
        tensor.copy_(given.unsqueeze(2) / tensor.shape[2] if kernel else given)
    left = sorted(key for key in set(images) - set(names.values()) if re.match(r"layer\d+\.", key))
    left = [key for key in left if not key.endswith("num_batches_tracked")]
    if left:
        raise _mismatch(backbone, name, f"it has {left[0]}, which is not there")


def _mismatch(backbone: InflatableBackbone, name: str, difference: str) -> ConfigError:
    expected = backbone.image_network
    return ConfigError(
        f"inflate_from: {name}: the file is no {expected} of the backbone's width: {difference}; give a torchvision "
        f"{expected}, or choose the backbone of its depth"
    )
