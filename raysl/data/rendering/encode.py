"""Frames to an H.264 MP4 file, byte for byte the same whenever the same frames are written by the same libraries."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

# Every frame a keyframe at a constant quantiser: a decoded frame is then a function of that frame alone. With predicted
# frames the residue of moved parts revealed the motion: one frame's autocorrelation found the class in 19 % of
# videos for 12.5 % by chance (8 classes, 2,048 frames). One thread, so that the bytes are the same everywhere.
_X264 = {"qp": "18", "preset": "veryfast", "threads": "1", "g": "1"}


def write_mp4(path: Path, frames: NDArray[np.uint8], rate: int) -> None:
    """Writes ``[T, H, W, 3]`` uint8 RGB frames; the file appears complete or not at all.

    Args:
        path: of the file; its folder must exist.
        frames: H and W even.
        rate: frames a second.
    """
    # A unique name, because several processes may write the same video at once; the last one wins.
    partial = path.with_name(f".{path.name}.{uuid4().hex}.partial")
    try:
        _encode(partial, frames, rate)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _encode(path: Path, frames: NDArray[np.uint8], rate: int) -> None:
    import av

    with av.open(str(path), mode="w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate, options=_X264)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
