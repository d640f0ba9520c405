"""Measurements of a backbone during its pretraining, and whether its representation has collapsed.

Imports little: it is part of the progress that cells report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COLLAPSED = 0.02
"""Spread below which a representation has collapsed: 0 is a point, 1 the whole sphere (SimSiam 4.1, Figure 2).

At unit length, two different videos then have a cosine of 0.9996. The lowest of 351 pretrainings that did not collapse
(256 at smoke scale, 95 on real video) is 0.089 in embeddings; without negatives, predictor and stop-gradient 60 steps
of a small network lead from 0.4 to 0.015.
"""
UNSETTLED = 0.01
"""Share of the initial running statistics from which on features do not show a collapse: with mean 0 and variance 1
instead of the true ones, a deep network gives nearly the same feature for everything (0.0003 at the least)."""
PREFIX = "monitor/"
SPREAD = PREFIX + "spread"
INITIAL = "initial_statistics"
EMBEDDING = "embedding_std"


def last_measured(columns: Mapping[str, list[float]]) -> dict[str, float]:
    """The last row of the curves that has a measurement; empty where none has."""
    looked = [at for at, value in enumerate(columns.get(SPREAD, ())) if math.isfinite(value)]
    return {name: column[looked[-1]] for name, column in columns.items()} if looked else {}


@dataclass(frozen=True)
class Monitored:
    """The last measurement.

    Attributes:
        step: after which it was made.
        values: by the monitor's names.
        embedding: spread of that step's embeddings; None where no term has any.
    """

    step: int
    values: Mapping[str, float]
    embedding: float | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, float]) -> Monitored | None:
        """From a row of the curves; None if nothing was measured at its step."""
        if not math.isfinite(row.get(SPREAD, math.nan)):
            return None
        values = {name.removeprefix(PREFIX): value for name, value in row.items() if name.startswith(PREFIX)}
        embeddings = [value for name, value in row.items() if name.rpartition("/")[2].endswith(EMBEDDING)]
        return cls(int(row["step"]), values, min(embeddings, default=None))

    @property
    def collapsed(self) -> str:
        """What has collapsed, in words; empty if nothing has.

        The features of different videos, or the embeddings of a batch, are one point up to `COLLAPSED`. A loss does not
        show it: SimSiam's without stop-gradient falls to its minimum, InfoNCE stays at chance.
        """
        settled = self.values.get(INITIAL, 0.0) <= UNSETTLED
        found = {"features": self.values["spread"] if settled else None, "embeddings": self.embedding}
        parts = [f"{what} {value:.1g}" for what, value in found.items() if value is not None and value < COLLAPSED]
        return f"collapsed by step {self.step}: spread of {', of '.join(parts)} (1: the whole sphere)" if parts else ""

    def to_dict(self) -> dict[str, Any]:
        """For a heartbeat."""
        return {"monitored": {"step": self.step, **self.values}, "embedding": self.embedding}

    @classmethod
    def from_dict(cls, beat: Mapping[str, Any]) -> Monitored | None:
        """From a heartbeat; None before the first measurement."""
        values, embedding = beat.get("monitored"), beat.get("embedding")
        if not isinstance(values, dict) or not {"step", "spread"} <= values.keys():
            return None
        numbers = {str(name): float(value) for name, value in values.items() if name != "step"}
        return cls(int(values["step"]), numbers, None if embedding is None else float(embedding))

    def text(self) -> str:
        """``kNN 41.2 %, RankMe 12.3, spread 0.31``, with ``COLLAPSED`` if the representation has."""
        shown = [f"kNN {100 * self.values['knn_accuracy']:.1f} %"] if "knn_accuracy" in self.values else []
        shown += [f"RankMe {self.values['rankme']:.1f}"] if "rankme" in self.values else []
        shown += [f"spread {self.values['spread']:.2g}"]
        return ", ".join([*shown, *(["COLLAPSED"] if self.collapsed else [])])
