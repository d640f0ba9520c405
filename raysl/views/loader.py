"""Batches of views for pretraining: each rank loads its slice of every global batch, in this process or in others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.data.source import VideoSource
from raysl.distributed import cpus_of_rank
from raysl.errors import ConfigError, DataError, NodeFault
from raysl.views.augmentation import TwoStepAugmentation
from raysl.views.batch import Batch
from raysl.views.boxes import BoxPipeline, collate_boxes
from raysl.views.finish import finish as finish_batch
from raysl.views.loader_choice import LoaderChoice
from raysl.views.loading import Loading
from raysl.views.order import EpochOrder
from raysl.views.pair_sampler import pair_sampler, placed_clips
from raysl.views.pipeline import Loaded, ViewPipeline, collate
from raysl.views.task_views import task_views
from raysl.views.training_videos import training_lengths, training_videos, trains_boxes
from raysl.views.window_sampler import window_sampler

Place = tuple[int, int]
"""Epoch and step within it, both from 0."""


class _Batches:
    """Makes this rank's part of the batch at a place.

    Raises:
        NodeFault: a video failed to load and none is left to replace it.
    """

    def __init__(self, pipeline: ViewPipeline, order: EpochOrder, slots: range) -> None:
        self.pipeline, self.order, self.slots = pipeline, order, slots

    def parts(self) -> dict[str, float]:
        """Seconds of reading for the last batch (`VideoSource.seconds`)."""
        return dict(self.pipeline.source.seconds)

    def __call__(self, place: Place) -> Batch:
        self.pipeline.source.seconds.clear()
        epoch, step = place
        videos = self.order.batch(epoch, step)
        failed: dict[str, str] = {}
        rows_loaded: list[Loaded] = []
        clips = self.pipeline.empty(len(self.slots))
        for row, slot in enumerate(self.slots):
            out = {name: rows[row] for name, rows in clips.items()}
            with torch.inference_mode():  # a twentieth of the loader's time otherwise
                loaded = self._load(videos[slot], place, slot, out, failed)
            if loaded is None:
                path, reason = next(iter(failed.items()))
                raise NodeFault(
                    f"no readable video is left to replace {self._path(videos[slot])} at epoch {epoch}, "
                    f"step {step}: {len(failed)} failed to load in this batch, first {path}: {reason}",
                    may_pass=True,
                )
            rows_loaded.append(loaded)
        views = {
            name: collate(
                rows,
                [one.origins[name] for one in rows_loaded],
                [one.unfinished[name] for one in rows_loaded if one.unfinished],
            )
            for name, rows in clips.items()
        }
        boxes = None
        if isinstance(self.pipeline, BoxPipeline):
            boxes = collate_boxes(rows_loaded, len(self.pipeline.source.catalog.classes))
        return Batch(views, self._targets(rows_loaded), tuple(failed), boxes=boxes)

    def _targets(self, loaded: list[Loaded]) -> dict[str, Tensor]:
        """``[B]`` int64 each: the videos' labels, and the answers of pretext tasks."""
        answers = {
            name: torch.tensor([one.targets[name] for one in loaded], dtype=torch.int64) for name in loaded[0].targets
        }
        catalog = self.pipeline.source.catalog
        if not catalog.classes or isinstance(self.pipeline, BoxPipeline):
            return answers
        labels = [catalog.videos[next(iter(one.origins.values())).video].label for one in loaded]
        label = torch.tensor([-1 if label is None else label for label in labels], dtype=torch.int64)
        return {"label": label, **answers}

    def _load(
        self, video: int, place: Place, slot: int, out: dict[str, Tensor], failed: dict[str, str]
    ) -> Loaded | None:
        """Loads the video, or the first replacement that can be read; those that cannot go to ``failed``."""
        candidates: Iterator[int] | None = None
        candidate: int | None = video
        while candidate is not None:
            try:
                return self.pipeline(candidate, place[0], out)
            except DataError as error:
                failed[self._path(candidate)] = str(error)
            if candidates is None:
                candidates = self.order.replacements(*place, slot)
            candidate = next(candidates, None)
        return None

    def _path(self, video: int) -> str:
        return self.pipeline.source.catalog.videos[self.pipeline.video_of(video)].path


def count_too_short(cell: CellConfig, lengths: Sequence[int]) -> int:
    """How many videos of these lengths, in frames, are shorter than a view's span.

    If all of them are, they are refused: no clip would be complete. Consecutive clips of a task count as one view here.

    Raises:
        ConfigError: no video is as long as a view's span.
    """
    pair, windows = pair_sampler(cell), window_sampler(cell)
    spans = [] if windows is None else [windows.span]
    # Clips are placed only within windows: no single clip has to fit.
    if pair is not None or windows is None:
        clip = cell.placed_clip
        stride = placed_clips(cell)[0].stride if pair is None else min(pair.strides)
        spans.append(clip.model_copy(update={"stride": stride}).span)
        if max(lengths) < spans[-1]:
            raise ConfigError(_no_clip_fits(cell, stride, spans[-1], lengths))
    for name, task in task_views(cell).items():
        if task.own_views:
            needed = task.spans(cell.clip)
            spans.append(max(needed.values()))
            if max(lengths) < spans[-1]:
                raise ConfigError(_no_task_clip_fits(name, cell, needed, lengths))
    return sum(length < max(spans) for length in lengths)


def _no_clip_fits(cell: CellConfig, stride: int, span: int, lengths: Sequence[int]) -> str:
    buffer = cell.temporal.buffer_frames
    keys = ["clip.frames", "clip.stride" if stride == cell.clip.stride else "the strides of sampling.pair"]
    placed = f"a clip of clip.frames {cell.clip.frames} at "
    placed += f"clip.stride {stride}" if stride == cell.clip.stride else f"stride {stride} of sampling.pair"
    if buffer:
        keys.insert(0, "augment.temporal.buffer_frames")
        placed += f" with augment.temporal.buffer_frames {buffer}"
    return (
        f"{placed} spans {span} frames of video, and the longest of the {len(lengths)} readable videos has "
        f"{max(lengths)}; lower {', '.join(keys[:-1])} or {keys[-1]}"
    )


def _no_task_clip_fits(name: str, cell: CellConfig, needed: Mapping[str, int], lengths: Sequence[int]) -> str:
    fitting = (
        f"{what} spans {span} frames of video, which {sum(length >= span for length in lengths)} of them have"
        for what, span in needed.items()
    )
    return (
        f"objective.pretext.{name}: none of the {len(lengths)} readable videos is long enough, the longest has "
        f"{max(lengths)} frames: {'; '.join(fitting)}. Lower clip.stride {cell.clip.stride}, clip.frames "
        f"{cell.clip.frames} or what the task multiplies them by"
    )


class PretrainingLoader:
    """Batches of one rank, a pure function of cell, epoch and step, whatever the numbers of ranks and processes are.

    Args:
        cell: gives batch size, seed, clip, sampler, augmentation and loader processes.
        source: of the pretraining set.
        view_names: the views that the objective needs.
        rank, world_size: of the process group.
        split: of the catalog.
        videos: what to train on, ascending: catalog indices, or, for boxes, those of annotated frames; None: the
            `training_videos` of the split.
        pin: batches are in page-locked memory, from which a copy to a GPU is asynchronous.
        finish: False leaves colours and normalisation of the clips to `finished`, where the augmentation can.
        on_choice: called when ``loader_workers: auto`` has chosen a number of processes.

    Attributes:
        videos: those in use.
        steps_per_epoch: global batches per epoch; the remainder is `order.dropped`.
        too_short: how many videos are shorter than a view's span, so that its clips wrap around or are reflected.

    Raises:
        ConfigError: the batch is larger than the set, or does not divide by the number of ranks; no video is as long
            as a clip's span.
    """

    def __init__(
        self,
        cell: CellConfig,
        source: VideoSource,
        *,
        view_names: tuple[str, ...],
        rank: int,
        world_size: int,
        split: str = "train",
        videos: Sequence[int] | None = None,
        pin: bool = False,
        finish: bool = True,
        on_choice: Callable[[LoaderChoice], None] | None = None,
    ) -> None:
        training = cell.training
        if training.batch_size % world_size:
            raise ConfigError(f"training.batch_size {training.batch_size} does not divide by {world_size} workers")
        self.videos = training_videos(cell, source, split) if videos is None else tuple(videos)
        self.order = EpochOrder(self.videos, training.batch_size, training.seed)
        self.steps_per_epoch = self.order.steps_per_epoch
        self.too_short = count_too_short(cell, training_lengths(cell, source, self.videos))
        share = training.batch_size // world_size
        kind = BoxPipeline if trains_boxes(cell) else ViewPipeline
        self._pipeline = kind(cell, source, view_names, finish)
        load = _Batches(self._pipeline, self.order, range(rank * share, (rank + 1) * share))
        sizes = [rows.nbytes for rows in load.pipeline.empty(1).values()]
        self._loading = Loading(
            load,
            training.loader_workers,
            cpus=cpus_of_rank(),
            item_bytes=share * sum(sizes),
            what="training",
            group=training.accumulate,
            settle=torch.cuda.synchronize if pin else None,
            finish=_pinning() if pin else None,
            on_choice=on_choice,
            says=rank == 0,
        )

    @property
    def processes(self) -> int:
        """That load clips now: ``training.loader_workers``, or fewer if shared memory is too small for them."""
        return self._loading.processes

    def batches(self, places: Iterable[Place], count: int = 0) -> Iterator[Batch]:
        """This rank's part of the batches at these places; one pass at a time.

        Loader processes work ahead from one epoch into the next.

        Args:
            count: how many places there are; without it ``loader_workers: auto`` starts no process.

        Raises:
            NodeFault: a video failed to load and none is left to replace it; loader processes ended, or gave nothing
                for `raysl.views.loader_processes.PATIENCE_SECONDS`.
        """
        return self._loading.items(places, count)

    def finished(self, batch: Batch) -> Batch:
        """The batch, on any device, with clips that are the network's input."""
        augmentation = self._pipeline.augmentation
        if self._pipeline.finishes or not isinstance(augmentation, TwoStepAugmentation):
            return batch
        return finish_batch(batch, augmentation, self._pipeline.clip.input)

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """`batches` of an epoch (from 0), from ``first_step`` on."""
        places = [(epoch, step) for step in range(first_step, self.steps_per_epoch)]
        return self.batches(places, len(places))

    def close(self) -> None:
        """Ends loader processes; without it they end with this object."""
        self._loading.close()


def _pinning() -> Callable[[Batch], Batch]:
    """Puts batches into page-locked memory, in any thread, for the GPU that is in use now."""
    device = torch.cuda.current_device()

    def pin(batch: Batch) -> Batch:
        torch.cuda.set_device(device)
        return batch.pin_memory()

    return pin
