"""The processes below this one, to kill one of them."""

from __future__ import annotations

import os
from pathlib import Path


def below(pid: int | None = None) -> list[tuple[int, str]]:
    """Process id and command line of every process that this one (or ``pid``) started, and of those they started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            children.setdefault(_parent(folder), []).append(int(folder.name))
    found, waiting = [], list(children.get(pid or os.getpid(), []))
    while waiting:
        child = waiting.pop()
        found.append((child, _command(child)))
        waiting.extend(children.get(child, []))
    return found


def runs(pid: int) -> bool:
    """Whether there is such a process, and it has not ended."""
    return bool(_command(pid))


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
