"""The pixels that networks are shown, of the data alone that they were trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.data.places import Places
from raysl.data.source import open_source
from raysl.reports.seen_clips import SeenClips, SeenVideo
from raysl.views.clip_input import network_input
from raysl.views.pipeline import ViewPipeline
from tests.cells import tiny_cell

CHANGES: dict[str, dict[str, Any]] = {
    "consistent": {"augment.temporally_consistent": True, "augment.jitter": 0.8},
    "frame by frame": {"augment.temporally_consistent": False, "augment.jitter": 0.8},
    "reverse": {"objective.pretext": {"reverse": {"view": "pair"}}, "augment": {"name": "none"}},
    "none": {"pretraining": "none"},
}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> SeenClips:
    places = Places.find({}, tmp_path_factory.mktemp("cache"))
    cells = {
        name: tiny_cell({"data.train_per_class": 1, "data.test_per_class": 1, **change})
        for name, change in CHANGES.items()
    }
    config = cells["consistent"]
    hashes = open_source(config.data, places, resize=config.clip.resize).snapshot.hashes
    return SeenClips({name: (cell, f"id-{hashes.clips}") for name, cell in cells.items()}, places)


def of(seen: SeenClips, row: str) -> SeenVideo:
    found = seen(row)
    assert found is not None
    return found


def test_they_are_the_pixels_of_the_training(seen: SeenClips) -> None:
    """A call of the pipeline writes the same, normalised."""
    config = seen.cells["consistent"][0]
    source = open_source(config.data, seen.places or Places.find({}), resize=config.clip.resize)
    pipeline = ViewPipeline(config, source, ("query", "key"))
    out = {name: clips[0] for name, clips in pipeline.empty(1).items()}
    loaded = pipeline(0, 0, out)
    for one in pipeline.seen(0, 0):
        assert torch.equal(network_input(one.clip, "rgb"), out[one.name])
        assert one.origin == loaded.origins[one.name]
        assert torch.equal(one.frames, source.frames(0, one.indices))
    video = of(seen, "consistent")
    assert (video.path, [clip.view for clip in video.clips]) == (source.catalog.videos[0].path, ["query", "key"])
    query = video.clips[0]
    assert query.augmented.shape == (4, 32, 32, 3)
    assert np.array_equal(query.decoded, source.frames(0, query.indices).permute(0, 2, 3, 1).numpy())


def test_one_augmentation_of_a_clip_moves_no_frame_against_another(seen: SeenClips) -> None:
    """CVRL's Figure 7: the still background stays where it is, or does not."""
    moves = {}
    for row in ("consistent", "frame by frame"):
        frames = of(seen, row).clips[0].augmented.astype(float)
        moves[row] = np.median(np.abs(np.diff(frames, axis=0)))
    assert moves["consistent"] < 3 < moves["frame by frame"]


def test_a_pretext_task_is_seen(seen: SeenClips) -> None:
    """A clip that runs backwards has its frames in that order."""
    plain, reverse = (of(seen, row) for row in ("consistent", "reverse"))
    pairs = [(one.indices, other.indices) for one, other in zip(plain.clips, reverse.clips, strict=True)]
    assert all(mine in (theirs, theirs[::-1]) for theirs, mine in pairs)
    for clip in reverse.clips:
        assert clip.augmented.shape == (4, 32, 32, 3)


def test_nothing_is_shown_of_what_is_not_here(seen: SeenClips) -> None:
    def other(config: CellConfig, folder: str, places: Places | None = seen.places) -> SeenVideo | None:
        return SeenClips({"row": (config, folder)}, places)("row")

    config, folder = seen.cells["consistent"]
    assert other(config, folder) is not None
    assert other(config, folder, None) is None
    assert other(config, "id-00000000") is None, "it was trained on other videos"
    assert other(config, "") is None, "there is no result"
    assert seen("none") is None
    assert seen("no row") is None
