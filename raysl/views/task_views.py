"""The view half of a pretext task: makes its own views or changes the pair's, and gives the right answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from raysl.config.cell import CellConfig, augmenting_tasks
from raysl.config.sections import ClipOptions
from raysl.errors import ConfigError
from raysl.views.placement import Placement, uniform_start

if TYPE_CHECKING:
    from torch import Tensor

PixelChange = Callable[["Tensor"], "Tensor"]
"""``[3, T, size, size]`` float32 in [0, 1], augmented, to the same."""


@dataclass
class VideoPlan:
    """The views of one video in one epoch, which tasks may change.

    Attributes:
        length: frames of the video.
        clip: of the cell.
        placements: by view.
        pixels: by view, the changes of the augmented clip, in order.
        targets: by name, the right answers.
    """

    length: int
    clip: ClipOptions
    placements: dict[str, Placement]
    pixels: dict[str, list[PixelChange]] = field(default_factory=dict)
    targets: dict[str, int] = field(default_factory=dict)

    def change_pixels(self, view: str, change: PixelChange) -> None:
        """Adds a change of the augmented clip of a view."""
        self.pixels.setdefault(view, []).append(change)

    def place(
        self, generator: np.random.Generator, *, frames: int | None = None, stride: int | None = None
    ) -> Placement:
        """A clip at a uniform position; it wraps around if the video is shorter.

        Args:
            frames: as the network reads them; None: those of the cell's clips.
            stride: frames; None: that of the cell's clips.
        """
        change = {"frames": frames, "stride": stride}
        clip = self.clip.model_copy(update={key: value for key, value in change.items() if value is not None})
        return Placement(uniform_start(self.length, clip, generator), clip.raw_frames, clip.stride)


class TaskViews(ABC):
    """Base of tasks' view halves: ``COMPONENT.views(options, cell) -> TaskViews``."""

    @property
    def own_views(self) -> tuple[str, ...]:
        """The views that it makes besides the pair, in their order."""
        return ()

    @property
    def changes(self) -> Mapping[str, frozenset[str]]:
        """What it sets of each view: ``order`` of frames, ``rate``, ``angle``. No two tasks may set the same."""
        return {}

    def frames(self, view: str, clip: ClipOptions) -> int:
        """Frames of one of `own_views`, as the network reads them."""
        return clip.frames

    def spans(self, clip: ClipOptions) -> Mapping[str, int]:
        """Frames of video that its own clips need, by their names in messages."""
        return {"a clip": clip.span}

    @abstractmethod
    def apply(self, plan: VideoPlan, generator: np.random.Generator) -> None:
        """Places its own views, or changes those of the pair, and gives the answers."""


def task_views(cell: CellConfig) -> dict[str, TaskViews]:
    """The view halves of the cell's tasks, by task; for supervised cells, tasks that only augment."""
    pretext = cell.objective.pretext
    tasks = augmenting_tasks(pretext) if cell.pretraining == "supervised" else pretext
    return {
        name: task.component.views(task.options, cell)
        for name, task in tasks.items()
        if task.component.views is not None
    }


def check_conflicts(tasks: Mapping[str, TaskViews]) -> None:
    """Refuses two tasks that make a view of one name, or set the same of one view.

    Raises:
        ConfigError: naming both, the view and what they set.
    """
    made: dict[str, str] = {}
    for name, task in tasks.items():
        for view in task.own_views:
            other = made.setdefault(view, name)
            if other != name:
                raise ConfigError(f"objective.pretext: {other} and {name} both make a view {view!r}; rename one's")
    taken: dict[tuple[str, str], str] = {}
    for name, task in tasks.items():
        for view, what in _each(task.changes):
            other = taken.setdefault((view, what), name)
            if other != name:
                raise ConfigError(
                    f"objective.pretext: {other} and {name} both set the {what} of the view {view!r}; give one of them "
                    "its own view (view: own), or switch it off"
                )


def _each(changes: Mapping[str, frozenset[str]]) -> Iterable[tuple[str, str]]:
    return ((view, what) for view, all_of in changes.items() for what in sorted(all_of))
