"""What every reader of a data set keeps: a table of what lies below a root, the same at each reading."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import pytest

from raysl.config.component import Chosen
from raysl.config.identity import cell_id
from raysl.data.catalog import Catalog, CatalogReader
from raysl.errors import DataError
from raysl.testing.cells import tiny_cell
from raysl.testing.component import ComponentContract

Case = tuple[CatalogReader, Path]
"""A reader, and a root that it can read."""


class DataSetContract(ComponentContract):
    """Of a data set: ``COMPONENT = Component(kind="data set", ...)``.

    A reader reads names and lists, no pixels, so `fill` may make empty files (`touch`): two videos or more of each
    class, for training and for testing.
    """

    kind: ClassVar[str] = "data set"

    def fill(self, root: Path) -> None:
        """Makes the files of a small set below ``root``, an empty folder; of a set that makes its own, none."""

    def id_of(self, options: Any) -> str:
        return cell_id(tiny_cell({"data": {"name": self.component, **options}}))

    def chosen(self) -> Chosen:
        return tiny_cell({"data": {"name": self.component, **self.options}}).data

    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        reader = self.found.build(self.resolved())
        assert isinstance(reader, CatalogReader)
        root = empty(tmp_path / "root")
        self.fill(root)
        reader.prepare(root)
        return reader, root

    @pytest.fixture
    def catalog(self, case: Case) -> Catalog:
        reader, root = case
        return reader.read(root)

    def test_indices_count_the_rows(self, catalog: Catalog) -> None:
        assert [video.index for video in catalog.videos] == list(range(len(catalog.videos)))
        assert catalog.videos

    def test_paths_are_relative_unique_and_there(self, case: Case, catalog: Catalog) -> None:
        _, root = case
        paths = [video.path for video in catalog.videos]
        assert len(set(paths)) == len(paths)
        for path in paths:
            assert not PurePosixPath(path).is_absolute()
            assert "\\" not in path
            assert ".." not in PurePosixPath(path).parts
            assert (root / path).is_file()

    def test_labels_are_class_indices(self, catalog: Catalog) -> None:
        assert len(set(catalog.classes)) == len(catalog.classes)
        if catalog.annotated:
            assert {video.label for video in catalog.videos} == {None}
            people = [person for frame in catalog.annotated for person in frame.people]
            assert {action for person in people for action in person.actions} <= set(range(len(catalog.classes)))
            assert all(0 <= min(person.box) < max(person.box) <= 1 for person in people)
            assert {catalog.videos[frame.video].split for frame in catalog.annotated} == {"train", "test"}
        elif catalog.classes:
            for split in ("train", "test"):
                assert {video.label for video in catalog.split(split)} == set(range(len(catalog.classes)))
        else:
            assert {(video.label, video.split) for video in catalog.videos} == {(None, "train")}

    def test_splits_cover_the_videos_and_part_no_group(self, catalog: Catalog) -> None:
        assert len(catalog.split("train")) + len(catalog.split("test")) == len(catalog.videos)
        groups = {split: {video.group for video in catalog.split(split)} - {None} for split in ("train", "test")}
        assert not groups["train"] & groups["test"]

    def test_each_video_is_tested_in_its_fold(self, case: Case, catalog: Catalog) -> None:
        reader, _ = case
        fold = getattr(getattr(reader, "options", None), "fold", None)
        for video in catalog.videos:
            assert (video.fold is None) == (fold is None)
            assert fold is None or (video.split == "test") == (video.fold == fold)

    def test_read_twice_is_equal(self, case: Case, catalog: Catalog) -> None:
        reader, root = case
        reader.prepare(root)
        assert reader.read(root) == catalog
        assert str(root) not in catalog.name

    def test_an_absent_root_is_one_error(self, case: Case) -> None:
        reader, root = case
        with pytest.raises(DataError, match="elsewhere"):
            reader.read(root / "elsewhere")

    def test_an_empty_root_is_one_error(self, case: Case, tmp_path: Path) -> None:
        reader, _ = case
        with pytest.raises(DataError, match=r"empty-root|not rendered"):
            reader.read(empty(tmp_path / "empty-root"))


def empty(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    return root


def touch(root: Path, *paths: str) -> Path:
    """Makes empty files below ``root``, and returns it."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root
