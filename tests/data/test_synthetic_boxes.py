"""The rendered films with boxes: the same twice, in AVA's layout, and known before they are rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.data.catalogs.synthetic_boxes import ACTIONS, SyntheticBoxesOptions, SyntheticBoxesReader
from raysl.errors import DataError

OPTIONS = SyntheticBoxesOptions(train=3, test=3, seconds=3, rate=4, height=32, width=32)


def rendered(root: Path, options: SyntheticBoxesOptions = OPTIONS) -> dict[str, bytes]:
    SyntheticBoxesReader(options).prepare(root)
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def test_the_same_bytes_twice_and_others_with_another_seed(tmp_path: Path) -> None:
    one, two = (rendered(tmp_path / name) for name in "ab")
    assert one == two
    other = rendered(tmp_path / "c", OPTIONS.model_copy(update={"render_seed": 1}))
    assert not one.keys() & other.keys()
    assert set(one.values()) != set(other.values())


def test_it_is_known_before_it_is_rendered(tmp_path: Path) -> None:
    reader = SyntheticBoxesReader(OPTIONS)
    with pytest.raises(DataError, match="not rendered"):
        reader.read(tmp_path)
    before = reader.listed(tmp_path)
    assert list(tmp_path.iterdir()) == []
    reader.prepare(tmp_path)
    assert reader.read(tmp_path) == before
    assert before.classes == ACTIONS


def test_what_is_lost_is_rendered_anew(tmp_path: Path) -> None:
    before = rendered(tmp_path)
    for path in (next(tmp_path.rglob("val00001.mp4")), next(tmp_path.rglob("*_val_v2.2.csv"))):
        path.unlink()
    assert rendered(tmp_path) == before


def test_a_detector_misses_some_people_and_invents_others(tmp_path: Path) -> None:
    catalog = SyntheticBoxesReader(SyntheticBoxesOptions(train=1, test=40)).listed(tmp_path)
    frames = [frame for frame in catalog.annotated if catalog.videos[frame.video].split == "test"]
    people, found = sum(len(frame.people) for frame in frames), sum(len(frame.detected) for frame in frames)
    invented = sum(person.box == (0.0, 0.0, 0.2, 0.2) for frame in frames for person in frame.detected)
    assert 0 < invented < 0.2 * len(frames)
    assert 0.8 * people < found - invented < people
    assert all(0.9 <= person.score <= 1 for frame in frames for person in frame.detected)
