"""Measures what shapes of work take on this machine: real steps on drawn clips, real loading, real evaluations."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen
from raysl.data.catalog import AnnotatedFrame, Catalog, Person, Video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest import build_manifest
from raysl.data.places import Places
from raysl.data.source import VideoSource
from raysl.errors import DataError
from raysl.evaluation.feature_protocol import FeatureProtocol
from raysl.evaluation.over_videos import over_videos
from raysl.evaluation.protocol import Features, LabelledVideos
from raysl.models.backbone import Backbone, pool
from raysl.objectives.build import draw_backbone
from raysl.planning.calibration import Measurement, Shape
from raysl.planning.cost import ANY_VIDEOS, not_inflated, objective_on_meta, unread_manifest
from raysl.results import open as open_store
from raysl.training.batches import StepBatches
from raysl.training.curves import curve_row
from raysl.training.loop import Run
from raysl.training.precision import choose_device, resolve_precision
from raysl.training.recorder import Recorder
from raysl.training.step_values import StepValues
from raysl.training.threads import cpu_threads
from raysl.training.unreadable import Unreadable
from raysl.views.label_subset import label_subset
from raysl.views.loader import PretrainingLoader
from raysl.views.training_videos import training_videos

WARM_UP, FEWEST, MOST = 2, 5, 50
"""Steps, batches or blocks that are not measured, and how many are."""
SECONDS = 3.0
"""Seconds of measuring, within those numbers."""
UNDISTURBED = 0.7
"""The least CPU time by wall time of a computation that has the machine for itself."""
SAMPLE = 64
"""Videos that represent a data set, evenly over its list."""
LOADED_TOGETHER = 8
FITTED = 2000
"""Training videos at most of a fit that is measured; its time is taken to grow with their number."""
DRAWN_VIDEOS, DRAWN_CLASSES = ANY_VIDEOS, 400


def calibrate(shape: Shape, places: Places, device: torch.device) -> Measurement:
    """Measures a shape on this process's device.

    Raises:
        DataError: a data set that is to be read is not here.
        ConfigError, CellFailure: as training it would raise.
    """
    device = choose_device(device)
    if shape.kind == "training":
        drawn_videos(shape.cell.clip.resize)
    with cpu_threads(shape.cell):
        wall, cpu = time.perf_counter(), time.process_time()
        measured = _measure(shape, places, device)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Reading waits for disks, a GPU's process for the GPU: neither means that other processes were running.
    waits = device.type == "cuda" or shape.kind in ("loading", "forward")
    return measured if waits else replace(measured, disturbed=is_disturbed(wall, cpu))


def is_disturbed(wall: float, cpu: float) -> bool:
    """Whether computing had so little of a CPU that other processes must have been running."""
    return cpu < UNDISTURBED * wall


def _measure(shape: Shape, places: Places, device: torch.device) -> Measurement:
    if shape.kind == "training":
        return _training(shape.cell, device)
    if shape.kind == "fit":
        return _fit(shape)
    assert shape.data is not None
    source, note = sampled(shape.data, places, shape.cell.clip.resize)
    seconds = _loading(shape.cell, source) if shape.kind == "loading" else _forward(shape, source, device)
    return Measurement({shape.kind: seconds}, note)


def _training(cell: CellConfig, device: torch.device) -> Measurement:
    """Steps on clips drawn at random, the same ones at each: no video is read."""
    cell = not_inflated(cell)
    source = drawn_videos(cell.clip.resize)
    started = time.perf_counter()
    run = Run(
        cell,
        source,
        found=None,
        unreadable=Unreadable(source, 1.0),
        precision=resolve_precision(cell.training.precision, device),
        device=device,
        attempts=[],
        cores=1,
    )
    built = time.perf_counter() - started
    loader = PretrainingLoader(
        cell.model_copy(update={"training": cell.training.model_copy(update={"loader_workers": 0})}),
        source,
        view_names=run.learner.objective.view_names,
        rank=0,
        world_size=1,
        pin=device.type == "cuda",
    )
    loaded, failure = StepBatches(loader, run.length, 1, 0, torch.device("cpu")).next()
    if failure is not None:
        raise failure
    batch, taken = loaded[0], iter(range(run.length.steps))

    def step() -> StepValues:
        values = run.learner.step([batch.to(device) for _ in range(cell.training.accumulate)], next(taken))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return values

    first = _timed(step)
    seconds = statistics.median(_measured(step))
    saving = _saving(run, step())
    return Measurement({"training": seconds, "setup": built + max(0.0, first - seconds), "save": saving})


def _saving(run: Run, values: StepValues) -> float:
    """A checkpoint with its curves, on the disk for temporary files; the first of a process imports TensorBoard."""
    with (
        tempfile.TemporaryDirectory(prefix="raysl-calibrate-") as folder,
        Recorder(open_store(folder).named("calibration"), None) as recorder,
    ):
        taken = []
        for done in range(1, 5):
            row = curve_row(
                done, 1, values, data_seconds=1.0, compute_seconds=1.0, clips=1, unreadable=0, weight_penalty=0.0
            )
            recorder.add(row)
            taken.append(_timed(partial(run.save, recorder, done)))
        return statistics.median(taken[1:])


def _loading(cell: CellConfig, source: VideoSource) -> float:
    """Seconds of a video, loaded in this process."""
    training = cell.training
    together = min(LOADED_TOGETHER, len(training_videos(cell, source)))
    small = training.model_copy(update={"batch_size": together, "loader_workers": 0})
    views = objective_on_meta(cell, ANY_VIDEOS).view_names
    one = cell.model_copy(update={"training": small, "batch_norm_group": "batch"})
    if training.planned_loader_workers:
        torch.set_num_threads(1)
    loader = PretrainingLoader(one, source, view_names=views, rank=0, world_size=1)
    batches = loader.batches((epoch, step) for epoch in range(2**16) for step in range(loader.steps_per_epoch))
    return statistics.median(_measured(lambda: next(batches))) / together


def _forward(shape: Shape, source: VideoSource, device: torch.device) -> float:
    """Seconds of a video, read ahead by a thread as evaluations do."""
    cell = not_inflated(shape.cell)
    backbone: Backbone = draw_backbone(cell).to(device)
    readable = [video for split in ("test", "train") for video in source.catalog.split(split)]
    videos = [video for video in readable if source.manifest.rows[video.index].error is None]
    precision = resolve_precision(cell.training.precision, device)

    def features(batch: Tensor) -> Tensor:
        return pool(backbone(batch).float())

    def read(count: int) -> float:
        chosen = [videos[index % len(videos)] for index in range(count)]
        return _timed(
            lambda: over_videos(
                features, backbone, source, chosen, shape.clip, shape.clips, device=device, precision=precision
            )
        )

    block = max(1, 40 // shape.clips)
    read(block)
    blocks = min(MOST, max(FEWEST, int(SECONDS / read(block))))
    return read(blocks * block) / (blocks * block)


def _fit(shape: Shape) -> Measurement:
    """On features drawn around a mean of each class."""
    assert shape.evaluation is not None
    assert shape.splits is not None
    splits = shape.splits
    most = max(FITTED, 20 * len(splits.classes))
    share = min(1.0, most / max(1, len(splits.train)))
    train = label_subset(splits.train, share, 0) if share < 1 else splits.train
    protocol: FeatureProtocol = shape.evaluation.protocol.build()
    drawn = np.random.default_rng(0)
    means = drawn.normal(size=(len(splits.classes), shape.feature_dim))

    def features(videos: tuple[Video, ...]) -> Features:
        of = LabelledVideos.of(videos)
        values = means[of.label] + 2 * drawn.normal(size=(len(of), shape.feature_dim))
        return Features(**vars(of), values=values.astype(np.float32))

    both = features(train), features(splits.test)
    taken = [_timed(lambda: protocol.on_features(*both, splits.classes, 0)) for _ in range(2)]
    while len(taken) < FEWEST and sum(taken[1:]) < SECONDS:
        taken.append(_timed(lambda: protocol.on_features(*both, splits.classes, 0)))
    seconds = statistics.median(taken[1:])
    note = "" if share == 1 else f"measured on {len(train)} of {len(splits.train)} training videos"
    return Measurement({"fit": seconds / len(train)}, note)


def sampled(data: Chosen, places: Places, resize: int) -> tuple[VideoSource, str]:
    """A few videos of each split, as a run on this machine would read them: from the frame cache if all fit into it.

    Returns:
        The source, and whether it reads from the cache or decodes.

    Raises:
        DataError: the data set is not here.
    """
    reader, root = places.reader(data), places.root(data)
    reader.prepare(root)
    whole = reader.read(root)
    chosen: list[Video] = []
    for split in ("train", "test"):
        videos = whole.split(split)
        chosen += [videos[index] for index in np.linspace(0, len(videos) - 1, min(SAMPLE, len(videos))).astype(int)]
    position = {video.index: index for index, video in enumerate(chosen)}
    few = replace(
        whole,
        videos=tuple(replace(one, index=index) for index, one in enumerate(chosen)),
        missing=(),
        annotated=tuple(
            replace(frame, video=position[frame.video]) for frame in whole.annotated if frame.video in position
        ),
    )
    manifests = places.cache / "manifests"
    manifest = build_manifest(few, root, folder=manifests)
    if all(row.error is not None for row in manifest.rows):
        raise DataError(f"data set {data.bound_name!r}: none of the {len(few.videos)} videos tried can be read")
    cache = FrameCache(places.cache / "frames", resize, int(places.cache_gigabytes * 1e9))
    size = sum(map(cache.bytes_of, manifest.rows)) * len(whole.videos) / len(few.videos)
    if size > cache.budget.budget_bytes:
        return VideoSource(few, manifest, root, FrameCache(places.cache / "no-frames", resize, 0)), "decoded on demand"
    build_manifest(few, root, folder=manifests, fill=cache)
    return VideoSource(few, manifest, root, cache), "read from the frame cache"


class _Drawn(VideoSource):
    """Videos of noise, which need no decoding."""

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        shape = (len(frame_indices), 3, *self.frame_size(index))
        return torch.randint(0, 256, shape, dtype=torch.uint8)


@cache
def drawn_videos(resize: int) -> VideoSource:
    """Training videos of noise with labels, as many as any memory bank asks negatives of, each with two people."""
    classes = tuple(f"class {index}" for index in range(DRAWN_CLASSES))
    videos = tuple(Video(index, f"{index}.mp4", index % DRAWN_CLASSES, "train") for index in range(DRAWN_VIDEOS))
    people = (Person((0.1, 0.1, 0.5, 0.9), (0, 1)), Person((0.5, 0.2, 0.9, 0.8), (1,)))
    annotated = tuple(AnnotatedFrame(video.index, 2.0, people) for video in videos)
    catalog = Catalog("drawn", classes, videos, annotated=annotated)
    nowhere = Path("nowhere")
    return _Drawn(catalog, unread_manifest(catalog, resize), nowhere, FrameCache(nowhere, resize, 0))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _measured(work: Callable[[], object]) -> list[float]:
    """Seconds of each call, those that warm up left out."""
    for _ in range(WARM_UP):
        work()
    found: list[float] = []
    while len(found) < FEWEST or (len(found) < MOST and sum(found) < SECONDS):
        found.append(_timed(work))
    return found
