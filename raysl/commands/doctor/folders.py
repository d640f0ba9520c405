"""Folders: the registered roots, the cache, and the results store, which is written to."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from raysl.commands.doctor.finding import DoctorOptions, Finding, size, without_home
from raysl.commands.roots import find_places
from raysl.data.fetch import shown_address
from raysl.data.places import Places
from raysl.errors import RayslError

if TYPE_CHECKING:
    from raysl.results.place import Place

LARGE, SMALL = 32_000_000, 20
"""Bytes of the object, about those of a checkpoint, and number of small objects that are written to the store."""
SLOW = 10e6
"""Bytes a second below which checkpoints hold a training up."""


def roots(options: DoctorOptions) -> Iterator[Finding]:
    """The folders that data sets' names are bound to: on the command line, by environment, in the user's file."""
    try:
        places = find_places(list(options.roots), options.cache)
    except RayslError as error:
        yield Finding("roots", "failed", str(error))
        return
    if not places.roots:
        text = "none: only rendered data sets can be read"
        yield Finding("roots", "ok", text, "for your own: --root NAME=PATH, or a line NAME: PATH in roots.yaml")
    for name, path in sorted(places.roots.items()):
        yield _root(name, path, places)


def _root(name: str, path: Path, places: Places) -> Finding:
    topic, values = f"root {name}", {"path": without_home(path)}
    if name in places.addresses:
        text = f"{shown_address(places.addresses[name])}: copied to the cache when it is read first"
        return Finding(topic, "ok", text, values={"address": True})
    try:
        kind = "file" if path.is_file() else f"folder of {len(list(path.iterdir()))} entries"
        if path.is_file():
            with path.open("rb") as file:
                file.read(1)
    except OSError as error:
        text = f"{without_home(path)}: cannot be read: {error.strerror}"
        return Finding(topic, "failed", text, "correct the path, mount it, or give this user the right to read", values)
    if kind == "folder of 0 entries":
        return Finding(topic, "warning", f"{without_home(path)}: the folder is empty", "is it mounted?", values)
    return Finding(topic, "ok", f"{without_home(path)}: {kind}", values=values)


def cache(options: DoctorOptions) -> Iterator[Finding]:
    """The folder of manifests and decoded frames: whether it can be written, and what its disk has left."""
    try:
        places = find_places([], options.cache, options.cache_gigabytes)
    except RayslError as error:
        yield Finding("cache", "failed", str(error))
        return
    folder, shown = places.cache, without_home(places.cache)
    made = _missing(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".doctor-{uuid.uuid4().hex}"
        probe.write_bytes(b"raysl")
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        advice = "give another folder of a local disk: --cache or RAYSL_CACHE"
        yield Finding("cache", "failed", f"{shown}: cannot be written: {error.strerror}", advice)
        return
    finally:
        _remove(made)
    budget = places.cache_gigabytes * 1e9
    values = {"path": shown, "free": free, "budget": budget}
    text = f"{shown}: {size(free)} free, of which frames may take {size(budget)}"
    few = free < budget
    advice = "what does not fit is decoded each time, which is slower: --cache names a larger disk" if few else ""
    yield Finding("cache", "warning" if few else "ok", text, advice, values)


def store(options: DoctorOptions) -> Iterator[Finding]:
    """Writes to the store as cells do, reads it back, and removes it."""
    from raysl.results import open as open_store

    try:
        place = open_store(options.storage).place
    except RayslError as error:
        yield Finding("store", "failed", str(error))
        return
    made = _missing(Path(place.root)) if place.is_local else []
    try:
        place.check_writable("results store", "--storage")
        yield _measured(place)
    except RayslError as error:
        yield Finding("store", "failed", str(error))
    finally:
        _remove(made)


def _measured(place: Place) -> Finding:
    shown = without_home(place.shown)
    name, content = f"doctor-{uuid.uuid4().hex}", os.urandom(LARGE)
    seconds = [_timed(place, name, content), *(_timed(place, f"{name}-{one}", b"raysl") for one in range(SMALL))]
    began = time.perf_counter()
    whole = place.read(name) == content
    reading = time.perf_counter() - began
    for one in ("", *(f"-{number}" for number in range(SMALL))):
        place.delete(f"{name}{one}")
    written, read, small = LARGE / seconds[0], LARGE / reading, sum(seconds[1:]) / SMALL
    free = shutil.disk_usage(place.root).free if place.is_local else None
    values = {"write": written, "read": read, "small_seconds": small, "free": free, "local": place.is_local}
    text = f"{shown}: writes {size(written)}/s, reads {size(read)}/s, {1000 * small:.1f} ms a small file"
    text += "" if free is None else f", {size(free)} free"
    if not whole:
        return Finding("store", "failed", f"{shown} does not give back what is written to it", "", values)
    if written < SLOW:
        advice = "checkpoints will hold training up: take a nearer store, or raise training.checkpoint_steps"
        return Finding("store", "warning", text, advice, values)
    return Finding("store", "ok", text, values=values)


def _timed(place: Place, name: str, content: bytes) -> float:
    began = time.perf_counter()
    place.write(name, content)
    return time.perf_counter() - began


def _missing(folder: Path) -> list[Path]:
    """The folder and those above it that are not there, the innermost first."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


def _remove(made: list[Path]) -> None:
    """Those that a check made, where nothing else came to lie in them."""
    for folder in made:
        with suppress(OSError):
            folder.rmdir()
