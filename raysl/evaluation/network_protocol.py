"""Protocols that read a cell's whole network: its backbone with the heads that it trained."""

from __future__ import annotations

from raysl.config.options import Options
from raysl.evaluation.protocol import Protocol


class NetworkOptions(Options):
    """The base of the options of all such protocols."""


class NetworkProtocol(Protocol):
    """Base of these protocols, which test the network at the end of its training, on all ranks at once."""

    reads = "network"
