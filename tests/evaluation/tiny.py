"""The tiny rendered set and network of the tests that evaluate real videos; importable from other processes."""

from __future__ import annotations

from pathlib import Path

import torch

from raysl.config.component import Chosen, find
from raysl.config.evaluation import EvaluationConfig
from raysl.config.sections import ClipOptions
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.models.backbone import Backbone
from tests.cells import TINY_BACKBONE

RESIZE = 32
CLIP = ClipOptions(frames=4, stride=3, size=32, resize=RESIZE)
CPU = torch.device("cpu")


def chosen(kind: str, name: str, **options: object) -> Chosen:
    return Chosen(kind, name, find(kind, name).options(**options))


DATA = chosen(
    "data set", "synthetic", classes=3, train_per_class=5, test_per_class=3, frames=16, height=32, width=40, sprites=2
)
UNREADABLE = 4
"""Catalog row of the damaged training video."""


def evaluation(protocol: str, label: str, **options: object) -> EvaluationConfig:
    return EvaluationConfig(label=label, protocol=chosen("protocol", protocol, **options), data=DATA)


def open_tiny(places: Places) -> VideoSource:
    return open_source(DATA, places, resize=RESIZE)


def backbone() -> Backbone:
    torch.manual_seed(0)
    network = chosen("backbone", TINY_BACKBONE).build()
    assert isinstance(network, Backbone)
    return network


def damage(file: Path) -> None:
    file.write_bytes(b"not a video")
