"""The plain sections of a pretraining configuration, without a choice of components.

Those of the objective's terms are in `raysl.config.objective_sections`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from raysl.config.options import NO_UNIT, Options, option

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class LearningRate(Options):
    """A learning rate as published, with its batch size; the rate used depends on the actual batch size."""

    value: float = option(doc="the rate at `at_batch`", unit=NO_UNIT, source="required", gt=0, le=1000, examples=[1e-3])
    at_batch: int = option(
        doc="global batch of this value", unit="videos", source="required", ge=1, le=2**20, examples=[64]
    )
    rule: Literal["linear", "sqrt", "none"] = option(
        "linear", doc="how the rate follows the batch", source="printed: Goyal et al. 2017; CVRL 7.4 scales linearly"
    )

    def at(self, batch_size: int) -> float:
        """The rate used at this global batch."""
        ratio = batch_size / self.at_batch
        factors = {"linear": ratio, "sqrt": math.sqrt(ratio), "none": 1.0}
        return self.value * factors[self.rule]


class ClipOptions(Options):
    """One clip as the backbone sees it: ``[B, 3, frames, size, size]``."""

    frames: int = option(
        16, doc="frames of a clip", unit="frames", source="printed: all five papers' usual clip", ge=2, le=256
    )
    stride: int = option(
        2, doc="distance of consecutive frames of a clip", unit="frames", source="printed: CVRL", ge=1, le=64
    )
    size: int = option(
        112,
        doc="height and width of a clip as the network sees it",
        unit="pixels",
        source="printed: TCLR, SSTL, CSTP",
        ge=16,
        le=512,
    )
    resize: int = option(
        128,
        doc="short side to which decoded frames are resized before any crop",
        unit="pixels",
        source="code: VCOP resizes to 128x171",
        ge=16,
        le=1024,
    )
    input: Literal["rgb", "difference"] = option(
        "rgb", doc="pixels, or consecutive frames subtracted", source="ours: difference if pixels teach nothing"
    )

    @model_validator(mode="after")
    def _crop_fits(self) -> ClipOptions:
        if self.size > self.resize:
            raise ValueError(
                f"clip.size {self.size} is larger than clip.resize {self.resize}, the short side of a frame"
            )
        return self

    @property
    def raw_frames(self) -> int:
        """Frames to decode for one clip: one more if consecutive frames are subtracted."""
        return self.frames + (self.input == "difference")

    @property
    def span(self) -> int:
        """Frames of video from a clip's first to its last, both counted."""
        return (self.raw_frames - 1) * self.stride + 1


class TemporalOptions(Options):
    """Augmentation in time (SSTL): each view takes its frames from a longer clip, some of which are dropped."""

    buffer_frames: int = option(
        0,
        doc="frames in addition to those of the clip; the view is a random window of what dropping leaves",
        unit="frames",
        source="printed: SSTL Table 4: 0, 8, 12, 16",
        ge=0,
        le=256,
    )
    dropped_frames: int = option(
        0,
        doc="frames dropped at random, no two of them adjacent",
        unit="frames",
        source="printed: SSTL Table 4: 0, 4, 6",
        ge=0,
        le=256,
    )
    max_rate: float = option(
        1.0,
        doc="playback rate p drawn from 1 to this: each frame is dropped with probability 1 - 1 / p; 1: no distortion",
        unit=NO_UNIT,
        source="printed: SSTL: 1.25",
        ge=1,
        le=16,
    )

    @model_validator(mode="after")
    def _frames_left(self) -> TemporalOptions:
        if self.dropped_frames > self.buffer_frames:
            raise ValueError(
                f"dropped_frames {self.dropped_frames} of buffer_frames {self.buffer_frames} leaves too few frames for "
                "a clip: drop no more than the buffer holds"
            )
        if self.max_rate > 1 and self.buffer_frames == self.dropped_frames:
            raise ValueError(
                f"max_rate {self.max_rate} drops frames, and buffer_frames {self.buffer_frames} has none to spare "
                f"in addition to dropped_frames {self.dropped_frames}: raise buffer_frames"
            )
        return self


class MonitorOptions(Options):
    """Measurements of the backbone while it is pretrained without labels; they do not influence it.

    Each gives a weighted kNN vote among labelled training videos, RankMe and the spread of the features as columns of
    the curves, and a warning if the features have collapsed.
    """

    points: int = option(
        4,
        doc="measurements, at even intervals, the last one after the last step; 0: none",
        unit="measurements",
        source="ours",
        ge=0,
        le=1000,
        identity=False,
    )
    videos: int = option(
        512,
        doc="training videos to measure on, spread evenly over the catalog, labelled ones if there are any",
        unit="videos",
        source="ours",
        ge=2,
        le=10**6,
        identity=False,
    )


class TrainingOptions(Options):
    """Length, batch, precision and seed."""

    epochs: int | None = option(
        None, doc="length; give exactly one of epochs and steps", unit="epochs", source="per recipe", ge=1, le=10**6
    )
    steps: int | None = option(
        None, doc="length; give exactly one of epochs and steps", unit="steps", source="per recipe", ge=1, le=10**9
    )
    batch_size: int = option(64, doc="global batch, over all workers", unit="videos", source="ours", ge=2, le=2**20)
    precision: Literal["float32", "bfloat16", "auto"] = option(
        "float32",
        source="ours",
        doc="arithmetic of the forward pass; auto: bfloat16 if the device multiplies it natively (see provenance); "
        "float32 is PyTorch's, whose convolutions on CUDA multiply in TF32",
    )
    workers: int = option(
        1,
        doc="DDP processes, which share the global batch",
        unit="workers",
        source="ours",
        ge=1,
        le=4096,
        identity=False,
    )
    seed: Seed = option(0, doc="seed of everything random", unit=NO_UNIT, source="ours")
    clip_gradient_norm: float | None = option(
        None, doc="largest gradient norm; null: no clipping", unit=NO_UNIT, source="ours", gt=0, le=1e9
    )
    accumulate: int = option(
        1,
        doc="batches whose gradients are summed before a step; refused if the loss compares across the batch",
        unit="batches",
        source="ours",
        ge=1,
        le=2**16,
    )
    chunk: int | None = option(
        None,
        doc="videos that pass the network at once on a worker; gradient caching then gives the whole batch's gradient "
        "(needs a batch_norm_group that divides it); null: all of a worker's batch",
        unit="videos",
        source="ours; Gao et al. 2021 (arXiv:2101.06983)",
        ge=1,
        le=2**20,
        identity=False,
    )
    loader_workers: Annotated[int, Field(ge=0, le=64)] | Literal["auto"] = option(
        "auto",
        doc="processes that load clips, per DDP worker, in training and evaluations; auto: as many as hide loading, by "
        "a measurement of the first steps, and none where that saves only seconds",
        unit="processes",
        source="ours",
        identity=False,
    )
    colors_on: Literal["auto", "loader", "device"] = option(
        "auto",
        doc="where clips get their colours and are normalised, as the loader drew: loader: one by one, while they are "
        "loaded; device: as batches, where they are trained on (within 1e-4 of the loader's); auto: device on a GPU",
        source="ours",
        identity=False,
    )
    threads: int | None = option(
        None,
        doc="torch threads of a worker; null: as many as its CPUs",
        unit="threads",
        source="ours",
        ge=1,
        le=1024,
        identity=False,
    )
    compile: bool = option(
        False,
        doc="train the backbone through torch.compile: its kernels are made at the first step, which takes tens of "
        "seconds, and round differently",
        source="ours",
        identity=False,
    )
    checkpoint_steps: int | None = option(
        None,
        doc="steps between checkpoints; null: once an epoch",
        unit="steps",
        source="ours",
        ge=1,
        le=10**9,
        identity=False,
    )
    log_steps: int = option(
        1, doc="steps between two rows of the curves", unit="steps", source="ours", ge=1, le=10**9, identity=False
    )
    monitor: MonitorOptions = option(
        MonitorOptions(),
        doc="measurements of the backbone while it is pretrained without labels",
        source="see its fields",
        identity=False,
    )
    max_unreadable: float = option(
        0.01,
        doc="share of videos that may be unreadable before the cell fails",
        unit="share",
        source="ours",
        ge=0,
        le=1,
        identity=False,
    )

    @property
    def planned_loader_workers(self) -> int:
        """`loader_workers` as far as they are known before training; ``auto`` may be none."""
        return 0 if self.loader_workers == "auto" else self.loader_workers

    @property
    def chunk_in_use(self) -> int | None:
        """`chunk` if it is less than a worker's batch, so that gradients are cached; otherwise None."""
        return self.chunk if self.chunk is not None and self.chunk < self.batch_size // self.workers else None

    @model_validator(mode="after")
    def _one_length(self) -> TrainingOptions:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give exactly one of training.epochs and training.steps")
        if self.compile and (self.workers > 1 or self.chunk is not None):
            raise ValueError("training.compile is for one worker without training.chunk: leave one of them out")
        if self.batch_size % self.workers:
            raise ValueError(
                f"training.batch_size {self.batch_size} does not divide by training.workers {self.workers}"
            )
        return self
