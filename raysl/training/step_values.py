"""The values of a step: what the curves show, and how they come from the device without a wait for it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from raysl.distributed import of_all_ranks
from raysl.errors import CellFailure


@dataclass(frozen=True)
class StepValues:
    """The values of one step, means over the global batch: the same on every rank.

    Attributes:
        metrics: empty at a step whose metrics were not asked for.
    """

    loss: float
    terms: dict[str, float]
    metrics: dict[str, float]
    learning_rate: float
    gradient_norm: float


class HostCopy:
    """Numbers that are copied to the host while the device goes on; `read` waits for these numbers alone.

    Args:
        values: ``[N]``, of any device; nothing writes to them any more.
    """

    def __init__(self, values: Tensor) -> None:
        self._values = values.to("cpu", non_blocking=True)  # into pinned memory
        self._copied: torch.cuda.Event | None = None
        if values.is_cuda:
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._copied.record(torch.cuda.current_stream(values.device))

    def read(self) -> list[float]:
        if self._copied is not None:
            self._copied.synchronize()
        read: list[float] = self._values.tolist()
        return read


@dataclass(frozen=True)
class TakenStep:
    """A step whose values are on their way.

    Attributes:
        step: from 0.
        values: loss, gradient norm, then ``terms`` and ``metrics``.
    """

    step: int
    learning_rate: float
    terms: Sequence[str]
    metrics: Sequence[str]
    values: HostCopy

    def read(self) -> StepValues:
        """The values, once the device has them.

        Raises:
            CellFailure: the loss or the gradient is not finite; raised on every rank.
        """
        loss, norm, *others = self.values.read()
        terms = dict(zip(self.terms, others[: len(self.terms)], strict=True))
        number = self.step + 1
        if not math.isfinite(loss):
            raise of_all_ranks(CellFailure(f"the loss is {loss} at step {number}", {"step": number, "terms": terms}))
        if not math.isfinite(norm):
            raise of_all_ranks(
                CellFailure(f"the gradient norm is {norm} at step {number}", {"step": number, "loss": loss})
            )
        metrics = dict(zip(self.metrics, others[len(self.terms) :], strict=True))
        return StepValues(loss, terms, metrics, self.learning_rate, norm)


class Mark:
    """A moment in the device's own time: on a GPU, when it has done what was asked for before, which it does later."""

    def __init__(self, device: torch.device) -> None:
        self._event: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            self._event.record(torch.cuda.current_stream(device))
        self._host = time.perf_counter()

    def seconds_since(self, earlier: Mark) -> float:
        """Waits until the device is there."""
        if self._event is None or earlier._event is None:
            return self._host - earlier._host
        self._event.synchronize()
        return float(earlier._event.elapsed_time(self._event)) / 1000
