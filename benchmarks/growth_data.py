"""How data sets grow: lists, manifests, the frame cache, the order of an epoch, retrieval.

Beside the slopes, two costs against what they cannot do without, in CPU seconds of the same run:

- the manifest pass against one decode of the same videos with PyAV, RGB included: it decodes with PyAV and with decord
  and compares every frame, so 2 is what it cannot get below, and 3 is what is aimed at;
- retrieval against the same ranks from a product in float64.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from figures import Figure
from sizes import Measure, Work

if TYPE_CHECKING:
    from raysl.data.catalog import Catalog
    from raysl.data.manifest_types import Manifest
    from raysl.evaluation.protocol import Features

CLASSES, FRAMES, HELD = 400, 300, 1000
"""As in Kinetics: classes, frames of a clip; and how many of them a cache holds."""


def listed(size: int, folder: Path) -> Work:
    """Kinetics' lists, and its files found below the root."""
    from raysl.data.catalogs.kinetics import KineticsOptions, KineticsReader
    from tests.data.catalog_trees import touch

    root, paths = folder / "kinetics", []
    with (folder / "train.csv").open("w") as lines:
        lines.write("label,youtube_id,time_start,time_end,split\n")
        for number in range(max(size, CLASSES)):
            lines.write(f'"class {number % CLASSES:03d}",a{number:010d},10,20,train\n')
            paths.append(f"class_{number % CLASSES:03d}/a{number:010d}_000010_000020.mp4")
    touch(root, *paths)
    (folder / "train.csv").rename(root / "train.csv")
    reader = KineticsReader(KineticsOptions(), CLASSES)
    return lambda: reader.read(root)


def known(size: int) -> tuple[Catalog, Manifest]:
    """A catalog and its manifest, of files that there are not."""
    from raysl.data.catalog import Catalog, Video
    from raysl.data.manifest_types import Manifest, ManifestRow

    keyframes = tuple(range(0, FRAMES, 30))
    paths = [f"class_{number % CLASSES:03d}/a{number:010d}_000010_000020.mp4" for number in range(size)]
    names = [hashlib.md5(path.encode()).hexdigest() for path in paths]
    rows = (
        ManifestRow(path, FRAMES, FRAMES, keyframes, 256, 340, 30.0, name, True)
        for path, name in zip(paths, names, strict=True)
    )
    videos = (Video(number, path, number % CLASSES, "train") for number, path in enumerate(paths))
    classes = tuple(f"class {number:03d}" for number in range(CLASSES))
    return Catalog("kinetics400", classes, tuple(videos)), Manifest("kinetics400", tuple(rows))


def kept(size: int, _: Path) -> Work:
    """A snapshot as parquet and back, with its hashes."""
    from raysl.data.snapshot import Snapshot

    catalog, manifest = known(size)

    def work() -> dict[str, float]:
        content = Snapshot(catalog, manifest).to_bytes()
        assert Snapshot.from_bytes(content).hashes.snapshot
        return {"bytes": len(content)}

    return work


def found(size: int, folder: Path) -> Work:
    """A manifest of which every row was made by an earlier run."""
    from raysl.data.manifest import build_manifest
    from raysl.data.manifest_store import RowStore
    from tests.data.catalog_trees import touch

    catalog, manifest = known(size)
    root, rows = folder / "kinetics", folder / "cache" / "manifests"
    touch(root, *(video.path for video in catalog.videos))
    store = RowStore(rows, root)
    with store.locked():
        for row in manifest.rows:
            store.add(((root / row.path).stat().st_size, (root / row.path).stat().st_mtime_ns), row)
    return lambda: build_manifest(catalog, root, folder=rows, processes=1)


def full(size: int, folder: Path) -> Work:
    """A cache that has room for no more of the set, asked to be filled: as by every cell and evaluation."""
    from raysl.data.frame_cache import FrameCache
    from raysl.data.manifest import fill_cache

    _, manifest = known(size)
    cache = FrameCache(folder / "cache" / "frames", 8, 10**12)
    for row in manifest.rows[:HELD]:
        file = cache.path(row.fingerprint)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as opened:
            opened.truncate(cache.bytes_of(row))
    filled = FrameCache(cache.folder, 8, min(HELD, size) * cache.bytes_of(manifest.rows[0]))
    return lambda: fill_cache(manifest, folder, filled, folder=folder / "cache" / "manifests", processes=1)


def ordered(size: int, _: Path) -> Work:
    """The readable videos of a set, the first batch of an epoch, and a video in the place of one that is lost."""
    from raysl.data.frame_cache import FrameCache
    from raysl.data.source import VideoSource
    from raysl.views.order import EpochOrder

    source = VideoSource(*known(size), Path("kinetics"), FrameCache(Path("cache"), 128, 0))

    def work() -> None:
        order = EpochOrder([video.index for video in source.readable("train")], 64, seed=0)
        order.batch(0, 0)
        next(order.replacements(0, 0, 0))

    return work


def retrieved(size: int, _: Path) -> Work:
    """256 queries in a gallery of clips, features of 512."""
    from raysl.evaluation.neighbours import neighbours

    queries, gallery = clips(256, 0), clips(size, 1)
    return lambda: neighbours(queries, gallery)


def clips(size: int, seed: int) -> Features:
    """Features of 101 classes with much noise, above zero as after a ReLU."""
    import numpy as np

    from raysl.evaluation.protocol import Features

    draw, centres = np.random.default_rng(seed), np.random.default_rng(9).standard_normal((101, 512), np.float32)
    label = draw.integers(0, 101, size)
    values = draw.standard_normal((size, 512), np.float32)
    for number in range(size):
        values[number] += 0.3 * centres[label[number]]
    names = tuple(f"{number}.mp4" for number in range(size))
    return Features(np.arange(size), label, names, (None,) * size, np.maximum(values, 0))


MEASURES = {
    "data/lists": Measure(listed, "videos", (1000, 10_000, 100_000), (1000, 4000, 16_000)),
    "data/snapshot": Measure(kept, "videos", (1000, 10_000, 100_000), (1000, 4000, 16_000), goals={"bytes": 1.1}),
    "data/manifest": Measure(found, "videos", (1000, 10_000, 100_000), (1000, 4000, 16_000)),
    "data/full cache": Measure(full, "videos", (4000, 20_000, 100_000), (2000, 8000, 32_000)),
    "data/order": Measure(ordered, "videos", (10_000, 30_000, 100_000), (4000, 8000, 16_000)),
    "data/retrieval": Measure(retrieved, "gallery", (4000, 20_000, 100_000), (2000, 8000, 16_000)),
}


def figures(quick: bool) -> Iterable[Figure]:
    """The manifest pass beside a decode, and retrieval beside float64."""
    with tempfile.TemporaryDirectory() as folder:
        yield _manifest_pass(Path(folder), videos=4 if quick else 12)
    yield _retrieval(gallery=8000 if quick else 20_000)


def _manifest_pass(folder: Path, videos: int) -> Figure:
    import numpy as np

    from raysl.data.decode import decode_all
    from raysl.data.decode_inspect import inspect_video
    from tests.data.rendered import moving_square, write_video

    names = [f"{number}.mp4" for number in range(videos)]
    for number, name in enumerate(names):
        frames = moving_square(180, 128, 170, seed=number)
        noise = np.random.default_rng(number).integers(0, 24, frames.shape, np.uint8)  # a film is seldom this clean
        write_video(folder / name, np.minimum(frames, 231) + noise, g="25")

    def inspect() -> None:
        assert all(inspect_video(folder, name, None).decord_agrees for name in names)

    def decode() -> None:
        for name in names:
            assert sum(1 for _ in decode_all(folder / name)) == 180

    ours, peer = seconds(inspect), seconds(decode)
    return Figure("manifest pass / a PyAV decode", ours, peer, "CPU s", goal=3.0, floor=4.0, better="less")


def _retrieval(gallery: int) -> Figure:
    import numpy as np

    from raysl.evaluation.neighbours import neighbours, similarities

    queries, train = clips(2048, 0), clips(gallery, 1)
    same = queries.label[:, None] == train.label

    def in_float64() -> list[int]:
        ranks: list[int] = []
        for start in range(0, len(queries), 256):
            similarity = similarities(queries.values[start : start + 256], train.values)
            best = np.where(same[start : start + 256], similarity, -np.inf)
            hit, highest = best.argmax(axis=1), best.max(axis=1, keepdims=True)
            earlier = np.arange(len(train)) < hit[:, None]
            ranks += list(1 + ((similarity > highest) | ((similarity == highest) & earlier)).sum(axis=1))
        return ranks

    assert list(neighbours(queries, train).first_hit) == in_float64()
    ours, peer = seconds(lambda: neighbours(queries, train)), seconds(in_float64)
    return Figure("retrieval / in float64", ours, peer, "CPU s", goal=0.6, floor=1.0, better="less")


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of the best of three calls."""
    spent = []
    for _ in range(3):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return min(spent)
