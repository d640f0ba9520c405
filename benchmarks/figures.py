"""The figures a benchmark ends with: one JSON line each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """Our value beside a peer's, measured in one run on the same inputs.

    Attributes:
        name: what was measured, and against whom.
        ours, peer: in ``unit``.
        unit: for example ``clips/s/core``.
        goal: the ratio ours / peer that is aimed at; None: the figure is told, not judged.
        floor: the ratio that must not be missed; None: as ``goal``. A floor above the goal says that less is better.
    """

    name: str
    ours: float
    peer: float
    unit: str
    goal: float | None = None
    floor: float | None = None

    def line(self) -> str:
        """``{"name", "ours", "peer", "unit", "ratio", "goal", "floor"}`` on one line; the ratio is ours / peer."""
        values = {"ours": round(self.ours, 3), "peer": round(self.peer, 3)}
        judged = {"ratio": round(self.ours / self.peer, 2), "goal": self.goal, "floor": self.floor}
        return json.dumps({"name": self.name, **values, "unit": self.unit, **judged})


def print_figures(figures: Iterable[Figure]) -> None:
    """Prints one line a figure: the last lines of a benchmark's output."""
    for figure in figures:
        print(figure.line(), flush=True)
