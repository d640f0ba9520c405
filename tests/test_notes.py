from __future__ import annotations

import os
from pathlib import Path

import pytest

from raysl.data.frame_cache import FrameCache
from raysl.data.manifest import build_manifest
from raysl.notes import collect, heard, said, say_once
from tests.data.rendered import write_set


def on_a_full_disk(folder: Path) -> Path:
    """A cache whose list of what it holds cannot be written, as on a disk without room."""
    folder.mkdir(parents=True)
    (folder / "ledger").symlink_to("/dev/full")
    return folder


def test_a_note_is_said_once_to_each_listener(caplog: pytest.LogCaptureFixture) -> None:
    inner, outer = list[str](), list[str]()
    with heard(outer.append):
        say_once("one")
        with heard(inner.append):
            say_once("one", "two", "one")
        say_once("one", "three")
    assert outer == ["one", "three"]
    assert inner == ["one", "two"]
    assert not caplog.text
    say_once("nobody listens", "nobody listens")
    assert caplog.text.count("nobody listens") == 1


def test_a_process_that_collects_tells_nobody_else() -> None:
    heard_here: list[str] = []
    reading, writing = os.pipe()
    with heard(heard_here.append):
        say_once("before")
        child = os.fork()
        if child == 0:
            collect()
            say_once("in the child")
            os.write(writing, repr((said(), heard_here)).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == repr((("in the child",), ["before"]))


@pytest.mark.slow
def test_what_processes_of_a_pool_say_reaches_who_started_them(tmp_path: Path) -> None:
    catalog = write_set(tmp_path / "set", videos=3, frames=12)
    cache, notes = FrameCache(on_a_full_disk(tmp_path / "cache" / "frames"), 24, 10**9), list[str]()
    with heard(notes.append):
        build_manifest(catalog, tmp_path / "set", folder=tmp_path / "manifests", processes=2, fill=cache)
    assert len(notes) == 1
    assert "its disk is full; other videos are decoded on demand" in notes[0]
