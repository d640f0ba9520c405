"""Clips per second and core, and bytes a video: prepared copies beside their originals and beside raw cached frames.

    python benchmarks/prepared.py [--quick]

The pretraining loader of `benchmarks/loader.py` (16 frames at stride 2, crops of 112 pixels from a short side of 128)
reads the same videos in four ways, in one process and one thread, taking turns round by round:

- originals, decoded on demand;
- copies by `raysl data prepare` (short side 128, a keyframe every 12 frames), decoded on demand;
- copies with a keyframe every 250 frames, to tell what the many keyframes give;
- raw frames in the cache.

Then the windows alone are decoded, and once more by each decoder, of the videos on which all of them agree. The median
over rounds of the rate of clips by CPU second of the process (all its threads) is given.

Acceptance: of videos as they were published (240 lines and more) the loader makes at least 1.2 times as many clips from
copies as from originals; copies take at most a tenth of the bytes of raw frames. Videos that are small already gain
nothing and lose nothing (a ratio near 1).

Videos where RAYSL_TEST_DATA (or ../shared/data) has them: single clips of UCF101, HMDB51, Kinetics and others in their
original sizes and encodings, each twice; and UCF101 clips that are small already (170x128, a keyframe every 25 frames).
Else rendered here, at 256x340.
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
from loader import BATCH, Passes, benchmark_cell, ours, take_turns

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, find
from raysl.data import decode_torchcodec
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.decode import Decoder, read_frames
from raysl.data.places import Places
from raysl.data.prepare import prepare
from raysl.data.prepare_video import CopyOptions
from raysl.data.resize import resize_frames
from raysl.data.source import VideoSource, open_source
from raysl.streams import stream

DATA = Chosen("data set", "folder", FolderOptions(labels="none"))
SHORT, LONG = CopyOptions(), CopyOptions(keyframe_every=250)
PUBLISHED, SMALL, RENDERED = "videos as published", "small videos", "rendered videos"
SUFFIXES = (".avi", ".mp4", ".mpg", ".webm")


@dataclass(frozen=True)
class Set:
    """One way to read the videos.

    Attributes:
        kilobytes: a video, on average.
    """

    source: VideoSource
    kilobytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 videos and 2 rounds instead of 32 and 4")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    print(f"torchcodec: {decode_torchcodec.versions() or decode_torchcodec.why_absent()}")
    count, rounds = (BATCH, 2) if quick else (2 * BATCH, 4)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, videos in find_videos(Path(folder), count).items():
            place = Path(folder) / name.replace(" ", "-")
            figures += compare(name, open_sets(name, place, videos), rounds)
    print_figures(figures)


def find_videos(folder: Path, count: int) -> dict[str, list[Path]]:
    """At least a batch of videos of each kind: real ones, or rendered ones."""
    given = os.environ.get("RAYSL_TEST_DATA")
    real = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not real.is_dir():
        return {RENDERED: _render(folder, count)}
    found = {}
    for name, place in ((PUBLISHED, "clips"), (SMALL, "ucf101_5class")):
        files = sorted(path for path in (real / place).rglob("*") if path.suffix in SUFFIXES)
        taken = files[:: max(1, len(files) // count)][:count]
        found[name] = taken * -(-BATCH // len(taken))
    return found


def _render(folder: Path, count: int) -> list[Path]:
    shape = {"classes": 2, "train_per_class": count // 2, "test_per_class": 1}
    shape |= {"frames": 180, "height": 256, "width": 340}
    component = find("data set", "synthetic")
    reader = component.build(component.options(**shape))
    reader.prepare(folder / "rendered")
    return [folder / "rendered" / video.path for video in reader.read(folder / "rendered").split("train")]


def open_sets(name: str, folder: Path, videos: list[Path]) -> dict[str, Set]:
    """The videos as originals, as copies, and as raw frames."""
    root = folder / "originals"
    root.mkdir(parents=True)
    for number, path in enumerate(videos):
        (root / f"{number:03d}{path.suffix}").symlink_to(path)
    print(f"\n{name}: {len(videos)}")
    sets: dict[str, Set] = {}
    for kind, options in (("copies", SHORT), ("copies, keyframe every 250", LONG)):
        to, began = folder / f"every {options.keyframe_every}", time.process_time()
        report = prepare([DATA], Places({"folder": root}, folder / "cache"), to, options, processes=1)
        seconds = time.process_time() - began
        sets[kind] = Set(_opened(folder / "without", to, 0.0), report.bytes_out / len(videos) / 1e3)
        frames = sum(row.frames for row in sets[kind].source.manifest.rows)
        print(f"  {kind}: {frames} frames, {seconds / frames * 1e3:.2f} CPU ms a frame to make")
    sets["originals"] = Set(_opened(folder / "without", root, 0.0), report.bytes_in / len(videos) / 1e3)
    cached = _opened(folder / "filled", root, 1000.0)
    held = sum(cached.cache.bytes_of(row) for row in cached.manifest.rows)
    sets["raw frames"] = Set(cached, held / len(videos) / 1e3)
    return sets


def _opened(folder: Path, root: Path, gigabytes: float) -> VideoSource:
    return open_source(DATA, Places({"folder": root}, folder / "cache", gigabytes), resize=128, fill=gigabytes > 0)


def compare(name: str, sets: dict[str, Set], rounds: int) -> list[Figure]:
    """Prints the rates of each way of reading, and returns the figures."""
    cell = benchmark_cell(112, 128)
    loaded = take_turns({kind: ours(cell, one.source) for kind, one in sets.items()}, rounds)
    windows: Passes = {kind: decoding(cell, one.source) for kind, one in sets.items()}
    decoded = take_turns(windows, rounds)
    print(f"  {'clips per CPU second':<28} {'loader':>8} {'windows':>8} {'kB a video':>11}  read by")
    for kind, one in sets.items():
        reads = ", ".join(f"{decoder} {share} %" for decoder, share in _readers(one.source).items())
        print(f"  {kind:<28} {loaded[kind]:8.1f} {decoded[kind]:8.1f} {one.kilobytes:11.1f}  {reads}")
    print_decoders(cell, sets, rounds)
    copies, originals, raw = (sets[kind] for kind in ("copies", "originals", "raw frames"))
    rate, of = "clips/s/core", f"of {name}"
    floor = 0.9 if name == SMALL else 1.2
    return [
        Figure(f"loader {of}: copies vs originals", loaded["copies"], loaded["originals"], rate, floor, floor),
        Figure(f"loader {of}: copies vs raw frames", loaded["copies"], loaded["raw frames"], rate),
        Figure(f"windows {of}: copies vs originals", decoded["copies"], decoded["originals"], rate, floor, floor),
        Figure(f"bytes {of}: copies vs originals", copies.kilobytes, originals.kilobytes, "kB a video"),
        Figure(f"bytes {of}: copies vs raw frames", copies.kilobytes, raw.kilobytes, "kB a video", 0.1, 0.1, "less"),
    ]


def _readers(source: VideoSource) -> dict[str, int]:
    """By what the source read, in percent of its reads."""
    total = sum(source.reads.values())
    return {name: round(100 * count / total) for name, count in source.reads.items()} if total else {}


def print_decoders(cell: CellConfig, sets: dict[str, Set], rounds: int) -> None:
    """The windows by each decoder, of the videos on which all of them agree."""
    versions = decode_torchcodec.versions()
    decoders: list[Decoder] = ["pyav", "decord"]
    if versions:
        decoders.append("torchcodec")
    for kind in ("originals", "copies"):
        source = sets[kind].source
        agreed = [
            video.index
            for video, row in zip(source.catalog.videos, source.manifest.rows, strict=True)
            if row.decord_agrees and (not versions or row.torchcodec == versions)
        ]
        if agreed:
            rates = take_turns({one: decoding(cell, source, agreed, one) for one in decoders}, rounds)
            shown = ", ".join(f"{decoder} {rate:.1f}" for decoder, rate in rates.items())
            print(f"  windows of {len(agreed)} {kind} by decoder: {shown}")


def decoding(
    cell: CellConfig, source: VideoSource, videos: list[int] | None = None, decoder: Decoder | None = None
) -> Callable[[int], int]:
    """The frames of one random window of each video, resized; as the source reads them, or by one decoder."""
    chosen = list(range(len(source.catalog.videos))) if videos is None else videos

    def one_pass(turn: int) -> int:
        for video in chosen:
            length = source.length(video)
            start = int(stream("window", turn, video).integers(max(length - cell.clip.span + 1, 1)))
            indices = [(start + cell.clip.stride * step) % length for step in range(cell.clip.frames)]
            if decoder is None:
                source.frames(video, indices)
            else:
                path = source.root / source.catalog.videos[video].path
                resize_frames(read_frames(path, indices, decoder=decoder), cell.clip.resize)
        return len(chosen)

    return one_pass


if __name__ == "__main__":
    main()
