"""One video, decoded once from first frame to last: its manifest row, and its frames for the cache."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from raysl.data import decode_torchcodec
from raysl.data.decode_agreement import SOUND_CODECS, decord_agrees, digest
from raysl.data.decode_pyav import SequentialReader, VideoError
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import ManifestRow

# Raised when a row of the same file would change.
VERSION = 3


def inspect_video(root: Path, path: str, fill: FrameCache | None) -> ManifestRow:
    """Decodes a video in sequence, fills the cache in the same pass, and compares decord.

    Raises:
        VideoError: only if the file system failed (``lasting`` is False); a video that cannot be decoded is a row with
            the reason in ``error``.
    """
    file = root / path
    row = ManifestRow(path, 0, 0, (), 0, 0, 0.0, fingerprint(file), False)
    try:
        row, digests, codec, mpeg4_b_frames = _decode(file, row, fill)
    except VideoError as error:
        if not error.lasting:
            raise
        return replace(row, error=error.reason)
    row = replace(row, torchcodec=decode_torchcodec.agreement(file, digests, digest))
    # There decord's last frame depends on a race between its threads: on one UCF101 clip it is another frame in 9 of
    # 100 reads, which no comparison finds reliably. (None in 6,000 such reads of ten other files.)
    if mpeg4_b_frames:
        return row
    regular = row.header_frames in (0, row.frames) and not row.damaged and not row.notes
    sound = regular and codec in SOUND_CODECS
    return replace(row, decord_agrees=decord_agrees(file, digests, row.keyframes, sound=sound))


def fill_video(root: Path, row: ManifestRow, fill: FrameCache) -> bool:
    """Decodes a video with a known row into the cache; False if the budget has no room for it.

    Raises:
        VideoError: the file is not the one of the manifest.
    """
    if fill.holds(row):
        return True
    file = root / row.path
    if fingerprint(file) != row.fingerprint:
        raise VideoError(file, "it has changed since its manifest was made; run without the stored manifest")
    with SequentialReader(file) as reader, fill.writer(row.fingerprint) as writer:
        return all(writer.add(frame.pixels()) for frame in reader) and writer.commit()


def fingerprint(file: Path) -> str:
    """Hash of a file's content; 32 hexadecimal digits.

    Raises:
        VideoError: it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise VideoError(file, f"cannot be read: {error.strerror}", lasting=False) from error


def _decode(file: Path, row: ManifestRow, fill: FrameCache | None) -> tuple[ManifestRow, list[int], str, bool]:
    digests: list[int] = []
    keyframes: list[int] = []
    height = width = 0
    with SequentialReader(file) as reader, fill.writer(row.fingerprint) if fill else nullcontext() as writer:
        for index, frame in enumerate(reader):
            pixels = frame.pixels()
            height, width = pixels.shape[:2]
            digests.append(digest(pixels))
            if frame.keyframe:
                keyframes.append(index)
            if writer is not None:
                writer.add(pixels)
        if writer is not None:
            writer.commit()
        found = replace(
            row,
            frames=len(digests),
            header_frames=reader.header_frames,
            keyframes=tuple(keyframes),
            height=height,
            width=width,
            rate=reader.rate,
            damaged=reader.damaged,
            notes=tuple(reader.notes),
        )
    return found, digests, reader.codec, reader.mpeg4_b_frames
