"""Sequential decoding with PyAV: frame i of a video is, by definition, the i-th frame that this reader gives.

The film of a file is what a player shows: of several video streams the one that FFmpeg itself takes as the best (its
default flag first), never a cover or a preview, turned and mirrored as its display matrix says. A video is used where
it decodes to its end, however much its header claims, and frames that the decoder had to patch are counted; one whose
decoder stops with an error is left out as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from raysl.errors import DataError

Pixels = NDArray[np.uint8]

STILLS = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
STOPS = "decoding stops after "
"""What the reason of a video that decodes in part begins with."""
PICTURES = ("png", "bmp", "tiff", "webp", "jpegxl")
"""Codecs of covers; beside a film they are no film, whatever their flags say."""
UNKNOWN = "unknown codec"


class VideoError(DataError):
    """A video that cannot be read.

    Attributes:
        path: of the file.
        reason: one sentence without the path, for a manifest's row.
        lasting: False where the file system failed, and reading again may succeed.
    """

    def __init__(self, path: Path, reason: str, lasting: bool = True) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.lasting = lasting

    def __reduce__(self) -> tuple[type[VideoError], tuple[Path, str, bool]]:
        return VideoError, (self.path, self.reason, self.lasting)


@dataclass(frozen=True)
class DecodedFrame:
    """One decoded frame, not yet converted to RGB."""

    frame: Any
    reformatter: Any

    @property
    def keyframe(self) -> bool:
        return bool(self.frame.key_frame)

    def pixels(self) -> Pixels:
        """RGB ``[H, W, 3]``, uint8, turned and mirrored as the file's display matrix says."""
        # One thread: the processes are what is parallel. A shared reformatter makes this 2 times as fast.
        array = self.reformatter.reformat(self.frame, format="rgb24", threads=1).to_ndarray()
        view = orientation(self.frame)
        return np.ascontiguousarray(array if view is None else view.of(array))


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture: swapped over its diagonal, then mirrored."""

    swapped: bool
    mirrored_x: bool
    mirrored_y: bool

    @property
    def is_turn(self) -> bool:
        """A rotation alone, without a mirror."""
        return self.swapped == (self.mirrored_x != self.mirrored_y)

    def of(self, array: Pixels) -> Pixels:
        """A view of ``[H, W, 3]`` as it is to be shown."""
        laid = array.transpose(1, 0, 2) if self.swapped else array
        return laid[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]


def orientation(frame: Any) -> Orientation | None:
    """What the frame's display matrix asks for; None without one, or where it is no turn or mirror (`is_broken`)."""
    matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
    if matrix is None:
        return None
    # 16.16 fixed point, of which (x, y) becomes (a x + c y, b x + d y).
    a, b, _, c, d = (float(value) for value in np.frombuffer(bytes(matrix), np.int32)[:5])
    scale = max(abs(value) for value in (a, b, c, d))
    large = [abs(value) > 0.5 * scale for value in (a, b, c, d)]
    small = [abs(value) < 0.02 * scale for value in (a, b, c, d)]  # a degree, as FFmpeg's own tools allow
    straight = large == [True, False, False, True] and small == [False, True, True, False]
    swapped = large == [False, True, True, False] and small == [True, False, False, True]
    if not straight and not swapped:
        return None
    return Orientation(swapped, (c if swapped else a) < 0, (b if swapped else d) < 0)


def is_broken(frame: Any) -> bool:
    """Whether the frame has a display matrix that is neither a turn by quarters nor a mirror; players ignore it."""
    return frame.side_data.get(SideData.DISPLAYMATRIX) is not None and orientation(frame) is None


class SequentialReader:
    """Reads one video from its first frame to its last, in decode order; a context manager.

    Timestamps are ignored: they are not monotonic on AVIs with packed B-frames.

    Attributes:
        header_frames: what the header claims; 0 where it says nothing.
        rate: average frames a second; 0.0 where unknown.
        notes: what was done otherwise than with most files, a kind and a colon first; whole once all frames were read.
        damaged: frames so far that the decoder had to patch, since parts of them are missing or broken.

    Raises:
        VideoError: the file cannot be opened, holds no video, or fails while it is decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # Some published clips hold metadata that is not UTF-8.
            self._container = av.open(str(path), metadata_errors="replace")
        except (FFmpegError, OSError, ValueError) as error:
            raise _unreadable(path, "cannot be opened as a video", error) from error
        if not self._container.streams.video:
            self._container.close()
            raise VideoError(path, "holds no video stream")
        self._stream, others = _film(self._container)
        if self._stream.codec_context is None:
            self._container.close()
            raise VideoError(path, "holds video in a codec that is unknown here")
        self.damaged = 0
        self.notes = [f"other video streams: {others}"] if others else []
        self._stream.thread_type = "NONE"
        self.header_frames = int(self._stream.frames)
        self.rate = float(self._stream.average_rate or 0.0)

    @property
    def mpeg4_b_frames(self) -> bool:
        """MPEG-4 part 2 with B-frames (XviD, DivX); known once frames were decoded."""
        context = self._stream.codec_context
        return context.name == "mpeg4" and bool(context.has_b_frames)

    def __enter__(self) -> SequentialReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[DecodedFrame]:
        reformatter = VideoReformatter()
        size: tuple[int, int] | None = None
        count = 0
        frames = self._container.decode(self._stream)
        while True:
            try:
                frame = next(frames, None)
            except (FFmpegError, OSError, ValueError) as error:
                raise _unreadable(self.path, f"{STOPS}{count} frames", error) from error
            if frame is None:
                break
            size = size or (frame.width, frame.height)
            if (frame.width, frame.height) != size:
                raise VideoError(
                    self.path, f"frame {count} is {frame.width}x{frame.height}, those before are {size[0]}x{size[1]}"
                )
            self.damaged += bool(frame.is_corrupt)
            if count == 0:
                self._note_matrix(frame)
            yield DecodedFrame(frame, reformatter)
            count += 1
        if count == 0:
            raise VideoError(self.path, "no frame can be decoded")

    def _note_matrix(self, frame: Any) -> None:
        view = orientation(frame)
        if view is not None and not view.is_turn:
            self.notes.append("display matrix with a mirror: applied")
        elif is_broken(frame):
            self.notes.append("display matrix that is no turn by quarters: ignored")


def _film(container: Any) -> tuple[Any, str]:
    """The stream that a player shows, and what the others are; empty where there is one."""
    streams = list(container.streams.video)
    if len(streams) == 1:
        return streams[0], ""
    films = [one for one in streams if not one.disposition & STILLS and _codec(one) not in (UNKNOWN, *PICTURES)]
    best = container.streams.best("video")
    chosen = best if best in films else next(iter(films), best)
    others = [
        f"stream {one.index} ({_codec(one)}, {'a preview or another film' if one in films else 'a cover'})"
        for one in streams
        if one.index != chosen.index
    ]
    return chosen, ", ".join(others)


def _codec(stream: Any) -> str:
    return UNKNOWN if stream.codec_context is None else str(stream.codec_context.name)


def read(path: Path, indices: list[int]) -> Pixels:
    """Frames ``[T, H, W, 3]`` at sorted distinct indices, by decoding from the start to the largest of them."""
    wanted = set(indices)
    taken: list[Pixels] = []
    position = -1
    with SequentialReader(path) as reader:
        for position, frame in enumerate(reader):
            if position in wanted:
                taken.append(frame.pixels())
            if position == indices[-1]:
                return np.stack(taken)
    raise VideoError(path, f"frame {indices[-1]} was asked for, the video has {position + 1}")


def _unreadable(path: Path, what: str, error: Exception) -> VideoError:
    reason = getattr(error, "strerror", None) or str(error)
    return VideoError(path, f"{what}: {reason}", lasting=not (isinstance(error, OSError) and not _can_be_read(path)))


def _can_be_read(path: Path) -> bool:
    """Whether the file system gives its bytes: FFmpeg speaks of an input error too where a header is cut short."""
    try:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    except OSError:
        return False
    return True
