"""The figures a benchmark ends with: one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """Our value beside a peer's, measured in one run on the same inputs.

    Attributes:
        name: what was measured, and against whom.
        ours, peer: in ``unit``.
        unit: for example ``clips/s/core``.
        goal: the ratio ours / peer that is aimed at; None: the figure is told, not judged.
        floor: the ratio that must not be missed; None: as ``goal``.
        better: ``more`` for a rate, whose ratio should be the goal or above; ``less`` for a cost (seconds, bytes, an
            exponent), whose ratio should be the goal or below.
    """

    name: str
    ours: float
    peer: float
    unit: str
    goal: float | None = None
    floor: float | None = None
    better: Literal["more", "less"] = "more"

    def __post_init__(self) -> None:
        if self.goal is not None and self.floor is not None and not self._reaches(self.goal, self.floor):
            raise ValueError(f"{self.name}: {self.better} is better, so the floor cannot be harder than the goal")

    @property
    def ratio(self) -> float:
        """Ours / peer."""
        return self.ours / self.peer

    @property
    def verdict(self) -> Literal["met", "above floor", "missed", ""]:
        """Against goal and floor; empty where there is neither."""
        goal, floor = (self.goal, self.floor if self.floor is not None else self.goal)
        if goal is not None and self._reaches(self.ratio, goal):
            return "met"
        if floor is None:
            return ""
        return "missed" if not self._reaches(self.ratio, floor) else "above floor" if goal is not None else "met"

    def line(self) -> str:
        """``{"name", "ours", "peer", "unit", "ratio", "goal", "floor", "better", "verdict"}`` on one line."""
        values = {"ours": round(self.ours, 3), "peer": round(self.peer, 3)}
        judged = {"ratio": round(self.ratio, 2), "goal": self.goal, "floor": self.floor, "better": self.better}
        return json.dumps({"name": self.name, **values, "unit": self.unit, **judged, "verdict": self.verdict})

    def _reaches(self, ratio: float, bound: float) -> bool:
        return ratio >= bound if self.better == "more" else ratio <= bound


def print_figures(figures: Iterable[Figure]) -> None:
    """Prints one line a figure: the last lines of a benchmark's output."""
    for figure in figures:
        print(figure.line(), flush=True)
