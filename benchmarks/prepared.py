"""Clips per second and core, and bytes a video: prepared copies beside their originals and beside raw cached frames.

    python benchmarks/prepared.py [--quick] [--from-clips]

The pretraining loader of `benchmarks/loader.py` (16 frames at stride 2, crops of 112 pixels from a short side of 128)
reads the same videos in four ways, in one process and one thread, taking turns round by round:

- originals, decoded on demand;
- copies by `raysl data prepare` (short side 128, a keyframe every 12 frames), decoded on demand;
- copies with a keyframe every 250 frames, to tell what the many keyframes give;
- raw frames in the cache.

Then the decoding of the windows alone. The median over rounds of the rate of clips by CPU second of the process.

Acceptance: on videos of ordinary size (240 lines and more) the loader gives at least 1.3 times the clips on copies that
it gives on originals; copies take at most a tenth of the bytes of raw frames.

Videos: UCF101 clips where RAYSL_TEST_DATA (or ../shared/data) has them; these are small already (170x128, a keyframe
every 25 frames), and so their copies show what keyframes and ``fastdecode`` give. ``--from-clips`` takes the folder's
single clips in their original sizes and encodings (240 to 568 lines) instead. Else rendered here, at 240x320.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from figures import Figure, print_figures
from loader import Passes, benchmark_cell, ours, take_turns

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, find
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.places import Places
from raysl.data.prepare import prepare
from raysl.data.prepare_video import CopyOptions
from raysl.data.source import VideoSource, open_source
from raysl.streams import stream

DATA = Chosen("data set", "folder", FolderOptions(labels="none"))
SHORT, LONG = CopyOptions(), CopyOptions(keyframe_every=250)


@dataclass(frozen=True)
class Set:
    """One way to read the videos.

    Attributes:
        bytes: of all files that are read.
    """

    source: VideoSource
    bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="12 videos and 2 rounds instead of 48 and 7")
    parser.add_argument("--from-clips", action="store_true", help="single clips in their original sizes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root, count = Path(folder) / "originals", 12 if options.quick else 48
        print(link_videos(root, count, options.from_clips))
        sets = open_sets(Path(folder), root)
        compare(sets, rounds=2 if options.quick else 7)


def link_videos(root: Path, count: int, clips: bool) -> str:
    """Fills a root with links to real videos, or with rendered ones; returns what they are."""
    given = os.environ.get("RAYSL_TEST_DATA")
    real = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    place = real / ("clips" if clips else "ucf101_5class")
    root.mkdir()
    if not place.is_dir():
        return _render(root, count)
    suffixes = {".avi", ".mp4", ".mpg", ".webm"}
    found = sorted(path for path in place.rglob("*") if path.suffix in suffixes)
    taken = found[:: max(1, len(found) // count)][:count]
    for number, path in enumerate(taken):
        (root / f"{number:03d}{path.suffix}").symlink_to(path)
    return f"{len(taken)} of {len(found)} real videos of {place.name}"


def _render(root: Path, count: int) -> str:
    shape = {
        "classes": 2,
        "train_per_class": count // 2,
        "test_per_class": 1,
        "frames": 180,
        "height": 240,
        "width": 320,
    }
    component = find("data set", "synthetic")
    reader = component.build(component.options(**shape))
    reader.prepare(root.parent / "rendered")
    for video in reader.read(root.parent / "rendered").split("train"):
        (root / Path(video.path).name).symlink_to(root.parent / "rendered" / video.path)
    return f"{count} rendered videos (no real ones found: see RAYSL_TEST_DATA)"


def open_sets(folder: Path, root: Path) -> dict[str, Set]:
    """The videos as originals, as copies, and as raw frames."""
    sets: dict[str, Set] = {}
    for name, options in (("copies", SHORT), ("copies, keyframe every 250", LONG)):
        to = folder / f"every {options.keyframe_every}"
        began = time.process_time()
        report = prepare([DATA], Places({"folder": root}, folder / "cache"), to, options, processes=1)
        source = _opened(folder, to, 0.0)
        frames = sum(row.frames for row in source.manifest.rows)
        seconds = time.process_time() - began
        agrees = sum(row.decord_agrees for row in source.manifest.rows)
        print(f"{name}: {report.written} videos, {frames} frames, decord agrees on {agrees}; {seconds:.1f} CPU s")
        sets[name] = Set(source, report.bytes_out)
    originals, cached = _opened(folder, root, 0.0), _opened(folder, root, 1000.0)
    sets["originals"] = Set(originals, report.bytes_in)
    sets["raw frames"] = Set(cached, sum(cached.cache.bytes_of(row) for row in cached.manifest.rows))
    print(f"originals: decord agrees on {sum(row.decord_agrees for row in originals.manifest.rows)}")
    return sets


def _opened(folder: Path, root: Path, gigabytes: float) -> VideoSource:
    return open_source(DATA, Places({"folder": root}, folder / "cache", gigabytes), resize=128, fill=gigabytes > 0)


def compare(sets: dict[str, Set], rounds: int) -> None:
    cell = benchmark_cell()
    loaders: Passes = {name: ours(cell, one.source) for name, one in sets.items()}
    windows: Passes = {name: decoding(cell, one.source) for name, one in sets.items()}
    loaded, decoded = take_turns(loaders, rounds), take_turns(windows, rounds)
    videos = len(sets["originals"].source.catalog.videos)
    print(f"\n{'':<28} {'loader':>14} {'windows alone':>14} {'a video':>12}")
    for name, one in sets.items():
        size = one.bytes / videos / 1e3
        print(f"  {name:<26} {loaded[name]:8.1f} clips {decoded[name]:8.1f} clips {size:9.1f} kB")
    print("clips per CPU second, median over rounds\n")
    copies, raw = sets["copies"], sets["raw frames"]
    of_copies, of_originals, of_raw = (loaded[name] for name in ("copies", "originals", "raw frames"))
    kilobytes = "kB a video"
    print_figures(
        [
            Figure("loader on copies vs originals", of_copies, of_originals, "clips/s/core", floor=1.0),
            Figure("loader on copies vs raw frames", of_copies, of_raw, "clips/s/core"),
            Figure(
                "windows of copies vs originals", decoded["copies"], decoded["originals"], "clips/s/core", floor=1.0
            ),
            Figure(
                "bytes of copies vs originals",
                _kilobytes(copies, videos),
                _kilobytes(sets["originals"], videos),
                kilobytes,
            ),
            Figure(
                "bytes of copies vs raw frames",
                _kilobytes(copies, videos),
                _kilobytes(raw, videos),
                kilobytes,
                0.1,
                0.15,
            ),
        ]
    )


def _kilobytes(one: Set, videos: int) -> float:
    return one.bytes / videos / 1e3


def decoding(cell: CellConfig, source: VideoSource) -> Callable[[int], int]:
    """The frames of one random window of each video."""

    def one_pass(turn: int) -> int:
        for video in range(len(source.catalog.videos)):
            length = source.length(video)
            start = int(stream("window", turn, video).integers(max(length - cell.clip.span + 1, 1)))
            source.frames(video, [(start + cell.clip.stride * step) % length for step in range(cell.clip.frames)])
        return len(source.catalog.videos)

    return one_pass


if __name__ == "__main__":
    main()
