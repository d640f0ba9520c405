"""Checks whether decord gives the frames of a sequential PyAV decode (``ManifestRow.decord_agrees``)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from raysl.data.decode_decord import DecordReader, is_installed
from raysl.data.decode_pyav import VideoError
from raysl.data.film import Pixels
from raysl.streams import stream

# Frames to compare in the pass over whole groups of pictures: all frames of nearly every video of the usual sets.
MOST_FRAMES = 2000
CHUNK = 16
CLIPS = 4
SECTION = 128
"""Frames between two seeks in a sound film. A seek of decord costs as much as decoding 15 frames of 128x170."""
SOUND_CODECS = {"h264", "hevc", "vp8", "vp9"}
"""Their decoders count what they patch, and a keyframe needs nothing of what was before it."""


def digest(pixels: Pixels) -> int:
    """A checksum of one frame; it misses a difference once in four thousand million."""
    return zlib.crc32(pixels.data)


def decord_agrees(path: Path, digests: Sequence[int], keyframes: Sequence[int], *, sound: bool = False) -> bool:
    """Whether decord counts the same frames and gives identical ones, however they are reached.

    Every frame is compared (of more than 2,000: whole groups of pictures drawn at random, the first and the last among
    them). A few samples are not enough: on MPEG-4 AVIs decord is one grey level off in a tenth of the frames, on others
    only the last frame is wrong, and only if it is not read in sequence (`decode_inspect` refuses random errors).

    So there are two ways of reading: the groups of pictures backwards, each reached by a seek; then, with a new reader
    each, as in training, the last frame alone, first and last, the neighbours of a keyframe, and random clips.

    Seeks take more time than decoding. In a sound film, in which decord finds the same keyframes at increasing times,
    seeks lead to the last frame alone, to a group in about ``SECTION`` frames, and to a random clip; the other groups
    are read on from there. How a frame of such a film is reached makes no difference. (Of 1,018 files of 40 encoders'
    settings, most of them cut, patched or without some packets, 280 were read so, and each was judged as by all seeks.)

    Where decord is not installed, it agrees with nothing: a manifest made there has every video read with PyAV.

    Args:
        digests: of every frame of the sequential decode.
        keyframes: their indices in it.
        sound: a codec of `SOUND_CODECS`, as many frames as the header claims, and none of them damaged.
    """
    if not is_installed():
        return False
    try:
        reader = DecordReader(path)
        if len(reader) != len(digests):
            return False
        if sound and reader.keyframes() == list(keyframes) and reader.times_increase():
            in_order = [[len(digests) - 1], *_group_reads(len(digests), keyframes, SECTION)]
            alone = [_clip_in_group(len(digests), keyframes)]
        else:
            in_order = [*_group_reads(len(digests), keyframes, CHUNK)]
            alone = [*_clip_reads(len(digests), keyframes)]
        same = all(_same(reader, indices, digests) for indices in in_order)
        del reader  # its thread would decode on, ahead of what is asked
        return same and all(_same(DecordReader(path), indices, digests) for indices in alone)
    except VideoError:
        return False


def _same(reader: DecordReader, indices: list[int], digests: Sequence[int]) -> bool:
    return [digest(frame) for frame in reader.read(indices)] == [digests[index] for index in indices]


def _group_reads(frames: int, keyframes: Sequence[int], joined: int) -> Iterator[list[int]]:
    """Groups of pictures from the last to the first, in reads of at most ``CHUNK`` frames.

    Args:
        joined: neighbours of together at most so many frames are one group, reached by one seek.
    """
    groups = _joined(list(pairwise(sorted({0, *keyframes, frames}))), joined)
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


def _joined(groups: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    joined = groups[:1]
    for first, end in groups[1:]:
        if end - joined[-1][0] <= most:
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


def _clip_in_group(frames: int, keyframes: Sequence[int]) -> list[int]:
    """A random clip of a random group of pictures: each further group would cost a seek more."""
    draw = stream("decord agreement, sound", frames)
    groups = list(pairwise(sorted({0, *keyframes, frames})))
    first, end = groups[draw.integers(len(groups))]
    stride = int(draw.integers(1, CLIPS + 1))
    return list(range(first + int(draw.integers(min(stride, end - first))), end, stride))[:8]
