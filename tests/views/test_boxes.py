"""Boxes of people follow the pixels of their clip: by hand, and on rendered shapes of one colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.config.component import find, names
from raysl.data.catalog import AnnotatedFrame, Catalog, Person, Video
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.errors import ConfigError
from raysl.views.augmentation import TwoStepAugmentation
from raysl.views.boxes import around, frame_clip, through
from raysl.views.clip_input import MEAN, STD
from raysl.views.loader import PretrainingLoader
from raysl.views.training_videos import frame_index, training_videos
from tests.cells import TINY_BACKBONE, tiny_cell

DATA = {"name": "synthetic_boxes", "train": 4, "test": 1, "shapes": 1, "height": 48, "width": 64}
CENTRE = (0.25, 0.25, 0.5, 0.5)
"""A crop: (top, left, height, width)."""


def cell(**change: Any) -> CellConfig:
    base = {
        "pretraining": "supervised",
        "supervised.target": "boxes",
        "data": DATA,
        "clip": {"frames": 4, "stride": 1, "size": 48, "resize": 48},
        "augment": {"name": "standard", "min_area": 0.3, "jitter": 0.0, "grey": 0.0},
        "backbone": TINY_BACKBONE,
        "training": {"epochs": 1, "steps": None, "batch_size": 4},
    }
    return tiny_cell(base | change)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> VideoSource:
    return open_source(cell().data, Places({}, tmp_path_factory.mktemp("boxes")), resize=48)


def loader(source: VideoSource, config: CellConfig, rank: int = 0, world_size: int = 1) -> PretrainingLoader:
    return PretrainingLoader(config, source, view_names=("query",), rank=rank, world_size=world_size)


@pytest.mark.parametrize(
    ("box", "flipped", "expected"),
    [
        ((0.25, 0.25, 0.75, 0.75), False, (0.0, 0.0, 1.0, 1.0)),
        ((0.25, 0.25, 0.375, 0.75), False, (0.0, 0.0, 0.25, 1.0)),
        ((0.25, 0.25, 0.375, 0.75), True, (0.75, 0.0, 1.0, 1.0)),
        ((0.125, 0.25, 0.625, 0.5), False, (0.0, 0.0, 0.75, 0.5)),  # a quarter is outside
        ((0.125, 0.25, 0.625, 0.5), True, (0.25, 0.0, 1.0, 0.5)),
        ((0.0, 0.25, 0.5, 0.5), False, (0.0, 0.0, 0.5, 0.5)),  # half: just enough
        ((0.0, 0.25, 0.49, 0.5), False, None),
        ((0.8, 0.8, 0.9, 0.9), False, None),
        ((0.0, 0.0, 0.25, 0.25), False, None),
    ],
)
def test_a_box_through_a_crop_and_a_flip_by_hand(box: Any, flipped: bool, expected: Any) -> None:
    assert (
        through(box, CENTRE, flipped) == pytest.approx(expected) if expected else through(box, CENTRE, flipped) is None
    )


def test_the_clip_lies_around_its_frame_and_is_mirrored_at_the_ends() -> None:
    clip = cell(**{"clip.stride": 2}).clip
    assert around(10, clip).indices(40) == [6, 8, 10, 12]
    assert around(1, clip).indices(40) == [3, 1, 1, 3]
    assert around(39, clip).indices(40) == [35, 37, 39, 37]


def inside_and_out(clip: torch.Tensor, box: torch.Tensor) -> tuple[float, float]:
    """Share of bright pixels inside a box and outside of it, in the frame in the middle of a clip."""
    pixels = clip[:, clip.shape[1] // 2] * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    bright = pixels.amax(dim=0) > 0.6
    height, width = bright.shape
    left, top, right, bottom = (box * torch.tensor([width, height, width, height])).round().int().tolist()
    mask = torch.zeros_like(bright)
    mask[top:bottom, left:right] = True
    return float(bright[mask].float().mean()), float(bright[~mask].float().mean())


def test_boxes_lie_on_their_shapes_after_crop_and_flip(source: VideoSource) -> None:
    """Shapes without stripes are bright all over, and the ground is dark."""
    plain, flips = 0, set()
    catalog = source.catalog
    for epoch in range(6):
        for batch in loader(source, cell()).epoch(epoch):
            assert batch.boxes is not None
            for number, row in enumerate(batch.boxes.row.tolist()):
                if batch.boxes.actions[number, catalog.classes.index("striped")]:
                    continue
                inside, outside = inside_and_out(batch.views["query"].clips[row], batch.boxes.box[number])
                assert inside > 0.85
                assert outside < 0.1
                plain += 1
                (person,) = catalog.annotated[int(batch.boxes.key[number]) >> 16].people
                flips.add(round(float(batch.boxes.box[number, 0]), 2) > person.box[0])
    assert plain > 20
    assert flips == {True, False}


def test_people_who_left_the_crop_are_counted(source: VideoSource) -> None:
    small = cell(**{"augment.min_area": 0.05, "augment.max_area": 0.1})
    batches = [batch.boxes for batch in loader(source, small).epoch(0)]
    kept = sum(len(boxes.row) for boxes in batches if boxes is not None)
    dropped = sum(float(boxes.dropped) for boxes in batches if boxes is not None)
    assert dropped > 0
    assert kept + dropped == 4 * len(batches)


def test_two_ranks_share_the_batch_of_one(source: VideoSource) -> None:
    (whole,) = [next(iter(loader(source, cell()).epoch(0)))]
    parts = [next(iter(loader(source, cell(), rank, 2).epoch(0))) for rank in range(2)]
    clips = torch.cat([part.views["query"].clips for part in parts])
    assert torch.equal(clips, whole.views["query"].clips)
    boxes = [part.boxes for part in parts]
    assert whole.boxes is not None
    assert torch.equal(torch.cat([own.box for own in boxes if own is not None]), whole.boxes.box)
    assert [own.row.tolist() for own in boxes if own is not None] == [
        [row for row in whole.boxes.row.tolist() if row < 2],
        [row - 2 for row in whole.boxes.row.tolist() if row >= 2],
    ]


def test_items_are_annotated_frames_with_people(source: VideoSource) -> None:
    items = training_videos(cell(), source)
    assert len(items) == 4 * 3
    assert {source.catalog.videos[source.catalog.annotated[item].video].split for item in items} == {"train"}


def test_a_test_sees_whole_frames(source: VideoSource) -> None:
    clip = cell(**{"clip.size": 24, "clip.resize": 48}).clip
    assert frame_clip(source, 0, clip).shape == (3, 4, 24, 32)


def listed(second: float, rate: float = 10.0) -> VideoSource:
    frame = AnnotatedFrame(0, second, (Person((0.0, 0.0, 1.0, 1.0), (0,)),), where="set: list.csv, line 7")
    catalog = Catalog("set", ("a", "b"), (Video(0, "v.mp4", None, "train"),), annotated=(frame,))
    row = ManifestRow("v.mp4", 20, 20, (0,), 8, 8, rate, "f", True)
    return VideoSource(catalog, Manifest("set", (row,)), Path(), cache=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("second", "frame"), [(0.0, 0), (0.52, 5), (1.94, 19)])
def test_a_second_is_a_frame_by_the_rate(second: float, frame: int) -> None:
    assert frame_index(listed(second), 0) == frame


@pytest.mark.parametrize("second", [-1.0, 1.96, 900.0])
def test_a_frame_outside_its_video_names_file_and_line(second: float) -> None:
    with pytest.raises(
        ConfigError, match=r"set: list\.csv, line 7: .*outside v\.mp4, which has 20 frames.*first_second"
    ):
        training_videos(cell(), listed(second))
    with pytest.raises(ConfigError, match="line 7"):
        frame_index(listed(0.5, rate=0.0), 0)


@pytest.mark.parametrize(
    "augment", [{"name": "rand_augment"}, {"name": "tclr"}, {"name": "standard", "temporally_consistent": False}]
)
def test_what_boxes_cannot_follow_is_refused(source: VideoSource, augment: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="boxes of people cannot follow"):
        loader(source, cell(augment=augment))


@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize("name", names("augmentation"))
def test_a_component_says_what_its_augmentation_does_to_boxes(name: str, consistent: bool) -> None:
    component = find("augmentation", name)
    assert component.keeps_boxes is not None, "or a study with detection imports PyTorch to be planned"
    has = "temporally_consistent" in component.options.model_fields
    options = component.options(**({"temporally_consistent": consistent} if has else {}))
    built = component.build(options, cell().clip)
    assert component.keeps_boxes(options) == (isinstance(built, TwoStepAugmentation) and built.keeps_boxes)


def test_the_flip_is_the_draw_of_a_call(source: VideoSource) -> None:
    """Pixels and crop are those of a call with the same stream."""
    augmentation = cell().augment.build(cell().clip)
    frames = source.frames(0, [3, 4])
    for seed in range(4):
        clip, box = augmentation.augmented(augmentation.followed(frames, np.random.default_rng(seed)).cropped)
        again = augmentation(frames, np.random.default_rng(seed))
        assert torch.equal(clip, again.clip)
        assert box == again.box
