"""What is looked at, and what was found of one thing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class DoctorOptions:
    """What is looked at.

    Attributes:
        roots: as ``--root`` gives them, ``NAME=PATH``.
        cache: folder for decoded frames; None: as every command finds it.
        storage: results store that is written to.
        ray: start Ray here, or join the cluster of ``address`` or ``RAY_ADDRESS``, and let it run one task.
        address: of a running Ray cluster.
        cache_gigabytes: that decoded frames may take; None: as every command finds it.
    """

    roots: tuple[str, ...] = ()
    cache: Path | None = None
    storage: str = "results"
    ray: bool = False
    address: str | None = None
    cache_gigabytes: float | None = None


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        topic: what was looked at.
        state: ``failed`` where a run would end with an error; ``warning`` where it is slower, or less than it could be.
        text: what was found.
        advice: what to do about it; empty where nothing need be done.
        values: numbers and names for a bug report; no path outside the home folder's ``~``.
    """

    topic: str
    state: State
    text: str
    advice: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All fields, ``values`` too."""
        return {
            "topic": self.topic,
            "state": self.state,
            "text": self.text,
            "advice": self.advice,
            "values": dict(self.values),
        }


def size(count: float) -> str:
    """Bytes as a person reads them: ``64 MB``, ``23.5 GB`` (of 10^9 bytes)."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def without_home(path: Path | str) -> str:
    """The path with ``~`` for this user's home folder: what is pasted into a bug report names nobody."""
    text = str(path)
    try:
        home = str(Path.home())
    except RuntimeError:  # of nobody
        return text
    return f"~{text[len(home) :]}" if home != "/" and (text == home or text.startswith(f"{home}/")) else text


def first_line(error: Exception) -> str:
    """What an error says, without the rest of what it quotes."""
    return (str(error).strip().splitlines() or [""])[0]
