"""Metrics of embeddings at the points where their values are known."""

from __future__ import annotations

import math

import pytest
import torch

from raysl.objectives.losses.representation_metrics import representation_metrics


def test_collapsed() -> None:
    rows = torch.ones(8, 16)
    metrics = representation_metrics(rows, rows)
    assert metrics["embedding_std"] == pytest.approx(0, abs=1e-6)
    assert metrics["alignment"] == pytest.approx(0, abs=1e-6)
    assert metrics["uniformity"] == pytest.approx(0, abs=1e-6)


def test_spread_over_the_sphere() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(2000, 64, generator=generator) * scale for scale in (1, 50))
    metrics = representation_metrics(query, key)
    assert metrics["embedding_std"] == pytest.approx(1, abs=0.01)
    # Independent directions: squared distance 2, and E exp(-2 d^2) of nearly constant d^2 = 2 is about exp(-4).
    assert metrics["alignment"] == pytest.approx(2, abs=0.02)
    assert metrics["uniformity"] == pytest.approx(-4 + 8 / 64, abs=0.05)


def test_opposite_views() -> None:
    rows = torch.eye(4)
    metrics = representation_metrics(rows, -rows)
    assert metrics["alignment"] == pytest.approx(4)
    assert metrics["uniformity"] == pytest.approx(-4)


def test_uniformity_of_two_videos_by_hand() -> None:
    query = torch.tensor([[1.0, 0.0], [math.cos(1), math.sin(1)]])
    squared_distance = 2 - 2 * math.cos(1)
    assert representation_metrics(query, query)["uniformity"] == pytest.approx(-2 * squared_distance, abs=1e-5)


def test_carries_no_gradient() -> None:
    rows = torch.randn(4, 8, requires_grad=True)
    assert not any(value.requires_grad for value in representation_metrics(rows, rows).values())
