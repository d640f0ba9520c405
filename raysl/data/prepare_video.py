"""A copy of one video that is cheap to decode at random: the same frames at the same rate, small, with many keyframes.

H.264 in an MP4 file, whatever the name's suffix: FFmpeg goes by content, and with equal names the catalog stays the
same. Settings beside the options: ``tune=fastdecode`` takes a third from decoding for 6 % more bytes, ``preset=faster``
a third from encoding for 0.2 dB. One thread, and no macroblock tree, so that equal input gives equal bytes: without the
deblocking filter, as ``fastdecode`` has it, the tree's choices differ from call to call (x264 165).
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from raysl.data.decode_inspect import fingerprint
from raysl.data.decode_pyav import DecodedFrame, SequentialReader, VideoError
from raysl.data.film import Pixels
from raysl.data.resize import resize_to, resized_size
from raysl.data.shared_folder import FULL
from raysl.errors import DataError

ENCODER = "libx264"
TUNING = {"preset": "faster", "tune": "fastdecode", "sc_threshold": "0", "threads": "1", "x264-params": "mbtree=0"}
CHUNK = 32
UNKNOWN_RATE = 25.0
"""Frames per second of a copy whose original says none."""
LARGEST_DENOMINATOR = 100_000
PART = ".part"


@dataclass(frozen=True)
class CopyOptions:
    """How copies are made.

    Attributes:
        short_side: pixels, even; a smaller video is not enlarged.
        keyframe_every: frames from one keyframe to the next.
        quality: x264's constant rate factor: 0 is the best, and 6 less is about twice as large.
    """

    short_side: int = 128
    keyframe_every: int = 12
    quality: int = 20

    def __post_init__(self) -> None:
        if self.short_side < 2 or self.short_side % 2:
            raise ValueError(f"a short side of {self.short_side} pixels: H.264 needs an even number")


@dataclass(frozen=True)
class Copied:
    """What became of one video.

    Attributes:
        path: as in the catalog.
        source: fingerprint of the original's content.
        frames: of the original and of its copy; 0 if it was copied as it is.
        rate: frames per second of the copy; 0.0 if it was copied as it is.
        damaged: frames that the decoder had to patch; the copy has them as patched.
        error: why the original was copied as it is; None if it was encoded.
    """

    path: str
    source: str
    frames: int = 0
    rate: float = 0.0
    damaged: int = 0
    error: str | None = None


@dataclass(frozen=True)
class CopyWork:
    """Makes the copies of one root, in any process (`raysl.data.manifest_pool.VideoWork`). A job is a video's path."""

    root: Path
    folder: Path
    options: CopyOptions

    def do(self, job: str) -> Copied:
        """Writes the copy, completely or not at all; what cannot be decoded to its end is copied as it is.

        Raises:
            VideoError: the file system failed.
            DataError: the copy cannot be written.
        """
        row = Copied(job, fingerprint(self.root / job))
        try:
            with self._writable(job) as part, SequentialReader(self.root / job) as reader:
                rate = reader.rate or UNKNOWN_RATE
                frames = encode(reader, part, rate, self.options)
                return replace(row, frames=frames, rate=rate, damaged=reader.damaged)
        except VideoError as error:
            if not error.lasting:
                raise
            return self._as_it_is(row, error.reason)

    def crashed(self, job: str) -> Copied:
        """A video on which the decoder or the encoder crashed, copied as it is."""
        return self._as_it_is(Copied(job, fingerprint(self.root / job)), "the decoder crashes on it")

    def _as_it_is(self, row: Copied, reason: str) -> Copied:
        with self._writable(row.path) as part:
            shutil.copyfile(self.root / row.path, part)
        return replace(row, error=reason)

    @contextmanager
    def _writable(self, job: str) -> Iterator[Path]:
        """A file to write, which becomes the copy if nothing fails."""
        final = self.folder / job
        part = final.with_name(f".{uuid.uuid4().hex}{PART}")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            yield part
            part.replace(final)
        except OSError as error:
            what = "its disk is full" if error.errno in FULL else f"it cannot be written: {error.strerror}"
            raise DataError(f"{self.folder}: {what}; finished copies are kept, and the same command goes on") from error
        finally:
            part.unlink(missing_ok=True)


def copy_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of a copy, each rounded down to an even number, as 4:2:0 needs; never larger than the video's.

    A study that resizes to ``short_side`` then takes the copy's frames as they are.
    """
    if min(height, width) > short_side:
        height, width = resized_size(height, width, short_side)
    return max(2, height // 2 * 2), max(2, width // 2 * 2)


def encode(frames: Iterable[DecodedFrame], to: Path, rate: float, options: CopyOptions) -> int:
    """Encodes frames as they come, at regular times; returns how many.

    Raises:
        VideoError: they cannot be decoded, or the encoder refuses them.
        OSError: the file cannot be written.
    """
    import torch

    exact = Fraction(rate).limit_denominator(LARGEST_DENOMINATOR)
    count, stream, reformatter = 0, None, VideoReformatter()
    with av.open(str(to), "w", format="mp4") as container:
        for pixels in _chunks(frames):
            size = copy_size(pixels.shape[1], pixels.shape[2], options.short_side)
            if stream is None:
                stream = _stream(container, exact, size, options)
            small = resize_to(torch.from_numpy(pixels).permute(0, 3, 1, 2), size)
            for picture in small.permute(0, 2, 3, 1).contiguous().numpy():
                shown = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = reformatter.reformat(shown, format="yuv420p", threads=1)
                frame.pts, frame.time_base = count, 1 / exact
                _mux(container, stream, frame, to)
                count += 1
        if stream is not None:
            _mux(container, stream, None, to)
    return count


def _stream(container: Any, rate: Fraction, size: tuple[int, int], options: CopyOptions) -> Any:
    every = str(options.keyframe_every)
    settings = {**TUNING, "g": every, "keyint_min": every, "crf": str(options.quality)}
    stream = container.add_stream(ENCODER, rate=rate, options=settings)
    stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
    stream.codec_context.time_base = 1 / rate
    return stream


def _mux(container: Any, stream: Any, frame: Any, to: Path) -> None:
    try:
        packets = stream.encode(frame)
    except (FFmpegError, ValueError) as error:
        raise VideoError(to, f"cannot be encoded: {getattr(error, 'strerror', None) or error}") from error
    container.mux(packets)


def _chunks(frames: Iterable[DecodedFrame]) -> Iterator[Pixels]:
    """Up to `CHUNK` frames at a time, ``[T, H, W, 3]``: one resize for all."""
    held: list[Pixels] = []
    for frame in frames:
        held.append(frame.pixels())
        if len(held) == CHUNK:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)
