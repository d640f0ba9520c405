"""One interface to the decoders: equal pixels for equal indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from raysl.data import decode_decord, decode_pyav, decode_torchcodec
from raysl.data.decode_pyav import SequentialReader
from raysl.data.film import Pixels

if TYPE_CHECKING:
    from torch import Tensor

    from raysl.data.manifest_types import ManifestRow

Decoder = Literal["pyav", "decord", "torchcodec"]

# Each reads ``[T, H, W, 3]`` at sorted distinct indices.
READERS: Mapping[Decoder, Callable[[Path, list[int]], Pixels]] = {
    "pyav": decode_pyav.read,
    "decord": decode_decord.read,
    "torchcodec": decode_torchcodec.read,
}


def decoder_for(row: ManifestRow) -> Decoder:
    """The fastest that gives the frames of a sequential PyAV decode of this video, here."""
    if row.torchcodec and row.torchcodec == decode_torchcodec.versions():
        return "torchcodec"
    return "decord" if row.decord_agrees and decode_decord.is_installed() else "pyav"


def decode_all(path: Path) -> Iterator[Pixels]:
    """All frames of a video, ``[H, W, 3]`` uint8 RGB, in decode order, rotation flags applied.

    Raises:
        VideoError: (a DataError) the video cannot be opened, or fails while it is decoded.
    """
    with SequentialReader(path) as reader:
        for frame in reader:
            yield frame.pixels()


def read_frames(path: Path, indices: Sequence[int], *, decoder: Decoder) -> Tensor:
    """Frames ``[T, 3, H, W]`` uint8 RGB in the order of ``indices``, which may repeat and go backwards.

    Frame i is the i-th frame of a sequential PyAV decode. ``decord`` and ``torchcodec`` may be used only if the
    manifest says that they agree (`decoder_for`); they are faster far from the start of a video.

    Raises:
        VideoError: (a DataError) naming the video.
        ValueError: no indices, or a negative one.
    """
    import torch

    if not len(indices) or min(indices) < 0:
        raise ValueError(f"frame indices must be given and not negative: {list(indices)}")
    distinct, places = np.unique(np.asarray(indices, dtype=np.int64), return_inverse=True)
    pixels = READERS[decoder](path, distinct.tolist())
    # The layout in memory stays [T, H, W, 3], which the resize reads faster.
    return torch.from_numpy(pixels[places]).permute(0, 3, 1, 2)
