"""A framework from outside raysl that fails or waits from one step on, on one rank: found by its import path."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from raysl.config.component import Component
from raysl.config.options import option
from raysl.distributed import rank
from raysl.objectives.frameworks.simclr import SimCLROptions
from raysl.objectives.frameworks.simclr_term import SimCLR
from raysl.objectives.term import TermContext, TermOutput
from raysl.views.batch import Batch


class FailingOptions(SimCLROptions):
    """SimCLR's, and when it fails."""

    step: int = option(3, doc="first step of a process, from 1, whose loss is NaN", source="a test", ge=1)
    on_rank: int = option(0, doc="the rank whose loss it is", source="a test", ge=0)
    kills: bool = option(False, doc="whether its process dies there instead", source="a test")
    waits_for: str | None = option(None, doc="the file that it waits for there instead, if not None", source="a test")


class FailingSimCLR(SimCLR):
    """Counts its forward passes."""

    def __init__(self, options: FailingOptions, context: TermContext) -> None:
        super().__init__(options, context)
        self.failing = options
        self.passes = 0

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        output = super().forward(features, batch)
        self.passes += 1
        if self.passes < self.failing.step or rank() != self.failing.on_rank:
            return output
        if self.failing.kills:
            os._exit(1)
        if self.failing.waits_for is not None:
            while not Path(self.failing.waits_for).exists():
                time.sleep(0.05)
            return output
        return TermOutput(output.loss * torch.nan, output.metrics)


def _build(options: FailingOptions, context: TermContext) -> FailingSimCLR:
    return FailingSimCLR(options, context)


COMPONENT = Component(kind="framework", options=FailingOptions, build=_build)
