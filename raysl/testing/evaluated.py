"""The tiny rendered sets and the network of the tests that evaluate real videos; importable from other processes."""

from __future__ import annotations

from functools import cache

import torch

from raysl.config.component import Chosen, find
from raysl.config.sections import ClipOptions
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.models.backbone import Backbone
from raysl.testing.cells import TINY_BACKBONE, rendered

RESIZE = 32
CLIP = ClipOptions(frames=4, stride=3, size=32, resize=RESIZE)
CPU = torch.device("cpu")


def chosen(kind: str, name: str, **options: object) -> Chosen:
    return Chosen(kind, name, find(kind, name).options(**options))


DATA = chosen(
    "data set", "synthetic", classes=3, train_per_class=5, test_per_class=3, frames=16, height=32, width=40, sprites=2
)
"""15 training and 9 test videos of three motions."""
SIX_CLASSES = chosen("data set", "synthetic", **{**DATA.options.model_dump(), "classes": 6, "train_per_class": 2})


@cache
def six_classes() -> VideoSource:
    """Twelve training and eighteen test videos."""
    return open_source(SIX_CLASSES, rendered(), resize=RESIZE)


def open_tiny(places: Places) -> VideoSource:
    """The videos of `DATA`."""
    return open_source(DATA, places, resize=RESIZE)


def backbone() -> Backbone:
    """The tiny one, always with the same weights."""
    torch.manual_seed(0)
    network = chosen("backbone", TINY_BACKBONE).build()
    assert isinstance(network, Backbone)
    return network
