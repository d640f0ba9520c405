"""A copy has the frames of its original, one by one, at its rate; it is small and has regular keyframes."""

from __future__ import annotations

import resource
from pathlib import Path

import av
import numpy as np
import pytest

from raysl.data.decode import decode_all
from raysl.data.decode_inspect import inspect_video
from raysl.data.prepare_video import CopyOptions, CopyWork, copy_size
from raysl.errors import DataError
from tests.data.rendered import cut, damage, moving_square, rotate_flag, write_audio, write_short, write_video

SMALL = CopyOptions(short_side=32, keyframe_every=5)


@pytest.fixture
def work(tmp_path: Path) -> CopyWork:
    return CopyWork(tmp_path / "root", tmp_path / "to", SMALL)


def test_frames_rate_and_orientation_are_those_of_the_original(work: CopyWork) -> None:
    write_video(work.root / "plain.mp4", moving_square(23))
    rotate_flag(write_video(work.root / "a b" / "upright.mp4", moving_square(23)))
    write_video(work.root / "old.avi", moving_square(23), "mpeg4", bf="2")
    for path in ("plain.mp4", "a b/upright.mp4", "old.avi"):
        copied = work.do(path)
        before, after = (inspect_video(root, path, None) for root in (work.root, work.folder))
        assert copied.error is None
        assert (after.frames, after.rate) == (before.frames, before.rate) == (copied.frames, copied.rate)
        assert copied.source == before.fingerprint != after.fingerprint
        assert after.keyframes == tuple(range(0, after.frames, 5))
        assert after.decord_agrees
        assert not after.notes
        assert min(after.height, after.width) == 32
        assert (after.height < after.width) == (before.height < before.width)


def test_frame_i_shows_frame_i(work: CopyWork) -> None:
    """The square moves by 3 pixels a frame: each frame of the copy is nearest to its own original."""
    write_video(work.root / "v.mp4", moving_square(20), crf="10")
    work.do("v.mp4")
    CopyWork(work.root, work.folder, CopyOptions(48, 5, 10)).do("v.mp4")
    before, after = (np.stack(list(decode_all(root / "v.mp4"))).astype(float) for root in (work.root, work.folder))
    distance = ((before[:, None] - after[None]) ** 2).mean((2, 3, 4))
    assert distance.argmin(1).tolist() == list(range(20))
    assert distance.diagonal().max() < 60  # 30 dB


def test_times_are_regular(work: CopyWork) -> None:
    write_video(work.root / "v.mp4", moving_square(17))
    work.do("v.mp4")
    with av.open(str(work.folder / "v.mp4")) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert times == pytest.approx([index / 25 for index in range(17)])


def test_equal_input_gives_equal_bytes(work: CopyWork) -> None:
    write_video(work.root / "v.mp4", moving_square(40, 64, 88))
    made = []
    for _ in range(4):
        work.do("v.mp4")
        made.append((work.folder / "v.mp4").read_bytes())
    assert len(set(made)) == 1


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((256, 340), 128, (128, 170)),
        ((240, 427), 128, (128, 226)),
        ((640, 360), 128, (226, 128)),
        ((96, 128), 128, (96, 128)),
        ((49, 85), 128, (48, 84)),
        ((1, 1), 128, (2, 2)),
    ],
)
def test_the_size_of_a_copy(size: tuple[int, int], short_side: int, expected: tuple[int, int]) -> None:
    assert copy_size(*size, short_side) == expected


def test_an_odd_short_side_is_refused() -> None:
    with pytest.raises(ValueError, match="an even number"):
        CopyOptions(short_side=127)


def test_what_cannot_be_decoded_is_copied_as_it_is(work: CopyWork) -> None:
    cut(write_video(work.root / "cut.mp4", moving_square(20)), 0.5)
    write_audio(work.root / "sound.mp4")
    (work.root / "empty.mp4").touch()
    for path in ("cut.mp4", "sound.mp4", "empty.mp4"):
        copied = work.do(path)
        assert copied.error == inspect_video(work.root, path, None).error
        assert copied.frames == 0
        assert (work.folder / path).read_bytes() == (work.root / path).read_bytes()
    assert work.crashed("empty.mp4").error == "the decoder crashes on it"


def test_damaged_and_short_ones_are_copied_as_decoded(work: CopyWork) -> None:
    damage(write_video(work.root / "damaged.mp4", moving_square(20), bf="0"), 8)
    write_short(work.root / "short.avi")
    for path in ("damaged.mp4", "short.avi"):
        before, copied = inspect_video(work.root, path, None), work.do(path)
        after = inspect_video(work.folder, path, None)
        assert (after.frames, copied.frames, copied.damaged) == (before.frames, before.frames, before.damaged)
        assert after.header_frames == after.frames
        assert after.damaged == 0


def test_a_file_that_cannot_be_written_ends_it(work: CopyWork) -> None:
    write_video(work.root / "v.mp4", moving_square(40, 64, 88))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(DataError, match=r"cannot be written: .*the same command goes on"):
            work.do("v.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(work.folder.iterdir()) == []
