"""Pictures of videos, of those alone that an evaluation read and that are here."""

from __future__ import annotations

from pathlib import Path

import torch

from raysl.data.places import Places
from raysl.data.resize import resize_frames
from raysl.data.source import open_source
from raysl.reports.thumbnails import SHORT_SIDE, Thumbnails
from tests.cells import tiny_evaluation


def test_a_picture_is_the_middle_frame_of_the_video_that_was_read(tmp_path: Path) -> None:
    data = tiny_evaluation("retrieval").data
    data = type(data)(data.kind, data.name, data.options.model_copy(update={"train_per_class": 1, "test_per_class": 1}))
    places = Places.find({}, tmp_path)
    assert Thumbnails({"r": [data]}, places, 40)("r", "", "x") is None, "nothing is rendered for a picture"
    source = open_source(data, places, resize=40)
    snapshot, first, second = source.snapshot.hashes.snapshot, *source.catalog.videos[:2]
    pictures = Thumbnails({"r": [data]}, places, 40)
    found = pictures("r", snapshot, first.path)
    assert found is not None
    expected = resize_frames(source.frames(first.index, [12]), SHORT_SIDE)[0]
    assert torch.equal(torch.from_numpy(found).permute(2, 0, 1), expected)
    assert pictures("r", "of other data", first.path) is None
    assert pictures("r", snapshot, "absent.mp4") is None
    assert Thumbnails({"r": [data]}, None, 40)("r", snapshot, first.path) is None
    assert Thumbnails({"other": [data]}, places, 40)("r", snapshot, first.path) is None
    (source.root / second.path).write_bytes(b"no video")
    assert Thumbnails({"r": [data]}, Places.find({}, tmp_path), 24)("r", snapshot, second.path) is None
