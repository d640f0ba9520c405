"""Sequential decoding with PyAV: frame i of a video is, by definition, the i-th frame that this reader gives.

The film of a file is what a player shows (`raysl.data.film`). A video is used if it decodes to its end, whatever its
header claims, and frames that the decoder had to patch are counted. It is left out completely if its decoder stops with
an error, or if its frames change in size or rotation.
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
from av.video.reformatter import VideoReformatter

from raysl.data.film import Orientation, Pixels, film_of, has_matrix, is_broken, is_playlist, orientation
from raysl.errors import DataError

STOPS = "decoding stops after "
"""The beginning of the reason for a video that decodes in part."""
FIRST_ALONE = "display matrix of some frames alone: applied to all"
"""An encoder may write it into the stream at keyframes only; it holds until another one comes."""


class VideoError(DataError):
    """A video that cannot be read.

    Attributes:
        path: of the file.
        reason: one sentence without the path, for a manifest's row.
        lasting: False if the file system failed, and reading again may succeed.
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
    view: Orientation | None

    @property
    def keyframe(self) -> bool:
        return bool(self.frame.key_frame)

    def pixels(self) -> Pixels:
        """RGB ``[H, W, 3]``, uint8, turned and mirrored by the file's display matrix."""
        # One thread: processes run in parallel. A shared reformatter makes this twice as fast.
        array = self.reformatter.reformat(self.frame, format="rgb24", threads=1).to_ndarray()
        return np.ascontiguousarray(array if self.view is None else self.view.of(array))


class SequentialReader:
    """Reads one video from its first frame to its last, in decode order; a context manager.

    Timestamps are ignored: they are not monotonic on AVIs with packed B-frames.

    Attributes:
        header_frames: what the header claims; 0 if it has none.
        rate: average frames per second; 0.0 if unknown.
        notes: special treatment of the file, a kind and a colon first; complete once all frames were read.
        damaged: frames so far that the decoder had to patch, because parts of them are missing or broken.

    Raises:
        VideoError: the file cannot be opened, has no video, or fails while it is decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # Some published clips have metadata that is not UTF-8.
            self._container = av.open(str(path), metadata_errors="replace")
        except (FFmpegError, OSError, ValueError) as error:
            raise _unreadable(path, "cannot be opened as a video", error) from error
        try:
            self._stream, others = self._find_film()
        except VideoError:
            self._container.close()
            raise
        self.damaged = 0
        self.notes = [f"other video streams: {others}"] if others else []
        self._stream.thread_type = "NONE"
        self.header_frames = int(self._stream.frames)
        self.rate = float(self._stream.average_rate or 0.0)

    def _find_film(self) -> tuple[Any, str]:
        if is_playlist(self._container):
            raise VideoError(self.path, "is a list of other files")
        if not self._container.streams.video:
            raise VideoError(self.path, "holds no video stream")
        stream, others = film_of(self.path, self._container)
        if stream is None:
            raise VideoError(self.path, f"holds no film: {others}")
        if stream.codec_context is None:
            raise VideoError(self.path, "holds video in a codec that is unknown here")
        return stream, others

    @property
    def codec(self) -> str:
        """FFmpeg's name of the decoder: ``h264``, ``vp9``."""
        return str(self._stream.codec_context.name)

    @property
    def mpeg4_b_frames(self) -> bool:
        """Whether it is MPEG-4 part 2 with B-frames (XviD, DivX); known once frames were decoded."""
        return self.codec == "mpeg4" and bool(self._stream.codec_context.has_b_frames)

    def __enter__(self) -> SequentialReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[DecodedFrame]:
        reformatter = VideoReformatter()
        size: tuple[int, int] | None = None
        view: Orientation | None = None
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
                view = orientation(frame)
                self._note_matrix(frame, view)
            elif has_matrix(frame) and orientation(frame) != view:
                raise VideoError(self.path, f"frame {count} is turned or mirrored differently from those before")
            elif view is not None and not has_matrix(frame) and FIRST_ALONE not in self.notes:
                self.notes.append(FIRST_ALONE)
            yield DecodedFrame(frame, reformatter, view)
            count += 1
        if count == 0:
            raise VideoError(self.path, "no frame can be decoded")

    def _note_matrix(self, frame: Any, view: Orientation | None) -> None:
        if view is not None and not view.is_turn:
            self.notes.append("display matrix with a mirror: applied")
        elif is_broken(frame):
            self.notes.append("display matrix that is no turn by quarters: ignored")


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
    raise VideoError(path, f"frame {indices[-1]} was requested, the video has {position + 1}")


def _unreadable(path: Path, what: str, error: Exception) -> VideoError:
    reason = getattr(error, "strerror", None) or str(error)
    return VideoError(path, f"{what}: {reason}", lasting=not (isinstance(error, OSError) and not _can_be_read(path)))


def _can_be_read(path: Path) -> bool:
    """Whether the file system gives its bytes: FFmpeg also reports an input error for a header that is cut short."""
    try:
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
    except OSError:
        return False
    return True
