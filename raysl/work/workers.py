"""What one DDP worker of a cell gets: CPUs, a GPU or a share of one, and on which nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from raysl.errors import ConfigError

Device = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker requests from a cluster.

    Attributes:
        device: ``auto``: a GPU if the cluster has any or can add one.
        cpus: of a worker; None: one and one for each of its loader processes.
        gpus: of a worker that computes on GPUs; a share below 1 is one card for several workers.
        custom: other resources that nodes declare (``ray start --resources``), with the amount for a worker.
        labels: of the nodes that workers may run on (``ray start --labels``).
    """

    device: Device = "auto"
    cpus: float | None = None
    gpus: float = 1.0
    custom: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.device not in get_args(Device):
            raise ConfigError(f"--device {self.device}: choose one of {', '.join(get_args(Device))}")
        if self.cpus is not None and not 0 < self.cpus < 4096:
            raise ConfigError(f"--cpus-per-worker {self.cpus:g}: give a number above 0")
        if not 0 < self.gpus < 1024 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise ConfigError(f"--gpus-per-worker {self.gpus:g}: give a share of one GPU, or a whole number of them")

    def bundle(self, on_gpu: bool, loader_workers: int) -> dict[str, float]:
        """As Ray takes it: ``{"CPU": 1, "GPU": 1}``."""
        cpus = 1.0 + loader_workers if self.cpus is None else self.cpus
        return {"CPU": cpus, **({"GPU": self.gpus} if on_gpu else {}), **self.custom}


def worker_options(
    device: str, cpus: float | None, gpus: float, resources: list[str], labels: list[str]
) -> WorkerOptions:
    """From the command line, where resources and labels are ``NAME=VALUE``.

    Raises:
        ConfigError: one of them is not.
    """
    custom = {}
    for name, value in (_pair("--resource", one) for one in resources):
        try:
            custom[name] = float(value)
        except ValueError:
            custom[name] = 0.0
        if not 0 < custom[name] < 1e9 or name in ("CPU", "GPU"):
            instead = f"--{name.lower()}s-per-worker" if name in ("CPU", "GPU") else "a number above 0"
            raise ConfigError(f"--resource {name}={value}: give {instead}")
    chosen: Device = device  # type: ignore[assignment]  # checked by the class
    return WorkerOptions(chosen, cpus, gpus, custom, dict(_pair("--node-label", one) for one in labels))


def _pair(option: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise ConfigError(f"{option} {text}: write NAME=VALUE")
    return name.strip(), value.strip()
