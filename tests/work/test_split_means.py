"""``ucf101/all``, from three official split files to the table: its numbers are means of the splits', by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import pytest

from raysl import results
from raysl.commands.inputs import load_studies
from raysl.commands.report import report_input
from raysl.config.cells import Cell, unique_cells
from raysl.data.places import Places
from raysl.reports import build_table
from raysl.reports.statistics import Sample
from raysl.reports.table import Table
from raysl.work.site import Site
from tests.data.catalog_trees import UCF_CLASSES, ucf_lists, ucf_videos
from tests.data.rendered import moving_square, write_video
from tests.planning.studies import SMALL_RECIPE, write_study
from tests.work.plans import site_here
from tests.work.test_data_sets import compute

pytestmark = pytest.mark.slow

TESTED = {1: (1, 2), 2: (8, 9), 3: (1, 9)}
"""Split to the groups that it tests on; the other two train."""
GROUPS = (1, 2, 8, 9)
T_OF_TWO = 4.302652729911275
"""The 97.5 % quantile of Student's t with two degrees of freedom, which three seeds have."""
FINETUNE = "{epochs: 1, batch_size: 4, clips: 1, optimizer: {name: adamw, learning_rate: {value: 0.01, at_batch: 4}}}"
STUDY = f"""
title: "Means over three splits"
base: recipe
data: ucf101/all
rows: {{random: {{pretraining: none}}, own: {{}}}}
baseline: random
seeds: [0, 1, 2]
evaluation: {{finetune: {FINETUNE}, retrieval: {{clips: 1}}}}
evaluations: [retrieval/ucf101/all, finetune/ucf101/all]
columns: ["retrieval/ucf101/all:R@1", "finetune/ucf101/all:top1"]
"""
COLUMNS = {"retrieval/ucf101/all": "R@1", "finetune/ucf101/all": "top1"}
Numbers = dict[tuple[str, str, int], dict[int, float]]
"""Row, label and seed to what each split measured."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, list[Cell], Site]:
    """Every cell computed in this process, on 24 rendered videos under the official names."""
    folder = tmp_path_factory.mktemp("splits")
    for number, stem in enumerate(ucf_videos(GROUPS)):
        square = moving_square(16, 40, 48, seed=100 * UCF_CLASSES.index(stem.split("/")[0]) + number)
        write_video(folder / f"UCF-101/{stem}.mp4", square)
    for split, test in TESTED.items():
        train = [group for group in GROUPS if group not in test]
        ucf_lists(folder / "ucfTrainTestlist", split=split, test=test, train=train)
    recipe = SMALL_RECIPE.replace("{steps: 4, batch_size: 8}", "{steps: 2, batch_size: 4}")
    planned = load_studies([write_study(folder, STUDY, recipe)], None, [])
    cells, places = unique_cells(planned[0].cells), Places.find({"ucf101": folder}, folder / "cache")
    compute(cells, folder, places)
    site = site_here(cells, results.open(folder / "store"), places)
    return build_table(report_input(planned[0], site.shelf)), planned[0].cells, site


def measured(cells: list[Cell], site: Site) -> Iterator[tuple[tuple[str, str, int], int, int | None, float, set[str]]]:
    """Row, label and seed; split of the test, and of pretraining; the number, and the test videos' groups."""
    for cell in cells:
        for one in site.shelf.find(cell).evaluations:
            folder = one.behind.folder if one.behind is not None else site.shelf.find(cell).folder
            assert folder is not None
            assert one.name is not None
            assert one.record is not None
            predictions = folder.predictions(one.name)
            assert predictions is not None
            groups = {path.rpartition("_g")[2][:2] for path in predictions["path"]}
            key = (cell.row, one.label, cell.seed)
            yield key, one.config.data.options.split, cell.fold, one.record["metrics"][COLUMNS[one.label]], groups


def by_hand(cells: list[Cell], site: Site) -> Numbers:
    found: Numbers = defaultdict(dict)
    for key, split, trained, number, groups in measured(cells, site):
        assert trained in (None, split), "a network is tested on the split that it was pretrained on"
        assert groups == {f"{group:02d}" for group in TESTED[split]}, "on the videos of that split's list"
        assert split not in found[key]
        found[key][split] = number
    return found


def test_a_seeds_number_is_the_mean_of_its_three_splits(finished: tuple[Table, list[Cell], Site]) -> None:
    table, cells, site = finished
    numbers = by_hand(cells, site)
    assert len(numbers) == 2 * 2 * 3
    assert all(sorted(splits) == [1, 2, 3] for splits in numbers.values())
    for row in table.rows:
        for label, entry in zip(COLUMNS, row.entries, strict=True):
            means = [sum(numbers[row.name, label, seed].values()) / 3 for seed in (0, 1, 2)]
            assert list(entry.sample.values) == pytest.approx(means)
            check_interval(entry.sample, means, (0.0, 100.0))
            if row.name != "random":
                base = [sum(numbers["random", label, seed].values()) / 3 for seed in (0, 1, 2)]
                assert entry.difference is not None
                check_interval(
                    entry.difference.sample, [ours - theirs for ours, theirs in zip(means, base, strict=True)]
                )
    assert table.test_videos == dict.fromkeys(COLUMNS, (24,)), "each split's, counted once"


def check_interval(sample: Sample, values: list[float], bounds: tuple[float, float] = (-100.0, 100.0)) -> None:
    """The t-interval over seeds of means over splits: of three numbers, not of nine."""
    mean = sum(values) / 3
    assert sample.mean == pytest.approx(mean)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / 2)
    if spread < 1e-9:
        assert (sample.low, sample.high) == (None, None)
        return
    half = T_OF_TWO * spread / math.sqrt(3)
    assert sample.low == pytest.approx(max(bounds[0], mean - half))
    assert sample.high == pytest.approx(min(bounds[1], mean + half))


def test_splits_differ_and_so_do_seeds(finished: tuple[Table, list[Cell], Site]) -> None:
    """What the means are of: were all splits or seeds alike, the test above would show nothing."""
    table, cells, site = finished
    assert any(len(set(splits.values())) > 1 for splits in by_hand(cells, site).values())
    assert any(entry.sample.high is not None for row in table.rows for entry in row.entries)
    own = [cell for cell in cells if cell.row == "own"]
    assert [cell.fold for cell in own[:3]] == [1, 2, 3]
    assert len(own) == 9
    assert len([cell for cell in cells if cell.row == "random"]) == 3, "tested on each split"
