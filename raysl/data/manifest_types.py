"""What one full sequential decode says about each video of a catalog."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ManifestRow:
    """One video as it really is.

    Attributes:
        path: as in the catalog.
        frames: decoded in sequence by PyAV; 0 where unreadable.
        header_frames: what the container or stream header claims; 0 where it says nothing.
        keyframes: indices of keyframes in decode order.
        height, width: pixels after rotation flags, as decoded.
        rate: average frames a second; 0.0 where unknown.
        fingerprint: of the file's content.
        decord_agrees: decord gives the same pixels for the same index, read at random.
        error: why it cannot be read; None where it can.
        damaged: frames that the decoder had to patch, since parts of them are missing or broken.
        notes: what was done otherwise than with most files (`raysl.data.decode_pyav.SequentialReader`).
    """

    path: str
    frames: int
    header_frames: int
    keyframes: tuple[int, ...]
    height: int
    width: int
    rate: float
    fingerprint: str
    decord_agrees: bool
    error: str | None = None
    damaged: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """One row per catalog video, in catalog order."""

    catalog: str
    rows: tuple[ManifestRow, ...]

    def unreadable(self) -> dict[str, str]:
        """Path to reason, of what cannot be read."""
        return {row.path: row.error for row in self.rows if row.error is not None}
