"""A small rendered set, decoded and cached as in a real run, and cells that read it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from raysl.config.cell import CellConfig
from raysl.config.load import cell_from
from raysl.data.frame_cache import FrameCache
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.testing.pair_sampler import CLIP, clip_options

__all__ = ["CLIP", "DATA", "clip_options", "copy_without", "open_set", "small_cell"]

DATA: dict[str, Any] = {
    "name": "synthetic",
    "classes": 2,
    "train_per_class": 7,
    "test_per_class": 1,
    "frames": 20,
    "height": 32,
    "width": 48,
}


def small_cell(
    *,
    clip: dict[str, Any] | None = None,
    augment: dict[str, Any] | None = None,
    sampling: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    objective: dict[str, Any] | None = None,
    pretraining: str = "self_supervised",
    **training: Any,
) -> CellConfig:
    """A cell on the rendered set; keywords are laid over its sections, what is left over ``training``."""
    return cell_from(
        {
            "pretraining": pretraining,
            "data": DATA | (data or {}),
            "clip": CLIP | (clip or {}),
            "sampling": {"pair": {"name": "random"}} | (sampling or {}),
            "augment": {"name": "standard"} | (augment or {}),
            "backbone": {"name": "r3d_18", "width": 0.0625},
            "objective": {"contrastive": {"framework": "simclr"}} | (objective or {}),
            "optimizer": {"name": "adamw", "learning_rate": {"value": 1e-3, "at_batch": 4}},
            "schedule": {"name": "cosine"},
            "training": {"epochs": 1, "batch_size": 4, "seed": 3} | training,
        },
        "a test's cell",
    )


def open_set(folder: Path) -> VideoSource:
    """The rendered set below ``folder``, made there where it is absent."""
    return open_source(small_cell().data, Places({}, folder, cache_gigabytes=1.0), resize=32)


def copy_without(source: VideoSource, folder: Path, videos: list[int]) -> VideoSource:
    """A source without a cache whose manifest still believes in ``videos``, but whose files are gone."""
    shutil.copytree(source.root, folder / "files")
    for video in videos:
        (folder / "files" / source.catalog.videos[video].path).unlink()
    return VideoSource(source.catalog, source.manifest, folder / "files", FrameCache(folder / "cache", 32, 0))
