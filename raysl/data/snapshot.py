"""A data set as read: its catalog, one decode of every video, and hashes of what results depend on."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raysl.config.component import Chosen
from raysl.config.identity import leaves
from raysl.data.catalog import AnnotatedFrame, Catalog, Person, Video
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.errors import DataError


@dataclass(frozen=True)
class DataHashes:
    """Hashes of what a computation reads of a data set, one per role; 8 hexadecimal digits each.

    Attributes:
        snapshot: everything; names the stored snapshot.
        clips: the training videos without labels, for self-supervised pretraining.
        labelled_clips: the training videos with labels, for supervised pretraining.
        scored: the training videos with labels and groups, for the scores of a search.
        evaluated: all videos with splits, labels and groups, for evaluations.
    """

    snapshot: str
    clips: str
    labelled_clips: str
    scored: str
    evaluated: str

    def pretraining(self, kind: str) -> str:
        """The role of ``pretraining: supervised`` or ``self_supervised``."""
        return self.labelled_clips if kind == "supervised" else self.clips


@dataclass(frozen=True)
class Snapshot:
    """A catalog and its manifest, with rows in the same order.

    Raises:
        DataError: they list different videos.
    """

    catalog: Catalog
    manifest: Manifest

    def __post_init__(self) -> None:
        if [row.path for row in self.manifest.rows] != [video.path for video in self.catalog.videos]:
            raise DataError(
                f"data set {self.catalog.name!r}: the manifest lists other videos than the catalog; remove the stored "
                "manifest, or give the root of that manifest"
            )

    @cached_property
    def hashes(self) -> DataHashes:
        """Hashes of contents, never of paths: a video is its content, its decoded length and its number in the catalog.

        Its number counts because random streams are keyed by it. Paths count only where predictions are stored by them.
        """
        train = [pair for pair in self._pairs() if pair[0].split == "train"]
        classes = list(self.catalog.classes)
        return DataHashes(
            snapshot=_digest(
                [classes, list(self.catalog.missing)],
                ([*_everything(pair), *self._frames(pair[0])] for pair in self._pairs()),
            ),
            clips=_digest([], map(_clip, train)),
            labelled_clips=_digest(
                [classes], ([*_clip(pair), pair[0].label, *self._frames(pair[0])] for pair in train)
            ),
            scored=_digest([classes], ([*_clip(pair), pair[0].label, pair[0].group] for pair in train)),
            evaluated=_digest([classes], ([*_evaluated(pair), *self._frames(pair[0])] for pair in self._pairs())),
        )

    @cached_property
    def _annotated(self) -> dict[int, list[list[object]]]:
        """Annotated frames by video, as plain values."""
        found: dict[int, list[list[object]]] = {}
        for frame in self.catalog.annotated:
            people = [[[*one.box], [*one.actions], one.score] for one in (*frame.people, *frame.detected)]
            found.setdefault(frame.video, []).append([frame.second, people, len(frame.people), frame.where])
        return found

    def _frames(self, video: Video) -> list[object]:
        """What a hash covers of a video's annotated frames: nothing if it has none, as in most sets."""
        frames = self._annotated.get(video.index)
        return [[frame[:3] for frame in frames]] if frames else []

    def _pairs(self) -> Iterator[tuple[Video, ManifestRow]]:
        return zip(self.catalog.videos, self.manifest.rows, strict=True)

    def differences(self, other: Snapshot) -> dict[str, str]:
        """From path to what differs in ``other``: content, split, label or group, or that only one of them has it."""
        ours, theirs = ({video.path: (video, row) for video, row in one._pairs()} for one in (self, other))
        found = {}
        for path in sorted(ours.keys() | theirs.keys()):
            if path not in theirs or path not in ours:
                found[path] = "absent" if path not in theirs else "added"
            elif differing := _differing(self.catalog, other.catalog, ours[path], theirs[path]):
                found[path] = differing
            elif self._frames(ours[path][0]) != other._frames(theirs[path][0]):
                found[path] = "other boxes"
        return found

    def counts(self) -> dict[str, int]:
        """From split to its number of videos."""
        found: dict[str, int] = {}
        for video in self.catalog.videos:
            found[video.split] = found.get(video.split, 0) + 1
        return found

    def to_bytes(self) -> bytes:
        """As parquet, for a results store."""
        rows, videos, annotated = self.manifest.rows, self.catalog.videos, self._annotated
        columns: dict[str, list[object]] = {
            field.name: [getattr(row, field.name) for row in rows]
            for field in fields(ManifestRow)
            if field.name != "torchcodec"
        }
        for name in ("keyframes", "notes"):
            columns[name] = [list(getattr(row, name)) for row in rows]
        for name in _LISTED:
            columns[name] = [getattr(video, name) for video in videos]
        if annotated:
            columns[ANNOTATED] = [json.dumps(annotated.get(video.index, [])) for video in videos]
        table = pa.table({name: pa.array(values, type=_TYPES[name]) for name, values in columns.items()})
        about = {"name": self.catalog.name, "classes": self.catalog.classes, "missing": self.catalog.missing}
        sink = io.BytesIO()
        pq.write_table(table.replace_schema_metadata({"catalog": json.dumps(about)}), sink, write_page_checksum=True)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Snapshot:
        """Reads what `to_bytes` wrote.

        Raises:
            DataError: the bytes are no snapshot.
        """
        try:
            file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
            table = file.read(use_threads=False)  # read_table's threads may outlive the interpreter, and abort it
            about = json.loads((table.schema.metadata or {})[b"catalog"])
            rows, videos, annotated = [], [], list[AnnotatedFrame]()
            for index, row in enumerate(table.to_pylist()):
                listed = {name: row.pop(name, None) for name in _LISTED}
                lists = {name: tuple(row.get(name) or ()) for name in ("keyframes", "notes")}
                annotated += [_frame_of(index, *one) for one in json.loads(row.pop(ANNOTATED, None) or "[]")]
                rows.append(ManifestRow(**{**row, **lists}))
                videos.append(Video(index, row["path"], **listed))
            catalog = Catalog(
                about["name"],
                tuple(about["classes"]),
                tuple(videos),
                tuple(about["missing"]),
                annotated=tuple(annotated),
            )
            return cls(catalog, Manifest(about["name"], tuple(rows)))
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"a stored snapshot of a data set cannot be read ({error})") from error


def data_key(data: Chosen) -> str:
    """``mine-1a2b3c4d``: `Chosen.source_name`, and a hash of the reader's name and options."""
    pairs = sorted((".".join(path), value) for path, value in leaves(data.options))
    text = json.dumps([data.name, data.component.version, pairs], sort_keys=True)
    return f"{data.source_name.replace('.', '_')}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def data_record(data: Chosen, snapshot: Snapshot) -> dict[str, Any]:
    """The record of a result's data, for its provenance."""
    return {"name": data.bound_name, "snapshot": snapshot.hashes.snapshot, "videos": snapshot.counts()}


def _clip(pair: tuple[Video, ManifestRow]) -> list[object]:
    video, row = pair
    # Notes mean that the same file gives other pixels than with older versions; most files have none.
    return [video.index, row.fingerprint, row.frames, row.error is None, *([list(row.notes)] if row.notes else [])]


def _evaluated(pair: tuple[Video, ManifestRow]) -> list[object]:
    video, _ = pair
    return [*_clip(pair), video.path, video.split, video.label, video.group]


def _everything(pair: tuple[Video, ManifestRow]) -> list[object]:
    video, row = pair
    rest = [
        video.fold,
        row.header_frames,
        list(row.keyframes),
        row.height,
        row.width,
        row.rate,
        row.decord_agrees,
        row.error,
    ]
    return [*_evaluated(pair), *rest]


def _differing(ours: Catalog, theirs: Catalog, one: tuple[Video, ManifestRow], other: tuple[Video, ManifestRow]) -> str:
    sides = ((ours, one[0]), (theirs, other[0]))
    labels = tuple(None if video.label is None else of.classes[video.label] for of, video in sides)
    pairs = {
        "content": (one[1].fingerprint, other[1].fingerprint),
        "length": (one[1].frames, other[1].frames),
        "split": (one[0].split, other[0].split),
        "label": labels,
        "group": (one[0].group, other[0].group),
    }
    changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return ", ".join(
        "other content" if name == "content" else f"{name} {mine} → {its}" for name, (mine, its) in changed.items()
    )


def _digest(head: list[object], rows: Iterable[list[object]]) -> str:
    digest = hashlib.blake2b(json.dumps(head).encode(), digest_size=4)
    for row in rows:
        digest.update(b"\n" + json.dumps(row).encode())
    return digest.hexdigest()


def _frame_of(video: int, second: float, people: list[Any], annotated: int, where: str) -> AnnotatedFrame:
    """An annotated frame from its plain values."""
    made = [Person((box[0], box[1], box[2], box[3]), tuple(actions), score) for box, actions, score in people]
    return AnnotatedFrame(video, second, tuple(made[:annotated]), tuple(made[annotated:]), where)


ANNOTATED = "annotated"
"""The column of annotated frames, as JSON, for sets that have any."""

_LISTED = ("split", "label", "group", "fold")
"""Columns of a `Video` besides its path; snapshots of older versions lack ``fold``."""

_TYPES = {
    "path": pa.string(),
    "frames": pa.int64(),
    "header_frames": pa.int64(),
    "keyframes": pa.list_(pa.int64()),
    "height": pa.int64(),
    "width": pa.int64(),
    "rate": pa.float64(),
    "fingerprint": pa.string(),
    "decord_agrees": pa.bool_(),
    "error": pa.string(),
    "damaged": pa.int64(),
    "notes": pa.list_(pa.string()),
    "split": pa.string(),
    "label": pa.int64(),
    "group": pa.string(),
    "fold": pa.int64(),
    ANNOTATED: pa.string(),
}
