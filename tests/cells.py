"""Tiny cells that every part of the suite can train in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raysl.config.evaluation import EvaluationConfig
from raysl.config.load import evaluation_from
from raysl.config.yaml_reader import parse_tree
from raysl.testing.cells import TINY, TINY_BACKBONE, tiny_cell

__all__ = ["GOLDEN", "TINY", "TINY_BACKBONE", "tiny_cell", "tiny_evaluation"]

GOLDEN = Path(__file__).parent / "config" / "golden.yaml"


def tiny_evaluation(protocol: str, **options: Any) -> EvaluationConfig:
    """A protocol on the same rendered videos."""
    data = parse_tree(TINY, "tiny").data["data"]
    tree = {"label": f"{protocol}/synthetic", "protocol": {"name": protocol, **options}, "data": data}
    return evaluation_from(tree, "tiny")
