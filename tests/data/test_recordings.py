"""What each data set knows of clips that are not independent, from its catalog or from a clip's path."""

from __future__ import annotations

import pytest

from raysl.config.component import find
from raysl.data.catalog import Video


@pytest.mark.parametrize(
    ("name", "path", "recording"),
    [
        ("ucf101", "UCF-101/Lunges/v_Lunges_g07_c03.avi", "Lunges/g07"),
        ("ucf101", "HandstandPushups/v_HandStandPushups_g01_c02.mp4", "HandstandPushups/g01"),
        ("ucf101", "Lunges/other.avi", None),
        ("kinetics400", "val/abseiling/-3B32lodo2M_000059_000069.mp4", "-3B32lodo2M"),
        ("kinetics600", "a_b_000001_000011.webm", "a_b"),
        ("kinetics400", "abseiling/else.mp4", None),
        ("diving48", "rgb/sJm6yMJpHfM_00012.mp4", "sJm6yMJpHfM"),
        ("diving48", "rgb/_8Vy3dlHg2w_00000.mp4", "_8Vy3dlHg2w"),
        ("diving48", "rgb/else.mp4", None),
        ("synthetic", "synthetic-12/test/right/000003.mp4", "synthetic-12/test/right/000003.mp4"),
        ("ssv2", "20bn-something-something-v2/74225.webm", None),
        ("ava", "videos/1j20qq1JyX4.mp4", "videos/1j20qq1JyX4.mp4"),
        ("synthetic_boxes", "videos/val00001.mp4", "videos/val00001.mp4"),
        ("hmdb51", "run/a.avi", None),
        ("folder", "run/ann_1.mp4", None),
    ],
)
def test_by_its_path(name: str, path: str, recording: str | None) -> None:
    component = find("data set", name)
    assert component.build(component.options()).recording(Video(0, path, None, "test")) == recording


@pytest.mark.parametrize("name", ["hmdb51", "folder", "ucf101"])
def test_by_the_catalog(name: str) -> None:
    component = find("data set", name)
    assert component.build(component.options()).recording(Video(0, "run/a.avi", 0, "test", "run/film")) == "run/film"
