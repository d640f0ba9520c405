"""torchcodec reads a video only where it gives PyAV's frames bit for bit, with the libraries it was compared with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from raysl.data import decode_torchcodec
from raysl.data.decode import decoder_for
from raysl.data.decode_inspect import inspect_video
from raysl.data.manifest_types import Manifest
from raysl.data.snapshot import Snapshot
from tests.data.rendered import catalog_of, moving_square, rotate_flag, write_short, write_video
from tests.data.torchcodec_libraries import run_with_torchcodec

ROW_OF_ELSEWHERE = "torchcodec 0.0.1, FFmpeg 1.2.3, libavcodec 1.2.3"

AGREES = """
import av
from pathlib import Path
from raysl.data import decode_torchcodec
from raysl.data.decode import decoder_for, read_frames
from raysl.data.decode_inspect import inspect_video
import torch

assert decode_torchcodec.versions().startswith("torchcodec "), decode_torchcodec.why_absent()
for name in ("h264.mp4", "upright.mp4", "mpeg4.avi", "short.avi", "packed.avi"):
    row = inspect_video(Path.cwd(), name, None)
    agreed = row.torchcodec == decode_torchcodec.versions()
    assert agreed or row.torchcodec == decode_torchcodec.versions() + ": differs"
    assert (decoder_for(row) == "torchcodec") == agreed
    print(name, row.torchcodec)
    if agreed:
        for indices in ([row.frames - 1], [5, 0, 5], range(3, row.frames, 2)):
            expected = read_frames(Path(name), list(indices), decoder="pyav")
            assert torch.equal(read_frames(Path(name), list(indices), decoder="torchcodec"), expected)
    assert agreed == (name != "packed.avi"), (name, row.torchcodec)
other = inspect_video(Path.cwd(), "h264.mp4", None)
wrong = [0] * other.frames
assert decode_torchcodec.agreement(Path("h264.mp4"), wrong, lambda frame: 1).endswith(": differs")
assert decode_torchcodec.agreement(Path("h264.mp4"), wrong[1:], lambda frame: 0).endswith(": differs")
assert decode_torchcodec.agreement(Path("empty.mp4"), wrong, lambda frame: 0).endswith(": differs")
"""

SOURCE = """
from pathlib import Path
from raysl.config.component import Chosen
from raysl.data.catalogs.folder import FolderOptions
from raysl.data import decode_torchcodec
from raysl.data.manifest_store import RowStore
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot
from raysl.data.source import open_source
import torch

data = Chosen("data set", "folder", FolderOptions(labels="none"))
places = Places({"folder": Path("root")}, Path("cache"), 0.0)
versions = decode_torchcodec.versions
decode_torchcodec.versions = lambda: ""
before = open_source(data, places, resize=24)
decode_torchcodec.versions = versions
known = open_source(data, places, resize=24)
assert known.manifest == before.manifest  # what was read before is not read again,
compared = open_source(data, places, resize=24, compare=True)  # but where that is asked for
assert {row.torchcodec for row in compared.manifest.rows} == {versions()}
assert compared.snapshot.hashes == before.snapshot.hashes
assert compared.snapshot.to_bytes() == before.snapshot.to_bytes()
stored = Snapshot.from_bytes(before.snapshot.to_bytes())
there = open_source(data, places, resize=24, snapshot=stored)
for video in there.catalog.videos:
    assert torch.equal(there.frames(video.index, [7, 2]), before.frames(video.index, [7, 2]))
assert there.reads == {"torchcodec": 2} and before.reads == {"decord": 2}, (there.reads, before.reads)
"""


def test_where_it_is_absent_nothing_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_torchcodec, "versions", lambda: "")
    write_video(tmp_path / "v.mp4", moving_square(20))
    row = inspect_video(tmp_path, "v.mp4", None)
    assert (row.torchcodec, decoder_for(row)) == ("", "decord")


def test_what_agreed_with_other_libraries_is_not_used(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", moving_square(20))
    row = replace(inspect_video(tmp_path, "v.mp4", None), torchcodec=ROW_OF_ELSEWHERE)
    assert decoder_for(row) == "decord"
    assert decoder_for(replace(row, decord_agrees=False)) == "pyav"


def test_it_is_in_no_hash_and_no_snapshot(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", moving_square(20))
    row = replace(inspect_video(tmp_path, "v.mp4", None), torchcodec="")
    plain, known = (
        Snapshot(catalog_of(["v.mp4"]), Manifest("rendered", (one,)))
        for one in (row, replace(row, torchcodec=ROW_OF_ELSEWHERE))
    )
    assert plain.hashes == known.hashes
    assert plain.to_bytes() == known.to_bytes()
    assert Snapshot.from_bytes(known.to_bytes()) == plain


@pytest.mark.slow
def test_the_same_bits_or_not_used(tmp_path: Path) -> None:
    write_video(tmp_path / "h264.mp4", moving_square(40))
    rotate_flag(write_video(tmp_path / "upright.mp4", moving_square(20, seed=9)))
    write_video(tmp_path / "mpeg4.avi", moving_square(30), "mpeg4")
    write_short(tmp_path / "short.avi")
    write_video(tmp_path / "packed.avi", moving_square(30), "mpeg4", bf="2")
    (tmp_path / "empty.mp4").touch()
    run_with_torchcodec(AGREES, tmp_path)


@pytest.mark.slow
def test_a_source_reads_with_it_what_was_compared_here(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_video(tmp_path / "root" / f"{name}.mp4", moving_square(20, seed=ord(name)))
    run_with_torchcodec(SOURCE, tmp_path)
