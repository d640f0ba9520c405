"""What the frame cache would take of a data set, said before it is filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from av.error import FFmpegError

from raysl.data.catalog import Catalog
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.prepare_folder import MADE_BY, prepared
from raysl.notes import say_once

SMALL = 10**9
"""Bytes of a set that are not worth a line if the budget is larger."""
SAMPLED = 32
"""Videos whose headers are read, if the set was not decoded yet."""
FRAME_RATE = 25.0
"""Assumed of a file that says its length in seconds alone."""


@dataclass(frozen=True)
class CacheNeed:
    """Bytes of decoded frames.

    Attributes:
        need: of all readable videos at the size that is asked for.
        may: that the cache may hold of them: those that it has, and what is left of its budget.
        budget: of the cache, all data sets and sizes together.
        exact: the videos were decoded before; otherwise ``need`` is an estimate from some of their headers.
    """

    need: int
    may: int
    budget: int
    exact: bool

    @property
    def share(self) -> float:
        """Of the videos that the cache may hold; 0 to 1."""
        return min(1.0, self.may / self.need) if self.need else 1.0

    def text(self) -> str:
        """``150 GB of frames, the cache may have 20 GB: 13 % of the videos``."""
        about = "" if self.exact else "about "
        left = f", {_gigabytes(self.may)} GB of it for this set" if self.may < self.budget and self.share < 1 else ""
        fits = "all" if self.share == 1 else f"{100 * self.share:.0f} %"
        budget = _gigabytes(self.budget)
        return (
            f"{about}{_gigabytes(self.need)} GB of frames, the cache may have {budget} GB{left}: {fits} of the videos"
        )


def cache_need(catalog: Catalog, root: Path, cache: FrameCache, manifest: Manifest | None) -> CacheNeed:
    """What a data set needs, and what of it the cache may hold.

    Args:
        manifest: of all videos; None: not known yet.
    """
    rows = _sample(catalog, root) if manifest is None else [row for row in manifest.rows if row.error is None]
    need = sum(cache.bytes_of(row) for row in rows)
    if manifest is None:
        need = int(need / max(len(rows), 1) * len(catalog.videos))
    if not need or not cache.budget.budget_bytes:
        return CacheNeed(need, 0, cache.budget.budget_bytes, manifest is not None)
    lacking = need if manifest is None else sum(cache.bytes_of(row) for row in cache.lacking(rows))
    room = max(0, cache.room()) if lacking else 0
    return CacheNeed(need, need - lacking + room, cache.budget.budget_bytes, manifest is not None)


def say_need(name: str, catalog: Catalog, root: Path, cache: FrameCache, manifest: Manifest | None) -> None:
    """A note before the cache is filled with a large set, or with one that it cannot hold; none if it is switched off.

    Args:
        name: of the data set.
    """
    if not cache.budget.budget_bytes:
        return
    found = cache_need(catalog, root, cache, manifest)
    if found.need < min(SMALL, found.budget):
        return
    advice = "" if found.share == 1 else f"; the others are decoded at every step: {_advice(name, root)}"
    say_once(f"{name} at short side {cache.resize}: {found.text()}{advice}")


def _advice(name: str, root: Path) -> str:
    larger = "give the cache more (--cache-gigabytes)"
    return larger if prepared(root) is not None else f"{larger}, or make copies that decode faster ({MADE_BY} {name})"


def _sample(catalog: Catalog, root: Path) -> Sequence[ManifestRow]:
    """Rows of some videos by their headers; without those that say nothing."""
    step = max(1, len(catalog.videos) // SAMPLED)
    return [row for video in catalog.videos[::step][:SAMPLED] if (row := _header(root, video.path)) is not None]


def _header(root: Path, path: str) -> ManifestRow | None:
    try:
        with av.open(str(root / path), metadata_errors="replace") as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or FRAME_RATE)
            seconds = (container.duration or 0) / 1e6
            frames, height, width = stream.frames or round(seconds * rate), stream.height, stream.width
    except (FFmpegError, OSError, ValueError, IndexError, AttributeError):
        return None  # the manifest will say why
    known = frames > 0 and height > 0 and width > 0
    return ManifestRow(path, frames, frames, (), height, width, rate, "", False) if known else None


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.0f}" if count >= 1e10 else f"{count / 1e9:.2g}"
