"""Random access with torchcodec, where it is installed, for videos on which it agrees with a sequential PyAV decode.

It decodes with the FFmpeg of the machine, of whatever version: that decides its pixels (MPEG-4 is one or two grey
levels off with FFmpeg 5 on some files), so what was found to agree is kept with the versions that it was found with.
Frames are counted by a scan of the file (``seek_mode="exact"``), since headers and frame rates are not to be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from raysl.data.decode_pyav import VideoError
from raysl.data.film import Pixels
from raysl.streams import stream

NOT_INSTALLED = "not installed"
CHUNK = 16
MOST_CHUNKS = 125
"""Reads of the comparison: all frames of nearly every video of the usual sets."""
CLIPS = 4


@cache
def versions() -> str:
    """``torchcodec 0.17.0, FFmpeg 8.1.2, libavcodec 62.28.102``; empty where it is not installed, or finds no FFmpeg
    (`why_absent`)."""
    return "" if why_absent() else _versions()


@cache
def why_absent() -> str:
    """Why torchcodec cannot be used here; empty if it can."""
    if find_spec("torchcodec") is None:
        return NOT_INSTALLED
    try:
        _versions()
    except (ImportError, OSError, RuntimeError, AttributeError, KeyError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0].partition(". ")[0]
        return f"installed, and cannot be loaded: {first}"
    return ""


@cache
def _versions() -> str:
    torchcodec, core = import_module("torchcodec"), import_module("torchcodec._core")
    import_module("torchcodec.decoders")
    found = core.get_ffmpeg_library_versions()
    library = ".".join(map(str, found["libavcodec"]))
    return f"torchcodec {torchcodec.__version__}, FFmpeg {found['ffmpeg_version']}, libavcodec {library}"


class TorchcodecReader:
    """A video opened with torchcodec, on one thread: processes run in parallel.

    Raises:
        VideoError: torchcodec cannot open the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        decoders = import_module("torchcodec.decoders")
        try:
            self._decoder = decoders.VideoDecoder(
                str(path), dimension_order="NHWC", num_ffmpeg_threads=1, device="cpu", seek_mode="exact"
            )
        except (RuntimeError, ValueError, IndexError) as error:
            raise VideoError(path, f"torchcodec cannot open it: {_first_line(error, path)}") from error

    def __len__(self) -> int:
        return len(self._decoder)

    def read(self, indices: list[int]) -> Pixels:
        """Frames ``[T, H, W, 3]``, uint8, as torchcodec numbers them."""
        try:
            return np.asarray(self._decoder.get_frames_at(indices).data.numpy())
        except (RuntimeError, ValueError, IndexError) as error:
            raise VideoError(
                self.path, f"torchcodec cannot read frames {indices}: {_first_line(error, self.path)}"
            ) from error


def read(path: Path, indices: list[int]) -> Pixels:
    """Frames ``[T, H, W, 3]`` at sorted distinct indices, from the keyframes before them."""
    return TorchcodecReader(path).read(indices)


def agreement(path: Path, frames: Sequence[Any], checksum: Any) -> str:
    """`versions`, if torchcodec counts the same frames and gives identical ones; ``VERSIONS: differs`` if not.

    All frames are compared in the order of time (of more than 2,000: some from everywhere), backwards and after seeks,
    then the last one alone and random clips with a new reader each, as the loader reads them. Empty without torchcodec.

    Args:
        frames: checksums of the frames of the sequential decode.
        checksum: of one frame.
    """
    here = versions()
    return here and (here if _agrees(path, frames, checksum) else f"{here}: differs")


def _agrees(path: Path, frames: Sequence[Any], checksum: Any) -> bool:
    try:
        whole = TorchcodecReader(path)
        if len(whole) != len(frames):
            return False
        reads = [(whole, indices) for indices in _chunks(len(frames))]
        return all(
            [checksum(frame) for frame in reader.read(indices)] == [frames[index] for index in indices]
            for reader, indices in (*reads, *((TorchcodecReader(path), indices) for indices in _clips(len(frames))))
        )
    except VideoError:
        return False


def _chunks(frames: int) -> list[list[int]]:
    """All frames in reads of `CHUNK`, the last ones first; of a long video as many reads as are allowed."""
    starts = range(0, frames, CHUNK)
    kept = starts[:: 1 + len(starts) // MOST_CHUNKS]
    return [list(range(start, min(start + CHUNK, frames))) for start in reversed(kept)]


def _clips(frames: int) -> Iterator[list[int]]:
    draw = stream("torchcodec agreement", frames)
    yield [frames - 1]
    for stride in range(1, CLIPS + 1):
        yield np.arange(int(draw.integers(0, frames)), frames, stride)[:8].tolist()


def _first_line(error: Exception, path: Path) -> str:
    """Without the file's folder: reasons are stored."""
    return (str(error).strip() or type(error).__name__).partition("\n")[0].replace(str(path), path.name)
