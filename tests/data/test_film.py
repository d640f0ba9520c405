"""What a video is: which stream, turned and mirrored how, and what is said of what is left out or patched."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from raysl.data.check import check_catalog
from raysl.data.decode import decode_all
from raysl.data.decode_inspect import inspect_video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest import build_manifest
from raysl.data.source import VideoSource
from tests.data.rendered import (
    catalog_of,
    cut,
    moving_square,
    set_matrix,
    write_audio,
    write_orientation,
    write_streams,
    write_video,
)

NONE, DEFAULT, COVER = Disposition(0), Disposition.default, Disposition.attached_pic
FILM = moving_square(9, 48, 64)
SMALL = moving_square(5, 24, 32, seed=3)
PICTURE = moving_square(1, 96, 96, seed=5)
Frames = NDArray[np.uint8]


def frames_of(path: Path) -> Frames:
    return np.stack(list(decode_all(path)))


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("tilt", [0.0, 0.5])
def test_the_display_matrix_is_applied_as_a_whole(tmp_path: Path, turn: int, mirrored: bool, tilt: float) -> None:
    """Each of the eight, and half a degree beside them: first mirrored left to right, then turned clockwise."""
    upright = frames_of(write_video(tmp_path / "upright.mp4", moving_square(3)))
    angle = math.radians(90 * turn + tilt)
    side = -1 if mirrored else 1
    matrix = (side * math.cos(angle), side * math.sin(angle), -math.sin(angle), math.cos(angle))
    path = set_matrix(write_video(tmp_path / "laid.mp4", moving_square(3)), *matrix)
    expected = np.rot90(upright[:, :, ::-1] if mirrored else upright, -turn, (1, 2))
    assert np.array_equal(frames_of(path), expected)
    row = inspect_video(tmp_path, "laid.mp4", None)
    assert (row.height, row.width) == expected.shape[1:3]
    assert [note.partition(":")[0] for note in row.notes] == (["display matrix with a mirror"] if mirrored else [])


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (0.7, 0.7, -0.7, 0.7), (1, 0, 1, 0), (1, 1, 1, 1), (1, 0.2, 0, 1)])
def test_a_matrix_that_is_no_turn_is_ignored_and_said(
    tmp_path: Path, matrix: tuple[float, float, float, float]
) -> None:
    upright = frames_of(write_video(tmp_path / "upright.mp4", moving_square(3)))
    path = set_matrix(write_video(tmp_path / "odd.mp4", moving_square(3)), *matrix)
    assert np.array_equal(frames_of(path), upright)
    row = inspect_video(tmp_path, "odd.mp4", None)
    assert row.error is None
    assert row.notes == ("display matrix that is no turn by quarters: ignored",)


@pytest.mark.parametrize(
    ("suffix", "streams", "taken"),
    [
        ("mov", [(PICTURE, "png", NONE), (FILM, "libx264", NONE)], 1),
        ("mov", [(PICTURE, "png", DEFAULT), (FILM, "libx264", NONE)], 1),
        ("mkv", [(FILM, "libx264", DEFAULT), (PICTURE, "mjpeg", COVER)], 0),
        ("mov", [(SMALL, "libx264", NONE), (PICTURE, "png", NONE), (FILM, "libx264", DEFAULT)], 2),
        ("mp4", [(SMALL, "libx264", NONE), (FILM, "libx264", DEFAULT)], 1),
        ("mp4", [(PICTURE, "mjpeg", COVER), (FILM, "libx264", DEFAULT)], 1),
        ("mov", [(FILM, "libx264", DEFAULT), (SMALL, "libx264", NONE)], 0),
        # One picture beside a film, whatever its flags and codec; and a film whose codec is that of pictures.
        ("mp4", [(PICTURE, "mjpeg", DEFAULT), (FILM, "libx264", NONE)], 1),
        ("mkv", [(PICTURE, "mjpeg", DEFAULT), (FILM, "libx264", NONE)], 1),
        ("mov", [(PICTURE, "mjpeg", NONE), (FILM, "mjpeg", NONE)], 1),
        ("mov", [(PICTURE, "mjpeg", NONE), (FILM, "png", DEFAULT)], 1),
        ("mov", [(SMALL, "libx264", NONE), (FILM, "png", DEFAULT)], 1),
    ],
)
def test_the_film_is_what_a_player_shows(
    tmp_path: Path, suffix: str, streams: list[tuple[Frames, str, Disposition]], taken: int
) -> None:
    path = write_streams(tmp_path / f"several.{suffix}", streams)
    row = inspect_video(tmp_path, path.name, None)
    frames, height, width = streams[taken][0].shape[:3]
    assert (row.error, row.frames, row.height, row.width) == (None, frames, height, width)
    (note,) = row.notes
    assert note.startswith("other video streams: stream ")
    assert note.count("stream ") == len(streams) - 1
    assert note.count("a cover") == sum(frames is PICTURE for frames, _, _ in streams)


def test_sound_with_a_cover_is_no_video(tmp_path: Path) -> None:
    write_audio(tmp_path / "song.mp4", cover=PICTURE)
    row = inspect_video(tmp_path, "song.mp4", None)
    assert (row.frames, row.error) == (0, "holds no film: stream 1 (mjpeg, a cover)")


def test_a_list_of_other_files_is_no_video(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", FILM)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile film.mp4\n")
    assert inspect_video(tmp_path, "list.mp4", None).error == "is a list of other files"


@pytest.mark.parametrize(("laid", "said"), [("rotate=90", []), ("flip=horizontal", ["display matrix with a mirror"])])
def test_a_matrix_that_the_first_frame_alone_has_holds_for_all(tmp_path: Path, laid: str, said: list[str]) -> None:
    """As phones write it into the stream itself, not into the container."""
    upright = frames_of(write_video(tmp_path / "upright.ts", FILM, bf="0"))
    path = write_orientation(tmp_path / "upright.ts", tmp_path / "laid.ts", laid)
    cache = FrameCache(tmp_path / "frames", 32, 10**6)
    row = inspect_video(tmp_path, path.name, cache)
    expected = np.rot90(upright, 1, (1, 2)) if laid == "rotate=90" else upright[:, :, ::-1]
    assert np.array_equal(frames_of(path), expected)
    assert (row.error, row.height, row.width, cache.holds(row)) == (None, *expected.shape[1:3], True)
    kinds = [note.partition(":")[0] for note in row.notes]
    assert kinds == [*said, "display matrix of some frames alone"]


def test_a_film_that_is_turned_in_mid_stream_is_left_out_by_name(tmp_path: Path) -> None:
    write_video(tmp_path / "upright.ts", FILM, bf="0")
    write_orientation(tmp_path / "upright.ts", tmp_path / "laid.ts", "rotate=90")
    parts = {name: (tmp_path / f"{name}.ts").read_bytes() for name in ("upright", "laid")}
    (tmp_path / "turned.ts").write_bytes(parts["upright"] + parts["laid"])
    row = inspect_video(tmp_path, "turned.ts", FrameCache(tmp_path / "frames", 32, 10**6))
    assert row.error == "frame 9 is turned or mirrored differently from those before"
    (tmp_path / "larger.ts").write_bytes(parts["upright"] + write_video(tmp_path / "x.ts", SMALL, bf="0").read_bytes())
    assert inspect_video(tmp_path, "larger.ts", None).error == "frame 9 is 32x24, those before are 64x48"


def test_a_file_of_a_picture_alone_is_read_as_it_is(tmp_path: Path) -> None:
    path = write_streams(tmp_path / "picture.mov", [(PICTURE, "png", NONE)])
    assert frames_of(path).shape == PICTURE.shape
    assert inspect_video(tmp_path, path.name, None).notes == ()


def test_check_lists_what_was_done_by_reason(tmp_path: Path) -> None:
    write_video(tmp_path / "plain.mp4", FILM)
    write_streams(tmp_path / "cover.mov", [(PICTURE, "png", NONE), (FILM, "libx264", NONE)])
    set_matrix(write_video(tmp_path / "front camera.mp4", FILM), -1, 0, 0, 1)
    set_matrix(write_video(tmp_path / "zeros.mp4", FILM), 0, 0, 0, 0)
    cut(write_video(tmp_path / "cut.avi", moving_square(40), codec="mpeg4"), 0.82)
    catalog = catalog_of(sorted(path.name for path in tmp_path.iterdir()))
    manifest = build_manifest(catalog, tmp_path, folder=tmp_path / "manifests", processes=1)
    cache = FrameCache(tmp_path / "frames", 32, 0)
    report = check_catalog(VideoSource(catalog, manifest, tmp_path, cache))
    assert {kind: sorted(videos) for kind, videos in report.notes.items()} == {
        "display matrix that is no turn by quarters": ["zeros.mp4"],
        "display matrix with a mirror": ["front camera.mp4"],
        "other video streams": ["cover.mov"],
    }
    assert list(report.short) == ["cut.avi"]
    assert report.damaged == {"cut.avi": 1}
    text = report.text()
    assert "other video streams: 1" in text
    assert "cover.mov: stream 0 (png, a cover)" in text
    assert "with damaged frames    1 (these are used)" in text
