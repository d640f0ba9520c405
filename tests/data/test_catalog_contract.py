"""What holds for every catalog: a new one adds a line to ``CASES``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from raysl.config.component import find, names
from raysl.data.catalog import Catalog
from raysl.errors import ConfigError
from raysl.testing import DataSetContract
from raysl.testing.data_set import Case, empty, touch

from .catalog_trees import (
    ava_tree,
    class_tree,
    diving_name,
    diving_tree,
    hmdb_tree,
    kinetics_tree,
    ssv2_name,
    ssv2_tree,
    ucf_tree,
)

TINY = {"classes": 2, "train_per_class": 2, "test_per_class": 1, "frames": 3, "height": 16, "width": 16}
SPLIT_TREE = ["train/a/1.mp4", "train/b/2.mp4", "test/a/3.mp4", "test/b/4.mp4"]


def _grouped_tree(root: Path) -> Path:
    """Two persons who both do everything."""
    return touch(root, *(f"{name}/{clip}{person}.mp4" for name in "ab" for person in (1, 2) for clip in "xyz"))


def _split_tree(root: Path) -> Path:
    return touch(root, *SPLIT_TREE)


BOXES = {"train": 2, "test": 1, "seconds": 2, "rate": 2, "height": 16, "width": 16}
"""Films so small that they are rendered at once."""

CASES: dict[str, tuple[str, dict[str, Any], Callable[[Path], Path]]] = {
    "folder-fraction": ("folder", {}, class_tree),
    "folder-folders": ("folder", {"split": "folders"}, _split_tree),
    "folder-folds": ("folder", {"split": "folds", "folds": 2, "fold": 2}, class_tree),
    "folder-groups": ("folder", {"group": r"(\d)\."}, _grouped_tree),
    "folder-leave-one-group-out": (
        "folder",
        {"split": "leave_one_group_out", "folds": 2, "fold": 2, "group": r"(\d)\."},
        _grouped_tree,
    ),
    "folder-without-labels": ("folder", {"labels": "none"}, class_tree),
    "ucf101": ("ucf101", {}, ucf_tree),
    "ucf101-classes": ("ucf101", {"classes": ["HandstandPushups", "Archery"]}, ucf_tree),
    "hmdb51": ("hmdb51", {}, hmdb_tree),
    "hmdb51-classes": ("hmdb51", {"classes": ["climb_stairs", "climb"]}, hmdb_tree),
    "kinetics400": ("kinetics400", {}, kinetics_tree),
    "kinetics400-classes": ("kinetics400", {"classes": ["doing thing 007 (in game)", "abseiling"]}, kinetics_tree),
    "kinetics600": ("kinetics600", {}, partial(kinetics_tree, size=600, validation="validate")),
    "diving48": ("diving48", {}, diving_tree),
    "diving48-classes": ("diving48", {"classes": [diving_name(47), diving_name(2)]}, diving_tree),
    "ssv2": ("ssv2", {}, ssv2_tree),
    "ssv2-classes": ("ssv2", {"classes": [ssv2_name(9), ssv2_name(5)]}, ssv2_tree),
    "ava": ("ava", {}, ava_tree),
    "synthetic_boxes": ("synthetic_boxes", BOXES, empty),
    "synthetic": ("synthetic", TINY, empty),
}


@pytest.fixture(scope="module", params=CASES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Case]:
    """The case's name; its reader, and a root that it can read and that no test changes."""
    name, options, make = CASES[request.param]
    component = find("data set", name)
    reader = component.build(component.options(**options))
    root = make(tmp_path_factory.mktemp("catalog") / "root")
    reader.prepare(root)
    return request.param, (reader, root)


@pytest.fixture(scope="module")
def read(made: tuple[str, Case]) -> Catalog:
    reader, root = made[1]
    return reader.read(root)


class TestCatalogs(DataSetContract):
    @pytest.fixture(autouse=True)
    def one(self, made: tuple[str, Case]) -> None:
        self.component, self.options, _ = CASES[made[0]]

    @pytest.fixture
    def case(self, made: tuple[str, Case]) -> Case:
        return made[1]

    @pytest.fixture
    def catalog(self, read: Catalog) -> Catalog:
        return read


def test_every_catalog_has_a_case() -> None:
    assert {name for name, _, _ in CASES.values()} == set(names("data set"))


def test_an_unknown_catalog_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'ucf101'"):
        find("data set", "ucf10")
