"""Each file that must give one clear error, or a row that says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.data.decode import decode_all
from raysl.data.decode_inspect import inspect_video
from raysl.data.decode_pyav import VideoError

UNREADABLE = {
    "audio_only.mp4": "holds no video stream",
    "corrupted.mp4": "decoding stops after 28 frames",
    "empty.mp4": "cannot be opened as a video",
    "html_error_page.mp4": "cannot be opened as a video",
    "text.avi": "cannot be opened as a video",
    "truncated_2KB.avi": "cannot be opened as a video",
    "truncated_half.mp4": "cannot be opened as a video",
}
# Frames decoded, frames claimed, whether decord agrees.
READABLE = {
    "av1_video.mkv": (125, 0, False),
    "one_frame.mp4": (1, 1, True),
    "three_frames_same_pts.mp4": (3, 3, False),
    "truncated_half.avi": (121, 240, False),
}


@pytest.mark.parametrize(("name", "reason"), UNREADABLE.items())
def test_unreadable(shared_data: Path, name: str, reason: str) -> None:
    row = inspect_video(shared_data / "bad", name, None)
    assert row.error is not None
    assert row.error.startswith(reason)
    assert "\n" not in row.error
    assert (row.frames, row.decord_agrees) == (0, False)
    with pytest.raises(VideoError, match=f"{name}: {reason}"):
        list(decode_all(shared_data / "bad" / name))


@pytest.mark.parametrize(("name", "expected"), READABLE.items())
def test_readable(shared_data: Path, name: str, expected: tuple[int, int, bool]) -> None:
    row = inspect_video(shared_data / "bad", name, None)
    assert row.error is None
    assert (row.frames, row.header_frames, row.decord_agrees) == expected


def test_every_bad_file_is_in_one_of_the_lists(shared_data: Path) -> None:
    assert {file.name for file in (shared_data / "bad").iterdir()} == set(UNREADABLE) | set(READABLE)
