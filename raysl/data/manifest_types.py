"""The results of one full sequential decode of each video of a catalog."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ManifestRow:
    """The actual state of one video.

    Attributes:
        path: as in the catalog.
        frames: decoded in sequence by PyAV; 0 if unreadable.
        header_frames: what the container or stream header claims; 0 if it has none.
        keyframes: indices of keyframes in decode order.
        height, width: pixels after rotation flags, as decoded.
        rate: average frames per second; 0.0 if unknown.
        fingerprint: of the file's content.
        decord_agrees: decord gives the same pixels for the same index with random access; False also where the row was
            made without decord.
        error: why it cannot be read; None if it can.
        damaged: frames that the decoder had to patch, because parts of them are missing or broken.
        notes: special treatment of the file (`raysl.data.decode_pyav.SequentialReader`).
        torchcodec: the versions with which torchcodec gives the same pixels on this machine, or with which it
            ``differs``; empty: not compared. A fact of the machine: it is in no hash and in no snapshot of a store.
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
    torchcodec: str = ""


@dataclass(frozen=True)
class Manifest:
    """One row per catalog video, in catalog order."""

    catalog: str
    rows: tuple[ManifestRow, ...]

    def unreadable(self) -> dict[str, str]:
        """From path to reason, for unreadable videos."""
        return {row.path: row.error for row in self.rows if row.error is not None}
