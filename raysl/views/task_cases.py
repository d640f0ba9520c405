"""The clips of a pretext task at one position in a video, for each of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from raysl.config.sections import ClipOptions
from raysl.streams import stream
from raysl.views.placement import Placement
from raysl.views.task_views import PixelChange, TaskViews, VideoPlan

DRAWS = 512
"""Draws, enough to see every answer: the tasks have at most six, equally likely."""
Answer = tuple[tuple[str, int], ...]
"""The right answers of a case, by the names of `VideoPlan.targets`."""


@dataclass(frozen=True)
class Case:
    """What a task shows if this answer is right.

    Attributes:
        placements: by the task's own views.
        pixels: by the same views, the changes of a clip, in order.
    """

    answer: Answer
    placements: Mapping[str, Placement]
    pixels: Mapping[str, list[PixelChange]]

    @property
    def title(self) -> str:
        """``rotation 1``"""
        return ", ".join(f"{name.rpartition('/')[2]} {value}" for name, value in self.answer)


def task_cases(task: TaskViews, clip: ClipOptions, length: int, *keys: int | str) -> list[Case]:
    """One case for each answer, in the order of the answers, all with clips about the middle of the video.

    The task gets no more of the video than its longest clips need, so that only the answer is left to draw.

    Args:
        length: frames of the video; if it is shorter than the task's clips, these wrap around.
        keys: of a task's other draws (which wrong order of frames).

    Raises:
        ValueError: the task has no views of its own.
    """
    if not task.own_views:
        raise ValueError("the task changes the pair: it has no clips of its own")
    needed = max(task.spans(clip).values())
    start, found = max((length - needed) // 2, 0), dict[Answer, Case]()
    generator: np.random.Generator = stream(0, *keys, "task cases")
    for _ in range(DRAWS):
        plan = VideoPlan(needed, clip, {})
        task.apply(plan, generator)
        answer = tuple(sorted(plan.targets.items()))
        if answer not in found:
            moved = {name: one._replace(start=one.start + start) for name, one in plan.placements.items()}
            found[answer] = Case(answer, {view: moved[view] for view in task.own_views}, plan.pixels)
    return [found[answer] for answer in sorted(found)]
