"""Ray's own messages to a driver: one line for each, among a run's notes.

Ray prints such messages to standard output whatever its logging options, some with a process's last lines of output.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray._private import worker

from raysl.notes import say_once

LONGEST = 400
_ID = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b")


def in_one_line(message: str) -> str:
    """A message's first line, without its introduction, and with ids as they are shown elsewhere."""
    first, _, more = message.strip().partition("\n")
    text = _ID.sub(r"\1", " ".join(first.split()))
    if more and text.endswith(":"):
        text = text[: text.rfind(". ") + 1] or text
    if len(text) > LONGEST:
        text, more = f"{text[:LONGEST].rpartition(' ')[0]} …", more or text
    return f"Ray: {text} (more in Ray's logs)" if more else f"Ray: {text}"


@contextmanager
def ray_messages_as_notes(keeps_files: bool) -> Iterator[None]:
    """In its body Ray's messages to this process become notes (`raysl.notes`) and are not printed.

    Args:
        keeps_files: the user wants Ray's own files: errors in writing them are shown, with a traceback.
    """

    print_lines = worker.print_worker_logs

    def say(data: dict[str, Any], *others: Any, **more: Any) -> None:
        if data.get("pid") != "raylet":  # output of tasks, for a user who started this Ray and wants to see it
            print_lines(data, *others, **more)
            return
        for message in data["lines"]:
            say_once(in_one_line(message))

    files = logging.getLogger("ray.train._internal.storage")
    level = files.level
    worker.print_worker_logs = say
    if not keeps_files:
        files.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        files.setLevel(level)
        worker.print_worker_logs = print_lines
