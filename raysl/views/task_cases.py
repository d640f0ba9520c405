"""What a pretext task makes of one and the same place in a video, for each of its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from raysl.config.sections import ClipOptions
from raysl.streams import stream
from raysl.views.placement import Placement
from raysl.views.task_views import PixelChange, TaskViews, VideoPlan

DRAWS = 512
"""Of which every answer is one: those of the tasks are as likely as each other, six at most."""
Answer = tuple[tuple[str, int], ...]
"""The right answers of a case, by the names of `VideoPlan.targets`."""


@dataclass(frozen=True)
class Case:
    """What a task shows where this answer is right.

    Attributes:
        placements: by the task's own views. pixels: likewise, what is done in turn to a clip.
    """

    answer: Answer
    placements: Mapping[str, Placement]
    pixels: Mapping[str, list[PixelChange]]

    @property
    def title(self) -> str:
        """``rotation 1``"""
        return ", ".join(f"{name.rpartition('/')[2]} {value}" for name, value in self.answer)


def task_cases(task: TaskViews, clip: ClipOptions, length: int, *keys: int | str) -> list[Case]:
    """One for each answer, in the order of the answers, all of clips about the middle of the video.

    The task is given no more of the video than its longest clips need, so that nothing but the answer is left to draw.

    Args:
        length: frames of the video; where it is shorter than the task's clips, these wrap around.
        keys: of the draws of what else a task does (which wrong order of frames).

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
