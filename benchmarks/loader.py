"""Clips per second and core of the pretraining loader, beside PyTorchVideo's and a bare decord loader.

    python benchmarks/loader.py [--quick]

What is measured: clips of 16 frames, stride 2, crops of 112 pixels from frames of short side 128, random resized crop,
flip, colour jitter and grey, normalised and collated into batches of 16. All loaders read the same MP4 files and call
the same augmentation, in one process and one thread, taking turns round by round; the median over rounds of the rate
of clips by CPU second of the process (all its threads) is given, so that other load on the machine counts little.

- ours: `PretrainingLoader` with the frame cache warm (the figure that matters after the first epoch of a set that
  fits), and with no cache (windows decoded on demand);
- PyTorchVideo: `LabeledVideoDataset` with its random clip sampler and PyAV, decoding the seconds that hold the clip;
- decord: `VideoReader(...).get_batch` of the clip's frames, a new reader for every clip, one thread;
- the augmentation by itself, beside the same operations as torchvision v2's own classes on the same frames.

The same without PyTorchVideo for crops of 224 pixels from frames of short side 256, of 16 videos.

Goals: the warm loader gives 300 clips per second and core, and 8 times PyTorchVideo's; no part is slower than a peer's.

Theoretical minimum of a warm clip: its 16 frames are copied once from the page cache (1 MB at 128x170) and written once
as float32 (2.4 MB), about 0.5 ms a clip at 8 GB/s; the table "where our time goes" shows what is spent above that.

Videos: UCF101 clips where RAYSL_TEST_DATA (or ../shared/data) has them, else rendered here at the same size and length.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import decord
import torch
from figures import Figure, print_figures
from pytorchvideo.data import LabeledVideoDataset, make_clip_sampler
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler
from torchvision.transforms import v2

from raysl.config.cell import CellConfig
from raysl.config.component import find
from raysl.config.load import cell_from
from raysl.data.catalog import Catalog, Video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest import build_manifest
from raysl.data.resize import resize_frames
from raysl.data.source import VideoSource
from raysl.streams import stream
from raysl.views.augmentations.standard import StandardOptions
from raysl.views.augmentations.standard_augmentation import StandardAugmentation
from raysl.views.clip_input import network_input, write_rgb
from raysl.views.color import VALUES_AT_ONCE
from raysl.views.loader import PretrainingLoader
from raysl.views.pixel_operations import OPERATIONS, YIQ

BATCH = 16
SMALL, RATE, UNIT = 112, 300.0, "clips/s/core"
PYTORCHVIDEO = "pytorchvideo LabeledVideoDataset"
VIEWS = ("query", "key")
Passes = dict[str, Callable[[int], int]]
"""By loader: one pass over all videos, given the round's number; returns the clips made."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 videos and 3 rounds instead of 64 and 7")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    videos, rounds = (16, 3) if quick else (64, 7)
    figures: list[Figure] = []
    for size, resize, count in ((SMALL, 128, videos), (224, 256, BATCH)):
        with tempfile.TemporaryDirectory() as folder:
            figures += compare(Path(folder), benchmark_cell(size, resize), count, rounds)
    print_figures(figures)


def compare(folder: Path, cell: CellConfig, videos: int, rounds: int) -> Iterator[Figure]:
    size = cell.clip.size
    print(f"\nclips of {size} pixels")
    root, paths = find_videos(folder, videos)
    warm, cold = open_sources(folder, root, paths, cell.clip.resize)
    files = [root / path for path in paths]
    passes: Passes = {
        "ours, cache warm": ours(cell, warm),
        "ours warm, colours left to a GPU": ours(cell, warm, finish=False),
        "ours, no cache": ours(cell, cold),
        "decord": decord_loader(cell, warm, files),
    }
    if size == SMALL:
        passes[PYTORCHVIDEO] = pytorchvideo_loader(cell, warm, files)
    rates = take_turns(passes, rounds)
    augmentation = take_turns(augmentations(cell, warm), rounds)
    print("\nclips per CPU second, median over rounds")
    for name, rate in {**rates, **augmentation}.items():
        print(f"  {name:<36} {rate:8.1f}")
    print_breakdown(cell, warm, rounds)
    warm_rate, cold_rate = rates["ours, cache warm"], rates["ours, no cache"]
    if size == SMALL:
        yield Figure("loader warm vs what is aimed at", warm_rate, RATE, UNIT, goal=1.0)
        yield Figure(f"loader warm vs {PYTORCHVIDEO}", warm_rate, rates[PYTORCHVIDEO], UNIT, goal=8.0, floor=2.0)
        yield Figure(f"loader without cache vs {PYTORCHVIDEO}", cold_rate, rates[PYTORCHVIDEO], UNIT, floor=1.0)
    yield Figure(f"loader warm vs decord, {size} pixels", warm_rate, rates["decord"], UNIT, floor=2.0)
    yield Figure(f"loader without cache vs decord, {size} pixels", cold_rate, rates["decord"], UNIT, floor=1.0)
    left = rates["ours warm, colours left to a GPU"]
    yield Figure(f"colours left to a GPU vs in the loader, {size} pixels", left, warm_rate, UNIT, floor=1.0)
    ours_only, theirs = augmentation["augmentation, ours"], augmentation["torchvision v2"]
    yield Figure(f"augmentation vs torchvision v2, {size} pixels", ours_only, theirs, UNIT, floor=1.0)


def find_videos(folder: Path, count: int) -> tuple[Path, list[str]]:
    """A root and ``count`` videos below it, every class of a real set in turn."""
    given = os.environ.get("RAYSL_TEST_DATA")
    real = (Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data") / "ucf101_5class"
    if real.is_dir():
        found = sorted(path.relative_to(real).as_posix() for path in real.rglob("*.mp4"))
        step = max(len(found) // count, 1)
        print(f"{count} of {len(found)} real UCF101 videos")
        return real, found[::step][:count]
    print(f"{count} rendered videos (no real ones found: see RAYSL_TEST_DATA)")
    component = find("data set", "synthetic")
    shape = {
        "classes": 2,
        "train_per_class": count // 2,
        "test_per_class": 1,
        "frames": 180,
        "height": 128,
        "width": 170,
    }
    reader = component.build(component.options(**shape))
    reader.prepare(folder / "videos")
    catalog: Catalog = reader.read(folder / "videos")
    return folder / "videos", [video.path for video in catalog.split("train")]


def open_sources(folder: Path, root: Path, paths: list[str], resize: int) -> tuple[VideoSource, VideoSource]:
    """The set with its frames cached at a short side, and without a cache."""
    videos = tuple(Video(index, path, None, "train") for index, path in enumerate(paths))
    catalog = Catalog("benchmark", (), videos)
    cache = FrameCache(folder / "frames", resize, 10**11)
    started = time.perf_counter()
    manifest = build_manifest(catalog, root, folder=folder / "manifests", processes=None, fill=cache)
    held = sum(cache.bytes_of(row) for row in manifest.rows) / 1e9
    print(f"manifest and cache: {time.perf_counter() - started:.1f} s, {held:.2f} GB")
    return VideoSource(catalog, manifest, root, cache), VideoSource(
        catalog, manifest, root, FrameCache(folder / "none", resize, 0)
    )


def benchmark_cell(size: int, resize: int) -> CellConfig:
    """Clips and augmentation as compared; the network and the optimizer are not used."""
    return cell_from(
        {
            "data": {"name": "synthetic"},
            "clip": {"frames": 16, "stride": 2, "size": size, "resize": resize},
            "sampling": {"pair": {"name": "random"}},
            "augment": {"name": "standard"},
            "backbone": {"name": "r3d_18"},
            "objective": {"contrastive": {"framework": "simclr"}},
            "optimizer": {"name": "adamw", "learning_rate": {"value": 1e-3, "at_batch": 32}},
            "schedule": {"name": "cosine"},
            "training": {"epochs": 1, "batch_size": BATCH},
        },
        "the benchmark's cell",
    )


def take_turns(passes: Passes, rounds: int) -> dict[str, float]:
    """Clips per CPU second by loader, median over rounds after one round of warm-up."""
    rates: dict[str, list[float]] = {name: [] for name in passes}
    for turn in range(rounds + 1):
        for name, one_pass in passes.items():
            started = time.process_time()
            clips = one_pass(turn)
            if turn:
                rates[name].append(clips / (time.process_time() - started))
    return {name: statistics.median(values) for name, values in rates.items()}


def ours(cell: CellConfig, source: VideoSource, finish: bool = True) -> Callable[[int], int]:
    loader = PretrainingLoader(cell, source, view_names=VIEWS, rank=0, world_size=1, finish=finish)

    def one_pass(turn: int) -> int:
        return sum(view.clips.shape[0] for batch in loader.epoch(turn) for view in batch.views.values())

    return one_pass


def clip_maker(cell: CellConfig) -> Callable[[Tensor, int, int], Tensor]:
    """From decoded frames ``[T, 3, H, W]`` uint8 to what the network reads, with our augmentation, for the peers."""
    augmentation = cell.augment.build(cell.clip)

    def make(frames: Tensor, turn: int, number: int) -> Tensor:
        clip, _ = augmentation(resize_frames(frames, cell.clip.resize), stream(turn, number, "augmentation"))
        return network_input(clip, cell.clip.input)

    return make


class DecordClips(IterableDataset[Tensor]):
    """Random clips of every video, read at random with a new decord reader each."""

    def __init__(self, cell: CellConfig, files: list[Path]) -> None:
        self.clip, self.files, self.turn = cell.clip, files, 0
        self.make = clip_maker(cell)

    def __iter__(self) -> Iterator[Tensor]:
        for number, file in enumerate(self.files):
            reader = decord.VideoReader(str(file), num_threads=1)
            start = int(stream(self.turn, number).integers(max(len(reader) - self.clip.span + 1, 1)))
            indices = [(start + self.clip.stride * i) % len(reader) for i in range(self.clip.frames)]
            frames = torch.from_numpy(reader.get_batch(indices).asnumpy()).permute(0, 3, 1, 2)
            yield self.make(frames, self.turn, number)


def decord_loader(cell: CellConfig, source: VideoSource, files: list[Path]) -> Callable[[int], int]:
    dataset = DecordClips(cell, files)
    loader = DataLoader(dataset, batch_size=BATCH)

    def one_pass(turn: int) -> int:
        dataset.turn = turn
        return sum(clips.shape[0] for clips in loader)

    return one_pass


def pytorchvideo_loader(cell: CellConfig, source: VideoSource, files: list[Path]) -> Callable[[int], int]:
    """Its clip sampler works in seconds: here at the first video's frame rate, which the others of these sets share."""
    rate = source.manifest.rows[0].rate
    make = clip_maker(cell)
    sampler = make_clip_sampler("random", Fraction(cell.clip.span) / Fraction(rate).limit_denominator(1000))

    def transform(sample: dict[str, Any]) -> Tensor:
        decoded = sample["video"]
        picked = (torch.arange(cell.clip.frames) * cell.clip.stride).clamp_max(decoded.shape[1] - 1)
        frames = decoded[:, picked].transpose(0, 1).to(torch.uint8)
        return make(frames, int(sample["clip_index"]), int(sample["video_index"]))

    def one_pass(turn: int) -> int:
        dataset = LabeledVideoDataset(
            [(str(file), {}) for file in files],
            sampler,
            video_sampler=SequentialSampler,
            transform=transform,
            decode_audio=False,
            decoder="pyav",
        )
        loader = DataLoader(dataset, batch_size=BATCH)
        return sum(clips.shape[0] for clips in loader)

    return one_pass


def augmentations(cell: CellConfig, source: VideoSource) -> Passes:
    """Our augmentation, and the same operations as torchvision v2's classes, on clips that are in memory."""
    clips = [source.frames(video, list(range(0, 32, 2))) for video in range(min(16, len(source.catalog.videos)))]
    augmentation = cell.augment.build(cell.clip)
    options: StandardOptions = cell.augment.options
    jitter = v2.ColorJitter(options.brightness, options.contrast, options.saturation, options.hue)
    classes = v2.Compose(
        [
            v2.RandomResizedCrop(
                cell.clip.size,
                (options.min_area, options.max_area),
                (options.min_aspect, options.max_aspect),
                antialias=True,
            ),
            v2.RandomHorizontalFlip(options.flip),
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomApply([jitter], options.jitter),
            v2.RandomGrayscale(options.grey),
        ]
    )

    def our_pass(turn: int) -> int:
        return len([augmentation(clip, stream(turn, number)) for number, clip in enumerate(clips)])

    def their_pass(turn: int) -> int:
        return len([classes(clip) for clip in clips])

    return {"augmentation, ours": our_pass, "torchvision v2": their_pass}


def print_breakdown(cell: CellConfig, source: VideoSource, rounds: int) -> None:
    """Where the time of a warm clip goes, each part by itself, in CPU milliseconds a clip."""
    videos = range(min(BATCH, len(source.catalog.videos)))
    pair = cell.sampling.pair.build(cell.clip)
    every = StandardAugmentation(StandardOptions(jitter=1.0), cell.clip)
    places = [pair.place(source.length(v), stream(v))["query"].indices(source.length(v)) for v in videos]
    frames = [source.frames(video, indices) for video, indices in zip(videos, places, strict=True)]
    tall = [(clip.shape[-2], clip.shape[-1]) for clip in frames]
    drawn = [every.draw(*tall[video], stream(video))._replace(grey=False) for video, clip in enumerate(frames)]
    plain = [own._replace(jitter=()) for own in drawn]
    cropped = [every.cropped(clip, own) for clip, own in zip(frames, plain, strict=True)]
    at_once = max(1, VALUES_AT_ONCE // cropped[0].pixels[0].numel())
    planes = [one.pixels.contiguous().float().div_(255.0).split(at_once) for one in cropped]
    hot = planes[0][0].clone()  # in the loader, too, frames come from the operation before
    batch = torch.empty(len(videos), 3, cell.clip.frames, cell.clip.size, cell.clip.size)

    def jitter(name: str) -> Callable[[int], object]:
        like = "hue" if name == YIQ else name
        amounts = [next(amount for kind, amount in own.jitter if kind == like) for own in drawn]
        return lambda i: [OPERATIONS[name](hot, amounts[i]) for _ in planes[i]]

    def normalise(i: int) -> None:
        for part, values in every.finished(cropped[i]):
            write_rgb(values, batch[i][:, part])

    parts: dict[str, Callable[[int], object]] = {
        "streams and placement": lambda i: pair.place(source.length(i), stream(0, 0, i, "pair", "placement")),
        "read from the cache": lambda i: source.frames(i, places[i]),
        "stream and draw of parameters": lambda i: every.draw(
            *frames[i].shape[-2:], stream(0, 0, i, "query", "augmentation")
        ),
        "crop, resize, flip": lambda i: every.cropped(frames[i], plain[i]),
        **{f"{name}, where drawn (0.8 of clips)": jitter(name) for name in OPERATIONS},
        "to float, normalise into the batch": normalise,
    }
    print("\nwhere our time goes, CPU ms a clip")
    for name, part in parts.items():
        spent = []
        for _ in range(3 * rounds):
            started = time.process_time()
            for i in videos:
                part(i)
            spent.append(time.process_time() - started)
        print(f"  {name:<36} {statistics.median(spent) / len(videos) * 1e3:8.3f}")
    print()


if __name__ == "__main__":
    main()
