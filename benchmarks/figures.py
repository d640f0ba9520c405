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
    """

    name: str
    ours: float
    peer: float
    unit: str

    def line(self) -> str:
        """``{"name", "ours", "peer", "unit", "ratio"}`` on one line; the ratio is ours / peer."""
        values = {"ours": round(self.ours, 3), "peer": round(self.peer, 3)}
        return json.dumps({"name": self.name, **values, "unit": self.unit, "ratio": round(self.ours / self.peer, 2)})


def print_figures(figures: Iterable[Figure]) -> None:
    """Prints one line a figure: the last lines of a benchmark's output."""
    for figure in figures:
        print(figure.line(), flush=True)
