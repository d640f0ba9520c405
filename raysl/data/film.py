"""Which of a file's streams is its film, and the orientation of its pictures: what a player shows.

Of several video streams it is the one that FFmpeg considers the best (the default flag first), never a cover or a
stream of a single picture if another one has several; turned and mirrored by its display matrix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

STILLS = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
UNKNOWN = "unknown codec"
PLAYLISTS = {"concat", "dash", "hls", "imf", "sdp"}
LOOKED_AT = 250
"""Packets of one stream, within which another stream that is a film has its second packet."""


def is_playlist(container: Any) -> bool:
    """Whether the file only lists other files, whose content could change without it."""
    return not PLAYLISTS.isdisjoint(container.format.name.split(","))


def film_of(path: Path, container: Any) -> tuple[Any, str]:
    """The stream that a player shows, and a description of the others; None if all of them are covers."""
    streams = list(container.streams.video)
    if all(one.disposition & Disposition.attached_pic for one in streams):
        return None, ", ".join(f"stream {one.index} ({_codec(one)}, a cover)" for one in streams)
    if len(streams) == 1:
        return streams[0], ""
    films = [one for one in streams if not one.disposition & STILLS and _codec(one) != UNKNOWN]
    pictures = _single_pictures(path, films) if len(films) > 1 else set()
    films = [one for one in films if one.index not in pictures] or films
    best = container.streams.best("video")
    chosen = best if best in films else next(iter(films), best)
    others = [
        f"stream {one.index} ({_codec(one)}, {'a preview or another film' if one in films else 'a cover'})"
        for one in streams
        if one.index != chosen.index
    ]
    return chosen, ", ".join(others)


def _single_pictures(path: Path, streams: Sequence[Any]) -> set[int]:
    """Indices of streams with one picture: by the header, or, if that has no number, by their packets."""
    counts = Counter({one.index: int(one.frames) for one in streams})
    silent = [one.index for one in streams if not one.frames]
    # A separate container: after a seek back to the start the first frames might differ.
    with suppress(FFmpegError, OSError, ValueError), av.open(str(path), metadata_errors="replace") as container:
        for packet in container.demux(silent) if silent else ():
            counts[packet.stream_index] += bool(packet.size)
            if all(counts[index] > 1 for index in silent) or max(counts[index] for index in silent) >= LOOKED_AT:
                break
    return {index for index, count in counts.items() if count <= 1}


def _codec(stream: Any) -> str:
    return UNKNOWN if stream.codec_context is None else str(stream.codec_context.name)


@dataclass(frozen=True)
class Orientation:
    """One of the eight orientations of a picture: transposed, then mirrored."""

    swapped: bool
    mirrored_x: bool
    mirrored_y: bool

    @property
    def is_turn(self) -> bool:
        """A rotation alone, without a mirror."""
        return self.swapped == (self.mirrored_x != self.mirrored_y)

    def of(self, array: Pixels) -> Pixels:
        """A view of ``[H, W, 3]`` in this orientation."""
        laid = array.transpose(1, 0, 2) if self.swapped else array
        return laid[:: -1 if self.mirrored_y else 1, :: -1 if self.mirrored_x else 1]


def orientation(frame: Any) -> Orientation | None:
    """The orientation of the frame's display matrix; None without one, or if it is no turn or mirror (`is_broken`)."""
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


def has_matrix(frame: Any) -> bool:
    return frame.side_data.get(SideData.DISPLAYMATRIX) is not None


def is_broken(frame: Any) -> bool:
    """Whether the frame has a display matrix that is neither a turn by quarters nor a mirror; players ignore it."""
    return has_matrix(frame) and orientation(frame) is None
