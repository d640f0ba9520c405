"""Where a search's own base lies on its axes: its first trial, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.identity import cell_id
from raysl.planning.axes import Point
from raysl.planning.base_point import base_point
from raysl.planning.search import Search
from raysl.planning.study import find_studies, load_study
from tests.planning.studies import SEARCH, write_study

CONTRASTIVE = "objective.contrastive"
SHIPPED = Path(__file__).resolve().parents[2] / "search_spaces" / "search"


def searched(folder: Path, axes: str, base: str = "") -> Search:
    start, rest = SEARCH.partition("axes:\n")[::2]
    search = load_study(write_study(folder, f"{start}{base}axes:\n{axes}search:{rest.partition('search:')[2]}")).search
    assert search is not None
    return search


SIMCLR = f"  {CONTRASTIVE}.framework: {{choice: [moco, simclr]}}\n"
MOCO = f"{CONTRASTIVE}.framework: moco\n{CONTRASTIVE}.queue_size: 32\n"
QUEUE = f"  {CONTRASTIVE}.queue_size: {{choice: [16, 32], when: {{{CONTRASTIVE}.framework: moco}}}}\n"
TASKS = "  objective.pretext: {subsets: {reverse: {}, speed: {rates: [1, 2]}}}\n"


@pytest.mark.parametrize(
    ("axes", "base", "point"),
    [
        (SIMCLR + QUEUE, "", {f"{CONTRASTIVE}.framework": "simclr"}),
        (SIMCLR + QUEUE, MOCO, {f"{CONTRASTIVE}.framework": "moco", f"{CONTRASTIVE}.queue_size": "32"}),
        (TASKS, "", {"objective.pretext.reverse": False, "objective.pretext.speed": False}),
        (
            TASKS,
            "objective.pretext: {speed: {rates: [1, 2]}}\n",
            {"objective.pretext.reverse": False, "objective.pretext.speed": True},
        ),
        (  # a task that is on no axis stays
            TASKS,
            "objective.pretext: {rotation: {}}\n",
            {"objective.pretext.reverse": False, "objective.pretext.speed": False},
        ),
        ("  training.batch_size: {integers: [2, 8]}\n", "training.batch_size: 4\n", {"training.batch_size": 4}),
        (
            f"  {CONTRASTIVE}.temperature: {{uniform: [0.05, 1.0]}}\n",
            f"{CONTRASTIVE}.temperature: 0.25\n",
            {f"{CONTRASTIVE}.temperature": 0.25},
        ),
        (
            f"  {CONTRASTIVE}: {{choice: {{hot: {{temperature: 0.5}}, cold: {{temperature: 0.25}}}}}}\n",
            f"{CONTRASTIVE}.temperature: 0.25\n",
            {CONTRASTIVE: "cold"},
        ),
    ],
)
def test_it_is_the_point_with_the_bases_own_configuration(tmp_path: Path, axes: str, base: str, point: Point) -> None:
    search = searched(tmp_path, axes, base)
    assert base_point(search) == point
    assert cell_id(search.trial(point)) == cell_id(search.trial({}))


@pytest.mark.parametrize(
    ("axes", "base"),
    [
        (f"  {CONTRASTIVE}.framework: {{choice: [moco, byol]}}\n", ""),
        (SIMCLR + QUEUE, MOCO.replace("32", "64")),
        (f"  {CONTRASTIVE}.temperature: {{uniform: [0.05, 0.2]}}\n", f"{CONTRASTIVE}.temperature: 0.25\n"),
        (f"  {CONTRASTIVE}.temperature: {{uniform: [0.05, 0.5]}}\n", f"{CONTRASTIVE}.temperature: 0.12345\n"),
        (TASKS, "objective.pretext: {speed: {rates: [1, 2, 4]}}\n"),
    ],
    ids=["framework", "queue", "out of bounds", "more digits than points have", "rates"],
)
def test_none_where_no_point_of_the_axes_is_the_base(tmp_path: Path, axes: str, base: str) -> None:
    assert base_point(searched(tmp_path, axes, base)) is None


@pytest.mark.parametrize("scale", [None, "smoke", "laptop"])
@pytest.mark.parametrize("path", find_studies([SHIPPED]), ids=lambda path: path.stem)
def test_the_shipped_searches_begin_with_their_base(path: Path, scale: str | None) -> None:
    search = load_study(path, scale).search
    assert search is not None
    assert base_point(search) is not None
