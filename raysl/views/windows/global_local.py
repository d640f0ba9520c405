"""TCLR's window: one global clip at a large skip rate, and local clips of consecutive parts of it (TCLR 4.1).

With N_T timesteps and clips of T frames the window is N_T T frames at stride ``skip / N_T``: local clip j takes those
from j T on, the global clip every ``skip``-th frame of all. At N_T = 4, T = 16 and skip 4 it has 64 consecutive frames;
slice j of the global clip's feature map shows the same part of the video as local clip j. At N_T = 2 the two local
clips are halves sampled at skip 2 (inferred) (Table 10 does not say).

Every clip has two views, augmented independently: ``local/2`` and ``local/2/copy``.

A video of 57 to 63 frames is reflected at its end, so that slice j and local clip j keep the same frames. The code
reflects each clip separately: with 58 to 60 frames its global clip ends with frame 52, ours with 54 to 58.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from raysl.config.component import Component
from raysl.config.options import option
from raysl.config.sections import ClipOptions
from raysl.views.placement import Placement
from raysl.views.window_sampler import WindowOptions, WindowSampler


class GlobalLocalOptions(WindowOptions):
    """Timesteps, skip rates, and where the instance pair comes from."""

    local_clips: int = option(
        4, doc="N_T, local clips of a window", unit="clips", source="printed: TCLR Table 10", ge=1, le=16
    )
    skips: tuple[Annotated[int, Field(ge=1, le=64)], ...] = option(
        (4,),
        doc="stride of the global clip; if several, one that fits the video is drawn for each window",
        unit="frames",
        source="printed: TCLR; code: D.5: 4, 8, 12, 16, local clips at a quarter",
        min_length=1,
    )
    instance_pair: Literal["random", "reuse_global"] = option(
        "random",
        doc="reuse_global: the global clip is the pair's query, so that one forward pass is saved",
        source="printed: random timesteps, independent of the window",
    )
    shortest: float = option(
        0.875,
        doc="a video with no more than this share of the window's frames (clip.frames times the smallest skip) is left "
        "out; in others shorter than the window it starts at 0, and the missing frames are reflected at the end",
        unit="share of the window",
        source="code: TCLR: 56 of 64",
        ge=0,
        le=1,
    )

    @model_validator(mode="after")
    def _whole_strides(self) -> GlobalLocalOptions:
        for skip in self.skips:
            if skip % self.local_clips:
                raise ValueError(
                    f"skips {skip} does not divide by local_clips {self.local_clips}: the stride of a local clip is "
                    "their ratio"
                )
        return self

    @property
    def timesteps(self) -> int:
        return self.local_clips

    @property
    def same_view(self) -> dict[str, str]:
        return {"query": "global"} if self.instance_pair == "reuse_global" else {}


class GlobalLocal(WindowSampler):
    """Views ``global``, ``local/0`` to ``local/N_T - 1``, and a ``/copy`` of each."""

    def __init__(self, options: GlobalLocalOptions, clip: ClipOptions) -> None:
        self.options, self.clip = options, clip

    @property
    def view_names(self) -> tuple[str, ...]:
        clips = ("global", *(f"local/{j}" for j in range(self.options.local_clips)))
        return (*clips, *(f"{name}/copy" for name in clips))

    @property
    def span(self) -> int:
        return self.length(min(self.options.skips))

    def length(self, skip: int) -> int:
        """Frames of video from a window's first to its last, both counted."""
        stride = skip // self.options.local_clips
        last_local = (self.options.local_clips - 1) * self.clip.frames + self.clip.raw_frames - 1
        return max(stride * last_local, skip * (self.clip.raw_frames - 1)) + 1

    def fits(self, length: int) -> bool:
        # By the window's length in time, which does not depend on N_T: rows that differ in it train on the same videos.
        return length > self.options.shortest * min(self.options.skips) * self.clip.frames

    def place(self, length: int, generator: np.random.Generator) -> dict[str, Placement]:
        which, where = generator.random(2).tolist()
        fitting = [skip for skip in self.options.skips if self.length(skip) <= length] or [min(self.options.skips)]
        skip = fitting[int(which * len(fitting))]
        start = int(where * max(length - self.length(skip) + 1, 1))
        placed = {"global": self._clip(start, skip)}
        stride = skip // self.options.local_clips
        for j in range(self.options.local_clips):
            placed[f"local/{j}"] = self._clip(start + j * self.clip.frames * stride, stride)
        return {**placed, **{f"{name}/copy": placement for name, placement in placed.items()}}

    def _clip(self, start: int, stride: int) -> Placement:
        return Placement(start, self.clip.raw_frames, stride, past_end="reflect")


def build(options: GlobalLocalOptions, clip: ClipOptions) -> GlobalLocal:
    return GlobalLocal(options, clip)


COMPONENT = Component(kind="window sampler", options=GlobalLocalOptions, build=build)
