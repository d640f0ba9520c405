"""Figures as files of a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import StorageError
from raysl.reports.write_figures import draw_figures, draws, write_figures
from raysl.results.place import place
from tests.conftest import empty_folder
from tests.reports.figures.inputs import named


@pytest.mark.slow
def test_figures_are_written_to_a_bucket_as_to_a_folder_and_old_ones_are_taken_away(
    tmp_path: Path, s3_address: str
) -> None:
    bucket = place(empty_folder("s3", s3_address))
    folder = place(tmp_path)
    drawn = draw_figures(named("a"), ["md", "svg"])
    assert drawn[-5].data.startswith(b"panel,unit,row,seed,query,rank,video,class_name,right\n"), "and no pixels"
    for one in (folder, bucket):
        one.write("figures/heat_map.svg", b"of an earlier report")
        one.write("figures/mine.png", b"of a person")
        write_figures(drawn, one, ["md", "svg"])
        assert [figure.name for figure in drawn] == [
            "intervals",
            "axis_curves",
            "training_curves",
            "task_accuracy",
            "similarity",
            "similarity_bands",
            "timesteps",
            "class_accuracy",
            "confusion",
            "confused_pairs",
            "neighbours",
            "attention",
            "class_activation",
            "feature_map",
            "motion_difference",
        ]
        assert list(drawn[0].files(["svg"])) == ["figures/intervals.csv", "figures/intervals.svg"]
        files = {file for figure in drawn for file in figure.files(["svg"])}
        assert set(one.sizes()) == {*files, "figures/mine.png"}
    assert bucket.read("figures/intervals.svg") == folder.read("figures/intervals.svg")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("")
    with pytest.raises(StorageError, match=r"the report cannot be written to .*--reports"):
        write_figures(draw_figures(named("a"), ["svg"]), place(tmp_path), ["svg"])


def test_without_a_picture_no_figure_is_drawn() -> None:
    assert not draws(["md", "csv"])
    assert draws(["md", "png"])
