"""Shows a run's events: a live block on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Group
from rich.live import Live

from raysl.commands.terminal import PlainConsole
from raysl.work.events import Event, Note, Overview, Phase, Reading, shown_seconds

PLAIN_SECONDS = 10.0
"""Seconds between two progress lines without a terminal, so that a log stays readable."""


class Display:
    """A context manager to be called with each event, from any thread."""

    def __init__(self, console: PlainConsole | None = None) -> None:
        self._console = console or PlainConsole()
        self._live = (
            Live(console=self._console, auto_refresh=False, transient=True) if self._console.is_terminal else None
        )
        self._began = time.monotonic()
        self._printed = float("-inf")
        self._last = ""

    def __enter__(self) -> Display:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note):
            self._keep(event.text)
        elif isinstance(event, Phase):
            if event.seconds is not None:
                self._keep(f"{event.name}: {event.seconds:.1f} s")
        elif isinstance(event, Reading):
            videos = f": {event.done}/{event.total} videos" if event.total else ""
            self._progress(f"{event.stage} data set {event.name}{videos}", [])
        else:
            self._progress(event.line(), [running.line() for running in event.running], final=_is_over(event))

    def _keep(self, text: str) -> None:
        self._console.print(f"[{self._elapsed()}] {text}")

    def _progress(self, line: str, below: list[str], final: bool = False) -> None:
        if self._live is not None:
            rows = [f"[{self._elapsed()}] {line}", *(f"    {text}" for text in below)]
            self._live.update(Group(*rows), refresh=True)
            return
        now = time.monotonic()
        text = " | ".join([line, *below])
        if text != self._last and (final or now - self._printed >= PLAIN_SECONDS):
            self._printed, self._last = now, text
            self._keep(text)

    def _elapsed(self) -> str:
        return f"{shown_seconds(time.monotonic() - self._began):>6}"


def _is_over(overview: Overview) -> bool:
    return not overview.running and overview.done + overview.failed + overview.stopped == overview.total
