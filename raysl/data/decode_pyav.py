"""Sequential decoding with PyAV: frame i of a video is, by definition, the i-th frame that this reader gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from raysl.errors import DataError

Pixels = NDArray[np.uint8]


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
        """RGB ``[H, W, 3]``, uint8, with the file's rotation flag applied."""
        # One thread: the processes are what is parallel. A shared reformatter makes this 2 times as fast.
        array = self.reformatter.reformat(self.frame, format="rgb24", threads=1).to_ndarray()
        return np.ascontiguousarray(np.rot90(array, round(self.frame.rotation / 90) % 4))


class SequentialReader:
    """Reads one video from its first frame to its last, in decode order; a context manager.

    Timestamps are ignored: they are not monotonic on AVIs with packed B-frames.

    Attributes:
        header_frames: what the header claims; 0 where it says nothing.
        rate: average frames a second; 0.0 where unknown.

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
        self._stream = self._container.streams.video[0]
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
                raise _unreadable(self.path, f"decoding stops after {count} frames", error) from error
            if frame is None:
                break
            size = size or (frame.width, frame.height)
            if (frame.width, frame.height) != size:
                raise VideoError(
                    self.path, f"frame {count} is {frame.width}x{frame.height}, those before are {size[0]}x{size[1]}"
                )
            if frame.rotation % 90:
                raise VideoError(self.path, f"its rotation flag, {frame.rotation} degrees, is no multiple of 90")
            yield DecodedFrame(frame, reformatter)
            count += 1
        if count == 0:
            raise VideoError(self.path, "no frame can be decoded")


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
    return VideoError(path, f"{what}: {reason}", lasting=not isinstance(error, OSError))
