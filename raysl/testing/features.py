"""Features of videos drawn from a known law, for the tests of protocols."""

from __future__ import annotations

import numpy as np

from raysl.evaluation.protocol import Features


def toy_features(
    videos: int, classes: int, *, signal: float, split: str, dimension: int = 16, seed: int = 0, groups: int = 0
) -> Features:
    """Class means of length ``signal`` (the same for every split) plus unit Gaussian noise; labels take turns."""
    means = np.random.default_rng(99).normal(size=(classes, dimension))
    means *= signal / np.linalg.norm(means, axis=1, keepdims=True)
    noise = np.random.default_rng((seed, len(split))).normal(size=(videos, dimension))
    label = np.arange(videos) % classes
    group = tuple(f"{split}{row // classes % groups}" if groups else None for row in range(videos))
    return Features(
        video=np.arange(videos) + (0 if split == "train" else 10_000),
        label=label,
        path=tuple(f"{split}/{row}.mp4" for row in range(videos)),
        group=group,
        values=(means[label] + noise).astype(np.float32),
    )


def class_names(count: int) -> tuple[str, ...]:
    return tuple(f"class{index}" for index in range(count))
