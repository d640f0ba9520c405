"""The tiny rendered set and network of the tests that evaluate real videos; importable from other processes."""

from __future__ import annotations

from pathlib import Path

from raysl.config.evaluation import EvaluationConfig
from raysl.testing.evaluated import CLIP, CPU, DATA, RESIZE, backbone, chosen, open_tiny

__all__ = ["CLIP", "CPU", "DATA", "RESIZE", "UNREADABLE", "backbone", "chosen", "damage", "evaluation", "open_tiny"]

UNREADABLE = 4
"""Catalog row of the damaged training video."""


def evaluation(protocol: str, label: str, **options: object) -> EvaluationConfig:
    return EvaluationConfig(label=label, protocol=chosen("protocol", protocol, **options), data=DATA)


def damage(file: Path) -> None:
    file.write_bytes(b"not a video")
