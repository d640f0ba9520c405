"""A data set ready to be read: catalog, manifest, and frames by video and index, from the cache or a decoder."""

from __future__ import annotations

import resource
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from raysl.config.component import Chosen
from raysl.data import decode_decord
from raysl.data.cache_need import say_need
from raysl.data.catalog import Catalog, Video
from raysl.data.decode import decoder_for, read_frames
from raysl.data.decode_pyav import VideoError
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest import Progress, build_manifest, fill_cache, known_manifest, with_local_decoders
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.places import Places, root_key
from raysl.data.prepare_folder import say_if_enlarged
from raysl.data.resize import resize_frames, resized_size
from raysl.data.shared_folder import make_folder
from raysl.data.snapshot import Snapshot
from raysl.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

MOST_MAPS = 2048
"""Mapped files that one source keeps, if the limit on open files allows it."""


@cache
def most_maps() -> int:
    """`MOST_MAPS`, or a quarter of what this process may open: each map holds a descriptor, and a process has several
    sources, sockets and pipes. The limit is raised first, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * MOST_MAPS if hard == resource.RLIM_INFINITY else min(4 * MOST_MAPS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # some sandboxes allow less than they report
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_MAPS if soft == resource.RLIM_INFINITY else max(1, min(MOST_MAPS, soft // 4))


class VideoSource:
    """Frames of a catalog's videos, resized once, the same bits from the cache, from decord and from PyAV.

    It can be sent to other processes (loader workers), which map the cache's files for themselves.

    Attributes:
        catalog: its videos; ``Video.index`` is what ``length`` and ``frames`` take.
        manifest: one row per video, in the same order.
        snapshot: both together, with their hashes.
        reads: number of calls of ``frames`` in this process by ``cache``, ``torchcodec``, ``decord`` and ``pyav``.
        seconds: of ``frames`` in this process: ``decode``, with resizing; ``storage``: the rest of reading a file (what
            no thread computed), and reading the cache.
    """

    def __init__(self, catalog: Catalog, manifest: Manifest, root: Path, cache: FrameCache) -> None:
        self.snapshot = Snapshot(catalog, manifest)
        if [video.index for video in catalog.videos] != list(range(len(catalog.videos))):
            raise DataError(f"data set {catalog.name!r}: its videos are not numbered by their rows")
        self.catalog = catalog
        self.manifest = manifest
        self.root = root
        self.cache = cache
        self.reads: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self._maps: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_maps": OrderedDict(), "reads": Counter(), "seconds": {}}

    def length(self, index: int) -> int:
        """Decoded frames of a video; 0 for an unreadable one."""
        return self.manifest.rows[index].frames

    def frame_size(self, index: int) -> tuple[int, int]:
        """Height and width of a video's frames as `frames` gives them, pixels."""
        row = self.manifest.rows[index]
        return resized_size(row.height, row.width, self.cache.resize)

    def readable(self, split: str) -> tuple[Video, ...]:
        """The readable videos of a split, in catalog order.

        Raises:
            DataError: there is no such split.
        """
        return tuple(video for video in self._split(split) if self.manifest.rows[video.index].error is None)

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        """Frames ``[T, 3, h, w]``, uint8 RGB, ``torch.channels_last``, with the source's short side.

        Args:
            frame_indices: in any order, repetition allowed, each below ``length(index)``.

        Raises:
            DataError: naming the video, if it cannot be read.
            IndexError: an index outside the video.
        """
        import torch

        row = self.manifest.rows[index]
        if row.error is not None:
            raise DataError(f"{self.catalog.name}: {row.path}: {row.error}")
        if not len(frame_indices) or min(frame_indices) < 0 or max(frame_indices) >= row.frames:
            raise IndexError(f"{row.path} has {row.frames} frames, not {list(frame_indices)}")
        began, computed = time.perf_counter(), time.process_time()
        cached = self._map(index, row)
        if cached is not None:
            self.reads["cache"] += 1
            frames = torch.from_numpy(np.asarray(cached[np.asarray(frame_indices)])).permute(0, 3, 1, 2)
            self._spend("storage", time.perf_counter() - began)
            return frames
        decoder = decoder_for(row)
        try:
            frames = read_frames(self.root / row.path, frame_indices, decoder=decoder)
        except VideoError as error:  # reasons are stored and reported, so they name no folder of this machine
            raise VideoError(Path(self.catalog.name, row.path), error.reason, error.lasting) from error
        self.reads[decoder] += 1
        frames = resize_frames(frames, self.cache.resize)
        wall = time.perf_counter() - began
        decoding = min(wall, time.process_time() - computed)
        self._spend("decode", decoding)
        self._spend("storage", wall - decoding)
        return frames

    def _spend(self, part: str, seconds: float) -> None:
        self.seconds[part] = self.seconds.get(part, 0.0) + seconds

    def clips(self, index: int, clips: Sequence[Sequence[int]]) -> list[Tensor]:
        """`frames` of each of several lists of indices; a shared frame is decoded and resized once.

        Cached frames are read for each clip: one copy instead of two.
        """
        import torch

        if len(clips) == 1 or self._map(index, self.manifest.rows[index]) is not None:
            return [self.frames(index, one) for one in clips]
        used = sorted({frame for one in clips for frame in one})
        place = {frame: position for position, frame in enumerate(used)}
        pixels = self.frames(index, used)
        # Indexing with a list takes 600 us for a clip of 16 frames of 128x170, this takes 40.
        layout = pixels.permute(0, 2, 3, 1)
        rows = (torch.tensor([place[frame] for frame in one]) for one in clips)
        return [layout.index_select(0, row).permute(0, 3, 1, 2) for row in rows]

    def _split(self, name: str) -> tuple[Video, ...]:
        videos = self.catalog.split(name)
        if not videos:
            known = ", ".join(sorted({video.split for video in self.catalog.videos})) or "none"
            raise DataError(f"data set {self.catalog.name!r} has no split {name!r}; it has: {known}")
        return videos

    def _map(self, index: int, row: ManifestRow) -> NDArray[np.uint8] | None:
        if index in self._maps:
            self._maps.move_to_end(index)
            return self._maps[index]
        opened = self.cache.open(row)
        if opened is not None:
            self._maps[index] = opened
            if len(self._maps) > most_maps():
                self._maps.popitem(last=False)
        return opened


def open_source(
    data: Chosen,
    places: Places,
    *,
    resize: int,
    snapshot: Snapshot | None = None,
    processes: int | None = 1,
    fill: bool = True,
    progress: Progress | None = None,
    run: str = "",
    compare: bool = False,
) -> VideoSource:
    """Reads a data set's lists, then loads or makes its manifest and fills the cache within its budget.

    Args:
        data: the chosen data set.
        resize: short side of the frames in pixels.
        snapshot: a stored one, which this node's data must match; None: that of the cache folder, completed if it lacks
            videos.
        processes: that decode missing videos; None: one for each CPU of this process.
        fill: False does not fill the cache.
        progress: called with the number of videos done and of all.
        run: as for `Places.fetch`.
        compare: as for `build_manifest`.

    Raises:
        DataError: no root, absent files, another set than the snapshot's.
    """
    places.fetch(data, run, progress)
    root, catalog = _read_catalog(data, places, prepare=True)
    say_if_enlarged(root, data.bound_name, resize)
    cache = FrameCache(places.cache / "frames", resize, int(places.cache_gigabytes * 1e9))
    folder = places.cache / "manifests"
    known = snapshot.manifest if snapshot is not None else known_manifest(catalog, root, folder) if fill else None
    if fill:
        say_need(data.bound_name, catalog, root, cache, known)
    if snapshot is not None:
        _check_same(data, catalog, snapshot.catalog)
    if known is None or (compare and snapshot is None):
        made = build_manifest(
            catalog,
            root,
            folder=folder,
            processes=processes,
            fill=cache if fill else None,
            progress=progress,
            compare=compare,
        )
        return VideoSource(catalog, made, root, cache)
    decode_decord.say_if_absent()
    if fill:
        fill_cache(known, root, cache, folder=folder, processes=processes, progress=progress)
    here = known if snapshot is None else with_local_decoders(known, root, folder)
    return VideoSource(catalog, here, root, cache)


def known_snapshot(data: Chosen, places: Places) -> Snapshot | None:
    """The data set on this machine, if earlier runs decoded all of it; otherwise None.

    Renders, decodes and writes nothing. None also if no root is bound, or its lists cannot be read.
    """
    try:
        root, catalog = _read_catalog(data, places, prepare=False)
    except DataError:
        return None
    manifest = known_manifest(catalog, root, places.cache / "manifests")
    return None if manifest is None else Snapshot(catalog, manifest)


def is_here(data: Chosen, places: Places) -> bool:
    """Whether the data set is on this machine, decoded or not, and its lists can be read. Writes nothing."""
    try:
        _read_catalog(data, places, prepare=False)
    except DataError:
        return False
    return True


def listed_catalog(data: Chosen, places: Places) -> Catalog | None:
    """The data set by its lists only; None if no root is bound, or they cannot be read. Writes nothing."""
    try:
        return places.reader(data).listed(places.root(data))
    except DataError:
        return None


def check_lists(data: Chosen, places: Places) -> None:
    """Reads a data set's lists on this machine; for one that makes its own files nothing is read.

    Raises:
        DataError: no root, or lists that cannot be read.
    """
    if any(root_key(name) in places.addresses for name in (data.bound_name, data.name)):
        return  # they are read once they have been copied
    root, reader = places.root(data), places.reader(data)
    if reader.needs_root:
        reader.read(root)


def known_classes(data: Chosen, places: Places) -> int | None:
    """How many classes a data set has by its options, or by its lists on this machine; None if unknown."""
    chosen = getattr(data.options, "classes", None)
    if chosen is not None:
        return chosen if isinstance(chosen, int) else len(chosen)
    try:
        return len(_read_catalog(data, places, prepare=False)[1].classes)
    except DataError:
        return None


def _read_catalog(data: Chosen, places: Places, prepare: bool) -> tuple[Path, Catalog]:
    if prepare:
        prepare_files(data, places)
    reader, root = places.reader(data), places.root(data)
    return root, reader.read(root)


def prepare_files(data: Chosen, places: Places) -> None:
    """Makes absent files of a data set that makes its own; in the cache with its rights.

    Raises:
        DataError: a file cannot be written.
    """
    reader, root = places.reader(data), places.root(data)
    if places.cache in root.parents:
        with suppress(OSError):  # the reader reports it
            make_folder(root, places.cache)
    reader.prepare(root)


def _check_same(data: Chosen, here: Catalog, stored: Catalog) -> None:
    """Refuses lists that have changed since the run read them, or that differ on this node.

    Raises:
        DataError: naming the first video that differs.
    """
    if here.videos == stored.videos and here.classes == stored.classes and here.annotated == stored.annotated:
        return
    ours, theirs = (({video.path: video for video in catalog.videos}) for catalog in (here, stored))
    differing = [path for path in sorted(ours.keys() | theirs.keys()) if ours.get(path) != theirs.get(path)]
    other = "its boxes differ" if here.classes == stored.classes else "its classes differ"
    what = f"{len(differing)} videos differ, first {differing[0]}" if differing else other
    raise DataError(
        f"data set {data.bound_name!r}: this node's lists are not those that the run read ({what}): give every node "
        "the same root, and run again, with --read-again if the lists have changed"
    )
