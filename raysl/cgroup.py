"""What a control group allows: the limits of containers, batch systems and services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNLIMITED = 1 << 60
"""Bytes: version 1 writes a number near 2^63 where there is no limit."""


@dataclass(frozen=True)
class Limits:
    """Of the group that this process is in and of those above it, the tightest.

    Attributes:
        cpus: seconds of CPU in a second; None without a limit.
        memory: bytes; None without a limit.
        memory_used: bytes that the group with that limit has in use.
    """

    cpus: float | None = None
    memory: int | None = None
    memory_used: int = 0


def cgroup_limits(top: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Limits:
    """Reads version 2 and version 1; none where the system has no control groups.

    Args:
        top: where they are mounted.
        own: lines ``NUMBER:CONTROLLERS:PATH`` of the groups of this process.
    """
    cpus, memory = list[float](), list[tuple[int, int]]()
    for folder in _folders(top, own):
        cpus += _cpus(folder)
        memory += _memory(folder)
    limit, used = min(memory, default=(None, 0), key=lambda one: one[0] or 0)
    return Limits(min(cpus, default=None), limit, used)


def _folders(top: Path, own: Path) -> Iterator[Path]:
    """From the group of this process to the topmost; in a container its own one is mounted as the topmost."""
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        mount = top / controllers if controllers else top
        group = mount / path.lstrip("/")
        while group != mount and mount in group.parents:
            yield group
            group = group.parent
        yield mount


def _cpus(folder: Path) -> Iterator[float]:
    quota, _, period = _text(folder / "cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        yield int(quota) / int(period)
    quota, period = (_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    if quota.isdigit() and period.isdigit():  # -1 without a limit
        yield int(quota) / int(period)


def _memory(folder: Path) -> Iterator[tuple[int, int]]:
    for limit_file, used_file in (
        ("memory.max", "memory.current"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        limit, used = (_text(folder / name).strip() for name in (limit_file, used_file))
        if limit.isdigit() and int(limit) < UNLIMITED:
            yield int(limit), int(used) if used.isdigit() else 0


def _text(file: Path) -> str:
    """Empty where there is no such file, or it may not be read."""
    try:
        return file.read_text()
    except OSError:
        return ""
