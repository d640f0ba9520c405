"""What a result's data is known by: contents, splits, labels and groups, by role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from raysl.config.component import Chosen
from raysl.data.catalog import AnnotatedFrame, Catalog, Person, Video
from raysl.data.catalogs.folder import FolderOptions
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot, data_key
from raysl.data.source import known_snapshot, open_source
from raysl.errors import DataError
from tests.data.rendered import moving_square, write_video


def snapshot_of(videos: int = 4) -> Snapshot:
    """Half for training, half for testing, two classes, a group each."""
    listed = tuple(Video(i, f"v{i}.mp4", i % 2, "train" if i < videos // 2 else "test", f"g{i}") for i in range(videos))
    rows = tuple(ManifestRow(f"v{i}.mp4", 20 + i, 21, (0, 12), 48, 64, 29.97, f"f{i}", True) for i in range(videos))
    return Snapshot(Catalog("set", ("a", "b"), listed, ("gone.mp4",)), Manifest("set", rows))


def with_video(index: int, **changes: object) -> Callable[[Snapshot], Snapshot]:
    def change(snapshot: Snapshot) -> Snapshot:
        videos = list(snapshot.catalog.videos)
        videos[index] = replace(videos[index], **changes)  # type: ignore[arg-type]
        return Snapshot(replace(snapshot.catalog, videos=tuple(videos)), snapshot.manifest)

    return change


def with_row(index: int, **changes: object) -> Callable[[Snapshot], Snapshot]:
    def change(snapshot: Snapshot) -> Snapshot:
        rows = list(snapshot.manifest.rows)
        rows[index] = replace(rows[index], **changes)  # type: ignore[arg-type]
        return Snapshot(snapshot.catalog, replace(snapshot.manifest, rows=tuple(rows)))

    return change


def with_boxes(video: int, *people: Person, detected: tuple[Person, ...] = ()) -> Callable[[Snapshot], Snapshot]:
    def change(snapshot: Snapshot) -> Snapshot:
        frame = AnnotatedFrame(video, 0.5, people, detected, "list.csv, line 1")
        return Snapshot(replace(snapshot.catalog, annotated=(frame,)), snapshot.manifest)

    return change


WALKS, RUNS = (Person((0.1, 0.2, 0.5, 0.75), actions) for actions in ((0,), (0, 1)))
ALL = {"snapshot", "clips", "labelled_clips", "scored", "evaluated"}


@pytest.mark.parametrize(
    ("change", "roles"),
    [
        (with_row(0, fingerprint="other"), ALL),
        (with_row(0, frames=5), ALL),
        (with_row(0, error="no frame can be decoded"), ALL),
        (with_video(0, split="test"), ALL),
        (with_row(3, fingerprint="other"), {"snapshot", "evaluated"}),
        (with_video(3, label=0), {"snapshot", "evaluated"}),
        (with_video(0, label=1), {"snapshot", "labelled_clips", "scored", "evaluated"}),
        (with_video(0, group="g1"), {"snapshot", "scored", "evaluated"}),
        (with_row(0, header_frames=0), {"snapshot"}),
        (with_row(0, decord_agrees=False), {"snapshot"}),
        (with_row(0, notes=("display matrix with a mirror: applied",)), ALL),
        (with_row(0, damaged=1), set()),
        (with_boxes(0, WALKS), {"snapshot", "labelled_clips", "evaluated"}),
        (with_boxes(3, WALKS), {"snapshot", "evaluated"}),
    ],
)
def test_each_role_is_hashed_by_what_it_reads(change: Callable[[Snapshot], Snapshot], roles: set[str]) -> None:
    before, after = (asdict(snapshot.hashes) for snapshot in (snapshot_of(), change(snapshot_of())))
    assert {role for role in ALL if before[role] != after[role]} == roles


def test_the_number_of_a_training_video_counts_since_streams_are_keyed_by_it() -> None:
    snapshot = snapshot_of()
    first = Video(0, "new.mp4", 0, "test", "n")
    videos = (first, *(replace(video, index=video.index + 1) for video in snapshot.catalog.videos))
    rows = (replace(snapshot.manifest.rows[0], path="new.mp4"), *snapshot.manifest.rows)
    longer = Snapshot(replace(snapshot.catalog, videos=videos), Manifest("set", rows))
    assert longer.hashes.clips != snapshot.hashes.clips


def test_bytes_and_back() -> None:
    snapshot = with_video(1, label=None, group=None)(with_row(2, keyframes=(), error="broken")(snapshot_of()))
    again = Snapshot.from_bytes(snapshot.to_bytes())
    assert again == snapshot
    assert again.hashes == snapshot.hashes
    with pytest.raises(DataError, match="cannot be read"):
        Snapshot.from_bytes(b"half a file")


def test_boxes_are_kept_and_hashed() -> None:
    snapshot = with_boxes(1, WALKS, RUNS, detected=(Person((0.0, 0.0, 1.0, 1.0), (), 0.93),))(snapshot_of())
    again = Snapshot.from_bytes(snapshot.to_bytes())
    assert again == snapshot
    assert again.catalog.annotated[0].where == "list.csv, line 1"
    one, other = with_boxes(1, WALKS)(snapshot_of()), with_boxes(1, RUNS)(snapshot_of())
    assert one.hashes.labelled_clips != other.hashes.labelled_clips
    assert one.differences(other) == {"v1.mp4": "other boxes"}
    assert b"annotated" not in snapshot_of().to_bytes()


def test_a_manifest_of_other_videos_is_refused() -> None:
    snapshot = snapshot_of()
    with pytest.raises(DataError, match="'set': the manifest lists other videos"):
        Snapshot(snapshot.catalog, Manifest("set", snapshot.manifest.rows[1:]))


def test_differences_name_what_changed() -> None:
    changed = with_video(0, split="test", label=1)(with_row(1, fingerprint="x", frames=9)(snapshot_of()))
    assert snapshot_of().differences(changed) == {
        "v0.mp4": "split train → test, label a → b",
        "v1.mp4": "other content, length 21 → 9",
    }
    assert snapshot_of().differences(snapshot_of(3))["v3.mp4"] == "absent"


def test_one_reader_under_two_names_is_two_data_sets() -> None:
    one, other = (Chosen("data set", "folder", FolderOptions(), root_name=name) for name in ("mine", "yours"))
    assert data_key(one) != data_key(other)
    assert data_key(one).startswith("mine-")
    assert data_key(one) == data_key(Chosen("data set", "folder", FolderOptions(), root_name="mine"))


def test_what_was_read_before_is_known_without_decoding_until_a_file_changes(tmp_path: Path) -> None:
    for name in ("a/0", "a/1", "b/0", "b/1"):
        write_video(tmp_path / "videos" / f"{name}.mp4", moving_square(8))
    data = Chosen("data set", "folder", FolderOptions())
    places = Places({"folder": tmp_path / "videos"}, tmp_path / "c")
    assert known_snapshot(data, places) is None
    assert not (tmp_path / "c").exists(), "asking writes nothing"
    read = open_source(data, places, resize=32).snapshot
    known = known_snapshot(data, places)
    assert known is not None
    assert known.hashes == read.hashes
    write_video(tmp_path / "videos/a/0.mp4", moving_square(9))
    assert known_snapshot(data, places) is None
    assert known_snapshot(data, Places({}, tmp_path / "c")) is None
