"""What rows' networks see of one training video, below the frames as decoded (CVRL's Figure 7)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from raysl.reports.figure import BLACK, Figure, FigureInput, lines_of, rows_with_curves, shortened, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from raysl.reports.seen_clips import SeenClip, SeenVideo

COLUMNS = (
    "panel",
    "unit",
    "row",
    "seed",
    "video",
    "view",
    "kind",
    "frames",
    "top",
    "left",
    "height",
    "width",
    "pixels",
)
DRAWN = 6
"""Panels."""
GAP = 2
"""Pixels between frames of a strip."""
BELOW = 1.12
"""Distance from one strip to the next, in heights of a frame."""


def table(source: FigureInput) -> pd.DataFrame:
    """A line for each clip of each row's first seed; rows with the same pixels are one.

    ``pixels`` is the clip's frames side by side, and in no file. Empty if the videos are not on this machine.
    """
    groups: dict[tuple[bytes, ...], list[str]] = {}
    seen: dict[str, SeenVideo] = {}
    for row in rows_with_curves(source.table.source.rows, source.table.source.baseline):
        found = source.clips(row.name)
        if found is not None:
            seen[row.name] = found
            groups.setdefault(tuple(clip.augmented.tobytes() for clip in found.clips), []).append(row.name)
    return tidy((line for names in groups.values() for line in _lines(names, seen[names[0]])), COLUMNS)


def _lines(names: list[str], found: SeenVideo) -> Iterator[dict[str, Any]]:
    head = {"panel": ", ".join(names), "unit": "", "row": names[0], "seed": found.seed, "video": found.path}
    placed: set[tuple[int, ...]] = set()
    for clip in found.clips:
        if clip.indices not in placed:  # clips at one position have the same frames
            placed.add(clip.indices)
            yield {**head, **_clip(clip, "decoded", clip.decoded, (0.0, 0.0, 1.0, 1.0))}
        yield {**head, **_clip(clip, "augmented", clip.augmented, clip.box)}


def _clip(
    clip: SeenClip, kind: str, frames: NDArray[np.uint8], box: tuple[float, float, float, float]
) -> dict[str, Any]:
    place = dict(zip(("top", "left", "height", "width"), box, strict=True))
    return {"view": clip.view, "kind": kind, "frames": " ".join(map(str, clip.indices)), **place, "pixels": frames}


def draw(data: pd.DataFrame, axes: Axes) -> None:
    for number, line in enumerate(lines_of(data)):
        strip, top = _strip(line.pixels), BELOW * number
        axes.imshow(strip, extent=(0, strip.shape[1] / strip.shape[0], top + 1, top), interpolation="none")
        text = "as decoded" if line.kind == "decoded" else shortened(line.view, 14, 2)
        axes.text(-0.1, top + 0.5, text, fontsize=5.5, ha="right", va="center", color=BLACK)
    name = shortened(PurePosixPath(data["video"].iloc[0]).stem, 60, 1)
    axes.text(0, BELOW * len(data), name, fontsize=5, va="top", color=BLACK)
    axes.set_xlim(-1.2, _widest(data))
    axes.set_ylim(BELOW * len(data) + 0.3, -0.05)
    axes.set_aspect("equal")
    axes.axis("off")


def _strip(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``[n, h, w, 3]`` frames side by side, white between them."""
    white = np.full((frames.shape[1], GAP, 3), 255, np.uint8)
    parts = [part for frame in frames for part in (frame, white)]
    return np.concatenate(parts[:-1], axis=1)


def _widest(data: pd.DataFrame) -> float:
    shapes = [_strip(frames).shape for frames in data["pixels"]]
    return max(float(shape[1] / shape[0]) for shape in shapes)


def size(data: pd.DataFrame) -> tuple[float, float]:
    return 0.45 * (1.2 + _widest(data)), 0.2 + 0.45 * BELOW * len(data)


FIGURE = Figure(
    title="What the networks see",
    caption=(
        "Clips of a row's first training video in its first epoch, at its first seed, by the draws of the training: "
        "frames as decoded, and below them each view as augmentation and pretext tasks leave it, before frames are "
        "subtracted and normalised; of a long clip some frames. Rows that see the same stand together. Drawn where the "
        "videos are on the machine that reports."
    ),
    table=table,
    draw=draw,
    size=size,
    beside=1,
    most_panels=DRAWN,
    order=90,
    undrawn=("pixels",),
)
