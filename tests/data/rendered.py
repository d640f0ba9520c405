"""Small real video files, made while a test runs."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.stream import Disposition
from numpy.typing import NDArray

from raysl.data.catalog import Catalog, Video
from raysl.streams import stream

GOP = 12


def moving_square(frames: int = 40, height: int = 48, width: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    """Frames ``[T, H, W, 3]`` that all differ: a bright square on a textured ground, its place and colour by time."""
    draw = stream("moving square", seed)
    ground = draw.integers(0, 128, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    video = np.repeat(ground[None], frames, axis=0)
    for time in range(frames):
        x, y = (3 * time + seed) % (width - 12), (2 * time) % (height - 12)
        video[time, y : y + 12, x : x + 12] = (255, (9 * time) % 256, 128)
    return video


def write_video(path: Path, frames: NDArray[np.uint8], codec: str = "libx264", **options: str) -> Path:
    """Encodes with keyframes every 12 frames, and with B-frames in H.264."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"g": str(GOP), "sc_threshold": "0", "threads": "1", **options}
    with av.open(str(path), "w") as container:
        stream_: Any = container.add_stream(codec, rate=25, options=settings)
        stream_.height, stream_.width, stream_.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for frame in frames:
            container.mux(stream_.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream_.encode())
    return path


def write_audio(path: Path, cover: NDArray[np.uint8] | None = None) -> Path:
    """A file that holds sound alone, or with a cover picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream_ = container.add_stream("aac", rate=16000, layout="mono")
        if cover is not None:
            picture: Any = container.add_stream("mjpeg", rate=25)
            picture.height, picture.width, picture.pix_fmt = *cover.shape[1:3], "yuvj420p"
            picture.disposition = Disposition.attached_pic.value
            container.mux(picture.encode(av.VideoFrame.from_ndarray(cover[0], format="rgb24")))
            container.mux(picture.encode())
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream_.encode(sound))
        container.mux(stream_.encode())
    return path


def set_matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Sets an MP4's track matrix: (x, y) is to be shown at (a x + c y, b x + d y)."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    values = (round(value * 65536) for value in (a, b, 0, c, d, 0, 0, 0))
    content[matrix : matrix + 36] = struct.pack(">9i", *values, 1 << 30)
    path.write_bytes(content)
    return path


def write_orientation(path: Path, to: Path, laid: str) -> Path:
    """Writes how an H.264 stream is to be laid (``rotate=90``, ``flip=horizontal``) into its first picture alone."""
    with av.open(str(path)) as source, av.open(str(to), "w") as container:
        stream_ = source.streams.video[0]
        copied = container.add_stream_from_template(stream_)
        first = BitStreamFilterContext(f"h264_metadata=display_orientation=insert:{laid}", stream_, copied)
        for number, packet in enumerate(source.demux(stream_)):
            if packet.size:
                for part in first.filter(packet) if number == 0 else [packet]:
                    part.stream = copied
                    container.mux(part)
    return to


def rotate_flag(path: Path) -> Path:
    """Sets an MP4's track matrix to a quarter turn, as a phone held upright does."""
    return set_matrix(path, 0, 1, -1, 0)


def write_streams(path: Path, streams: Sequence[tuple[NDArray[np.uint8], str, Disposition]]) -> Path:
    """Several video streams in one file: frames, codec and flags of each, in order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        made: list[Any] = []
        for frames, codec, flags in streams:
            stream_: Any = container.add_stream(codec, rate=25)
            stream_.height, stream_.width = frames.shape[1:3]
            stream_.pix_fmt = {"png": "rgb24", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
            stream_.disposition = flags.value
            made.append(stream_)
        for stream_, (frames, _, _) in zip(made, streams, strict=True):
            for frame in frames:
                container.mux(stream_.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream_.encode())
    return path


def _position(path: Path, packet: int) -> int:
    with av.open(str(path)) as container:
        return [part.pos or 0 for part in container.demux(video=0) if part.size][packet]


def damage(path: Path, packet: int) -> Path:
    """Overwrites the length field that a packet of an H.264 MP4 begins with."""
    position = _position(path, packet)
    content = bytearray(path.read_bytes())
    content[position : position + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    return path


def cut(path: Path, share: float) -> Path:
    """Leaves the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def write_short(path: Path, claimed: int = 40, frames: int = 24) -> Path:
    """An AVI whose header claims more frames than it holds: a download that broke off."""
    write_video(path, moving_square(claimed), codec="mpeg4")
    path.write_bytes(path.read_bytes()[: _position(path, frames) - 8])
    return path


def catalog_of(paths: Sequence[str], split: str = "train") -> Catalog:
    """A catalog of these paths, without labels."""
    return Catalog("rendered", (), tuple(Video(index, path, None, split) for index, path in enumerate(paths)))


def write_set(root: Path, videos: int = 4, frames: int = 30) -> Catalog:
    """Videos of different content and length, and their catalog."""
    paths = [f"some folder/v {index}.mp4" for index in range(videos)]
    for index, path in enumerate(paths):
        write_video(root / path, moving_square(frames + index, seed=index))
    return catalog_of(paths)
