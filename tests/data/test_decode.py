from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from raysl.data.decode import READERS, Decoder, decode_all, read_frames
from raysl.data.decode_agreement import decord_agrees, digest
from raysl.data.decode_decord import DecordReader
from raysl.data.decode_inspect import inspect_video
from raysl.data.decode_pyav import VideoError
from raysl.errors import DataError
from tests.data.rendered import GOP, cut, damage, moving_square, rotate_flag, write_audio, write_video

DECODERS: list[Decoder] = sorted(name for name in READERS if name != "torchcodec")
"""`test_decode_torchcodec` has the third, where it finds an FFmpeg."""
# Frames that the data's own notes count by hand.
REAL_COUNTS = {
    "v_JugglingBalls_g18_c02.avi": 235,
    "v_JumpingJack_g20_c01.avi": 116,
    "RATRACE_wave_f_nm_np1_fr_goo_37.avi": 72,
    "TrumanShow_wave_f_nm_np1_fr_med_26.avi": 48,
    "smth-smth-1.webm": 47,
    "v_biking_01_01.mpg": 151,
    "hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi": 83,
}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("decode") / "square.mp4", moving_square(40))


def test_frames_are_those_that_were_written(video: Path) -> None:
    decoded = np.stack(list(decode_all(video)))
    written = moving_square(40)
    assert decoded.shape == written.shape
    assert decoded.dtype == np.uint8
    # Each decoded frame is nearest to the written frame of its own index: none is dropped, repeated or moved.
    distance = np.abs(decoded[:, None].astype(int) - written[None].astype(int)).mean(axis=(2, 3, 4))
    assert distance.argmin(axis=1).tolist() == list(range(40))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    "indices", [[0], [39], [5, 5, 5], [30, 2, 17, 2], list(range(0, 40, 3)), [GOP - 1, GOP, GOP + 1]]
)
def test_every_decoder_gives_the_sequential_frames(video: Path, decoder: Decoder, indices: list[int]) -> None:
    frames = read_frames(video, indices, decoder=decoder)
    expected = torch.from_numpy(np.stack(list(decode_all(video)))[indices]).permute(0, 3, 1, 2)
    assert frames.dtype == torch.uint8
    assert torch.equal(frames, expected)


def test_the_rotation_flag_is_applied(tmp_path: Path) -> None:
    upright = write_video(tmp_path / "a.mp4", moving_square(5))
    turned = rotate_flag(write_video(tmp_path / "b.mp4", moving_square(5)))
    plain = read_frames(upright, range(5), decoder="pyav")
    assert torch.equal(read_frames(turned, range(5), decoder="pyav"), torch.rot90(plain, -1, (2, 3)))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("kind", ["absent", "empty", "text", "html", "truncated", "audio"])
def test_what_cannot_be_opened_is_named(tmp_path: Path, decoder: Decoder, kind: str) -> None:
    path = tmp_path / f"{kind}.mp4"
    contents = {"empty": "", "text": "no video\n" * 100, "html": "<html>404</html>"}
    if kind in contents:
        path.write_text(contents[kind])
    elif kind == "truncated":
        cut(write_video(path, moving_square(20)), 0.5)
    elif kind == "audio":
        write_audio(path)
    with pytest.raises(DataError, match=f"{kind}.mp4"):
        read_frames(path, [0], decoder=decoder)


@pytest.mark.parametrize("decoder", DECODERS)
def test_an_index_past_the_end_is_named(video: Path, decoder: Decoder) -> None:
    with pytest.raises(DataError, match=r"square\.mp4.*40"):
        read_frames(video, [3, 40], decoder=decoder)


@pytest.mark.parametrize("indices", [[], [-1], [3, -2]])
def test_indices_that_mean_nothing_are_refused(video: Path, indices: list[int]) -> None:
    with pytest.raises(ValueError, match="frame indices"):
        read_frames(video, indices, decoder="pyav")


def test_damage_is_an_error_that_says_where(tmp_path: Path) -> None:
    path = damage(write_video(tmp_path / "damaged.mp4", moving_square(40), bf="0"), packet=20)
    with pytest.raises(VideoError, match=r"damaged\.mp4: decoding stops after \d+ frames") as error:
        list(decode_all(path))
    copy = pickle.loads(pickle.dumps(error.value))
    assert (str(copy), copy.reason, copy.lasting) == (str(error.value), error.value.reason, True)


@pytest.mark.parametrize("sound", [False, True])
def test_agreement_is_over_every_frame(video: Path, sound: bool) -> None:
    digests = [digest(frame) for frame in decode_all(video)]
    assert decord_agrees(video, digests, [0, 12, 24, 36], sound=sound)
    for wrong in (0, 17, 39):
        changed = [value + (index == wrong) for index, value in enumerate(digests)]
        assert not decord_agrees(video, changed, [0, 12, 24, 36], sound=sound)
    assert not decord_agrees(video, digests[:-1], [0, 12, 24, 36], sound=sound)


@pytest.mark.parametrize(
    ("params", "agrees"), [("scenecut=0", True), ("open-gop=1:scenecut=0", False), ("intra-refresh=1", False)]
)
def test_what_a_seek_alone_gets_wrong_is_found(tmp_path: Path, params: str, agrees: bool) -> None:
    """Where pictures lead a keyframe, or none is whole, decord is right from start to end and wrong after a seek."""
    path = write_video(tmp_path / "a.mp4", moving_square(60), bf="3", **{"x264-params": params})
    digests = [digest(frame) for frame in decode_all(path)]
    assert [digest(frame) for frame in DecordReader(path).read([*range(60)])] == digests
    assert inspect_video(tmp_path, "a.mp4", None).decord_agrees == agrees


@pytest.mark.parametrize(("name", "frames"), REAL_COUNTS.items())
def test_real_frame_counts(shared_data: Path, name: str, frames: int) -> None:
    assert sum(1 for _ in decode_all(shared_data / "clips" / name)) == frames


@pytest.mark.slow
def test_where_decord_agrees_it_gives_equal_pixels(shared_data: Path) -> None:
    agreeing = set()
    for file in sorted((shared_data / "clips").iterdir()):
        row = inspect_video(file.parent, file.name, None)
        assert row.error is None, row
        if row.decord_agrees:
            agreeing.add(file.name)
            indices = np.random.default_rng(0).integers(0, row.frames, 12).tolist()
            pair = [read_frames(file, indices, decoder=decoder) for decoder in DECODERS]
            assert torch.equal(*pair), file.name
    assert {"R6llTwEh07w.mp4", "smth-smth-1.webm", "video_90.mov"} <= agreeing
    # Short against its header, shifted, or one grey level off: decord is wrong on each of these.
    assert not agreeing & (set(REAL_COUNTS) - {"smth-smth-1.webm"})
    assert not agreeing & {"v_SoccerJuggling_g23_c01.avi", "v_ApplyEyeMakeup_g01_c01.avi"}


def test_a_real_rotation_flag(shared_data: Path) -> None:
    file = shared_data / "clips" / "video_90.mov"
    frames = read_frames(file, [0, 1, 2], decoder="pyav")
    assert frames.shape == (3, 3, 568, 320)
    assert torch.equal(frames, read_frames(file, [0, 1, 2], decoder="decord"))


@pytest.mark.parametrize(
    ("codec", "b_frames", "agrees"),
    [("libx264", "0", True), ("libx264", "3", True), ("mpeg4", "0", True), ("mpeg4", "2", False)],
)
def test_decord_is_not_trusted_with_b_frames_in_mpeg4(tmp_path: Path, codec: str, b_frames: str, agrees: bool) -> None:
    write_video(tmp_path / "a.mp4", moving_square(30), codec=codec, bf=b_frames)
    assert inspect_video(tmp_path, "a.mp4", None).decord_agrees == agrees
