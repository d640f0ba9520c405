"""Random access with decord, only for videos on which it agrees with a sequential decode, and only where it is there.

Its wheels are for Linux on x86-64 (and for Windows). Elsewhere PyAV reads every video: the same frames, and slower.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from raysl.data.decode_pyav import VideoError
from raysl.data.film import Pixels
from raysl.errors import RayslError
from raysl.notes import say_once

ABSENT = (
    "decord is not installed here (it has no wheel for ARM, nor for macOS): PyAV decodes every video, which gives the "
    "same frames and takes longer for those far from a keyframe"
)


def is_installed() -> bool:
    """Whether decord is installed; nothing is imported."""
    return find_spec("decord") is not None


def say_if_absent() -> None:
    """The note about a machine without decord, once."""
    if not is_installed():
        say_once(ABSENT)


@cache
def _decord() -> Any:
    """The package, imported for the first video that it reads.

    Raises:
        RayslError: it is installed and cannot be loaded.
    """
    os.environ.setdefault("PATH", os.defpath)  # decord reads it, and a service may lack it
    try:
        import decord
    except (ImportError, OSError) as error:
        raise RayslError(
            f"decord is installed and cannot be loaded ({error}): pip install --force-reinstall decord==0.6.0, or "
            "pip uninstall decord, and PyAV decodes every video"
        ) from error
    decord.logging.set_level(decord.logging.QUIET)  # it prints errors that it also raises
    return decord


@cache
def _failures() -> tuple[type[Exception], ...]:
    from decord._ffi.base import DECORDLimitReachedError

    return _decord().DECORDError, DECORDLimitReachedError, RuntimeError, IndexError


class DecordReader:
    """A video opened with decord, on one thread: processes run in parallel.

    Raises:
        VideoError: decord cannot open the file (AV1 and GIF among others).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        decord = _decord()
        try:
            self._reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        except _failures() as error:
            raise VideoError(path, f"decord cannot open it: {_first_line(error, path)}") from error

    def __len__(self) -> int:
        return len(self._reader)

    def keyframes(self) -> list[int]:
        """Their numbers in the order of the file, which is that of decoding if no picture leads a keyframe."""
        return [int(index) for index in self._reader.get_key_indices()]

    def times_increase(self) -> bool:
        """Whether no two frames are shown at the same time: decord reaches frames by their times."""
        starts = self._reader.get_frame_timestamp(range(len(self)))[:, 0]
        return bool((np.diff(starts) > 0).all())

    def read(self, indices: list[int]) -> Pixels:
        """Frames ``[T, H, W, 3]``, uint8, as decord numbers them."""
        try:
            return np.asarray(self._reader.get_batch(indices).asnumpy())
        except _failures() as error:
            raise VideoError(
                self.path,
                f"decord cannot read frames {indices}: {_first_line(error, self.path)}",
            ) from error


def read(path: Path, indices: list[int]) -> Pixels:
    """Frames ``[T, H, W, 3]`` at sorted distinct indices, from the keyframes before them."""
    return DecordReader(path).read(indices)


def _first_line(error: Exception, path: Path) -> str:
    """Without the file's folder: reasons are stored."""
    return str(error).strip().partition("\n")[0].replace(str(path), path.name)
