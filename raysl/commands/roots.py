"""``--root NAME=PATH``, ``--cache`` and ``--cache-gigabytes``, as every command takes them."""

from __future__ import annotations

from pathlib import Path

from raysl.data.fetch import is_address
from raysl.data.places import Places
from raysl.errors import ConfigError


def find_places(roots: list[str], cache: Path | None, cache_gigabytes: float | None = None) -> Places:
    """``["ucf101=/data/ucf"]`` from ``--root``, with roots from the environment and the user's file.

    Raises:
        ConfigError: without ``=``, or a repeated name.
    """
    given: dict[str, str | Path] = {}
    for root in roots:
        name, equals, path = root.partition("=")
        if not equals or not name or not path:
            raise ConfigError(f"--root {root}: write --root NAME=PATH, for instance --root ucf101=/data/UCF-101")
        if name in given:
            raise ConfigError(f"--root {name} is given twice, as {given[name]} and {path}; keep one")
        given[name] = path if is_address(path) else Path(path).expanduser().resolve()
    return Places.find(given, cache, cache_gigabytes)
