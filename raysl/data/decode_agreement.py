"""Checks whether decord gives the frames of a sequential PyAV decode (``ManifestRow.decord_agrees``)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from raysl.data.decode_decord import DecordReader
from raysl.data.decode_pyav import VideoError
from raysl.data.film import Pixels
from raysl.streams import stream

# Frames to compare in the pass over whole groups of pictures: all frames of nearly every video of the usual sets.
MOST_FRAMES = 2000
CHUNK = 16
CLIPS = 4


def digest(pixels: Pixels) -> int:
    """A checksum of one frame; it misses a difference once in four thousand million."""
    return zlib.crc32(pixels.data)


def decord_agrees(path: Path, digests: Sequence[int], keyframes: Sequence[int]) -> bool:
    """Whether decord counts the same frames and gives identical ones, however they are reached.

    Every frame is compared (of more than 2,000: whole groups of pictures drawn at random, the first and the last among
    them). A few samples are not enough: on MPEG-4 AVIs decord is one grey level off in a tenth of the frames, on others
    only the last frame is wrong, and only if it is not read in sequence (`decode_inspect` refuses random errors).

    So there are two ways of reading: the groups of pictures backwards, each reached by a seek; then, with a new reader
    each, as in training, the last frame alone, first and last, the neighbours of a keyframe, and random clips.

    Args:
        digests: of every frame of the sequential decode.
        keyframes: their indices in it.
    """
    try:
        reader = DecordReader(path)
        if len(reader) != len(digests):
            return False
        return all(_same(reader, indices, digests) for indices in _group_reads(len(digests), keyframes)) and all(
            _same(DecordReader(path), indices, digests) for indices in _clip_reads(len(digests), keyframes)
        )
    except VideoError:
        return False


def _same(reader: DecordReader, indices: list[int], digests: Sequence[int]) -> bool:
    return [digest(frame) for frame in reader.read(indices)] == [digests[index] for index in indices]


def _group_reads(frames: int, keyframes: Sequence[int]) -> Iterator[list[int]]:
    """Groups of pictures from the last to the first, in reads of at most ``CHUNK`` frames."""
    groups = _joined(list(pairwise(sorted({0, *keyframes, frames}))))
    middle = groups[1:-1]
    draw = stream("decord agreement, groups", frames)
    left = MOST_FRAMES
    kept = [groups[0], groups[-1]]
    for index in draw.permutation(len(middle)):
        left -= middle[index][1] - middle[index][0]
        if left < 0:
            break
        kept.append(middle[index])
    for first, end in sorted(set(kept), reverse=True):
        for start in range(first, min(end, first + MOST_FRAMES), CHUNK):
            yield list(range(start, min(start + CHUNK, end)))


def _joined(groups: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Joins neighbours that fit into one read: if every frame is a keyframe, each would be a separate read."""
    joined = groups[:1]
    for first, end in groups[1:]:
        if end - joined[-1][0] <= CHUNK:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    return joined


def _clip_reads(frames: int, keyframes: Sequence[int]) -> Iterator[list[int]]:
    """The indices that a loader reads, each list sorted and without repetition."""
    last = frames - 1
    draw = stream("decord agreement, clips", frames)
    middle = keyframes[len(keyframes) // 2] if keyframes else 0
    yield [last]
    yield [0, last]
    yield [index for index in (middle - 1, middle + 1) if 0 <= index <= last] or [0]
    for stride in range(1, CLIPS + 1):
        start = int(draw.integers(0, frames))
        yield np.arange(start, frames, stride)[:8].tolist()
