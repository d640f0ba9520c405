"""Evaluates a backbone while it trains, at even intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from raysl.models.backbone import Backbone


@dataclass(frozen=True)
class Probe:
    """Evaluates ``times`` times, the last one after the last step.

    Attributes:
        look: takes the backbone and the number of the evaluation, from 1; called on every rank at the same steps, after
            a checkpoint of that step. It must leave the backbone as it was and draw no random number.
    """

    times: int
    look: Callable[[Backbone, int], None]

    def due(self, step: int, steps: int) -> int | None:
        """Number of the evaluation after ``step`` (from 1) of ``steps``; None if none is due.

        With fewer steps than evaluations some numbers are skipped; the last is always `times`.
        """
        return probe_due(self.times, step, steps)


def probe_due(times: int, step: int, steps: int) -> int | None:
    """As `Probe.due`; never due if ``times`` is 0."""
    number = step * times // steps
    return number if number > (step - 1) * times // steps else None
