"""One cell in this process, without Ray: what is stored, and that nothing is computed twice."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from raysl import results
from raysl.commands.run import check_roots
from raysl.config.cells import Cell
from raysl.data.places import Places
from raysl.errors import ConfigError, NodeFault
from raysl.results import Store
from raysl.testing.ranks import run_ranks
from raysl.training.progress import Progress
from raysl.views.batch import Batch
from raysl.work.compute import compute_cell, evaluate_cell, pretrain_cell, workers_of
from raysl.work.run_cells import reopen
from raysl.work.site import Site
from tests.models.narrow_weights import NARROW, save_narrow_weights
from tests.planning.studies import write_study
from tests.work.plans import plan, plan_file, site_here

pytestmark = pytest.mark.slow

FINE_TUNING = """
title: "Fine-tuning"
base: recipe
training: {{steps: 2, batch_size: 8, workers: {workers}}}
rows:
  random: {{pretraining: none}}
  supervised: {{pretraining: supervised, supervised.dropout: 0.5}}
seeds: [0]
evaluations: [{evaluations}]
evaluation:
  finetune:
    epochs: 2
    batch_size: 8
    clips: 2
    optimizer: {{name: adamw, learning_rate: {{value: 1e-3, at_batch: 8}}}}
"""


def fine_tuned(folder: Path, evaluations: str, workers: int = 1) -> list[Cell]:
    text = FINE_TUNING.format(evaluations=evaluations, workers=workers)
    if "finetune" not in evaluations:
        text = text[: text.index("evaluation:\n")]
    return plan_file(write_study(folder, text, name="tiny"))


def labels(site: Site, cell: Cell) -> dict[str, str]:
    return {one.label: one.status for one in site.shelf.find(cell).evaluations if one.status != "missing"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return results.open(tmp_path / "store")


def test_a_cell_is_computed_once_and_a_failed_evaluation_leaves_the_others(
    tmp_path: Path, store: Store, places: Places
) -> None:
    evaluations = "retrieval/synthetic, tests.work.failing_protocol/synthetic, linear/synthetic"
    (cell,) = plan(tmp_path, {"plain": "{training.steps: 2}"}, evaluations)
    site = site_here([cell], store, places)
    assert (site.shelf.find(cell).verdict, site.shelf.find(cell).state.status) == ("missing", "missing")

    cell, site = pickle.loads(pickle.dumps((cell, site)))
    steps: list[int] = []
    assert pretrain_cell(cell, site, lambda progress: steps.append(progress.step)) is None
    assert steps == [2]
    assert "this protocol always fails" in (evaluate_cell(cell, site) or "")

    found = site.shelf.find(cell)
    assert found.verdict == "failed"
    assert "this protocol always fails" in found.reason
    assert labels(site, cell) == {
        "retrieval/synthetic": "done",
        "tests.work.failing_protocol/synthetic": "failed",
        "linear/synthetic": "done",
    }
    predictions = site.folder(cell).predictions(str(found.evaluations[0].name))
    assert predictions is not None
    assert len(predictions) == 8

    assert pretrain_cell(cell, site) is None
    assert len(site.folder(cell).attempts()) == 1
    reopen(found)
    assert [one.label for one in site.shelf.find(cell).missing] == ["tests.work.failing_protocol/synthetic"]


def test_what_the_configuration_asks_and_the_data_cannot_give_is_the_cells_result(
    tmp_path: Path, store: Store, places: Places
) -> None:
    (cell,) = plan(tmp_path, {"too large": "{training.batch_size: 512}"})
    site = site_here([cell], store, places)
    reason = pretrain_cell(cell, site)
    assert reason is not None
    assert "512" in reason
    found = site.shelf.find(cell)
    assert (found.verdict, found.reason) == ("failed", reason)
    reopen(found)
    assert site.shelf.find(cell).verdict == "missing"


def test_rows_that_ask_one_label_with_different_options_get_both(tmp_path: Path, store: Store, places: Places) -> None:
    rows = {"a": "{pretraining: none}", "b": "{pretraining: none, evaluation.retrieval.clips: 1}"}
    (cell,) = plan(tmp_path, rows)
    assert len(cell.evaluations) == 2
    site = site_here([cell], store, places)
    assert compute_cell(cell, site, lambda stage, progress: None) is None
    assert {record["label"] for record in site.folder(cell).evaluations().values()} == {"retrieval/synthetic"}
    assert site.shelf.find(cell).verdict == "done"


def test_weights_to_inflate_are_found_among_the_roots_and_refused_before_anything_starts(
    tmp_path: Path, store: Store, places: Places
) -> None:
    (cell,) = plan(tmp_path, {"inflated": json.dumps({"pretraining": "none", "backbone": NARROW})})
    with pytest.raises(ConfigError, match="--root narrow=FILE"):
        check_roots([cell], store, places)
    bound = replace(places, roots={**places.roots, "narrow": save_narrow_weights(tmp_path)})
    check_roots([cell], store, bound)
    assert compute_cell(cell, site_here([cell], store, bound), lambda stage, progress: None) is None
    check_roots([cell], store, places)  # the cell is done: nobody needs the file any more


def test_weights_that_are_missing_on_this_machine_are_no_result(tmp_path: Path, store: Store, places: Places) -> None:
    (cell,) = plan(tmp_path, {"inflated": json.dumps({"pretraining": "none", "backbone": NARROW})})
    absent = replace(places, roots={"narrow": tmp_path / "narrow.pth"})
    for given, unfit in ((places, frozenset[int]()), (absent, {0})):
        site = site_here([cell], store, given)
        with pytest.raises(NodeFault, match="--root narrow=FILE") as found:
            pretrain_cell(cell, site)
        assert found.value.unfit == unfit, "another node may have a file, where one is bound"
        here = site.shelf.find(cell)
        assert (here.verdict, here.state.status) == ("missing", "missing")
        assert "--root narrow=FILE" in here.reason


def test_a_root_that_is_gone_is_noted_without_its_path_and_forgotten_when_it_is_back(
    tmp_path: Path, store: Store, places: Places
) -> None:
    own = Places({}, tmp_path / "cache", cache_gigabytes=0)
    (cell,) = plan(tmp_path, {"plain": "{training.steps: 2}"})
    site = site_here([cell], store, own)
    videos = tmp_path / "cache" / "data" / "synthetic"
    wrong = replace(site, places=replace(own, roots={"synthetic": tmp_path / "nowhere"}))
    (tmp_path / "nowhere").write_text("a file where a folder must be")
    with pytest.raises(NodeFault):
        pretrain_cell(cell, wrong)
    found = site.shelf.find(cell)
    assert found.verdict == "missing"
    assert found.reason
    assert str(tmp_path) not in found.reason
    assert videos.exists()
    assert compute_cell(cell, site, lambda stage, progress: None) is None
    assert site.folder(cell).faults() == {}


def _note(seen: list[tuple[str, int]], stage: str, progress: Progress | None) -> None:
    if progress is not None:
        seen.append((stage, progress.step))


def test_a_fine_tuning_is_a_cell_of_its_own(tmp_path: Path, store: Store, places: Places) -> None:
    cells = fine_tuned(tmp_path, "finetune/synthetic, retrieval/synthetic")
    random, supervised, *behind = cells
    assert [(cell.title, cell.stage) for cell in behind] == [
        (f"tiny/{row}/seed0/finetune/synthetic", "fine-tuning") for row in ("random", "supervised")
    ]
    assert [cell.start.key for cell in behind if cell.start is not None] == [random.key, supervised.key]
    site = site_here(cells, store, places)
    for row, tuned in zip((random, supervised), behind, strict=True):
        with pytest.raises(NodeFault, match="which it starts from, is missing"):
            pretrain_cell(tuned, site)
        assert compute_cell(row, site, lambda stage, progress: None) is None
        assert labels(site, row) == {"retrieval/synthetic": "done"}
        assert (site.shelf.find(row).own, site.shelf.find(row).verdict) == ("done", "missing")
        seen = list[tuple[str, int]]()
        assert compute_cell(tuned, site, partial(_note, seen)) is None
        assert seen == [("fine-tuning", 2), ("fine-tuning", 4)]
        assert labels(site, row) == {"retrieval/synthetic": "done", "finetune/synthetic": "done"}
        (one,) = [one for one in site.shelf.find(row).evaluations if one.behind is not None]
        assert one.behind is not None
        assert one.behind.folder == site.folder(tuned)
        assert one.record is not None
        predictions = site.folder(tuned).predictions(str(one.name))
        assert predictions is not None
        assert len(predictions) == 8
        curves = site.folder(tuned).curves()
        assert curves is not None
        assert len(curves) == 4


def test_what_starts_from_damaged_weights_has_these_computed_anew(tmp_path: Path, store: Store, places: Places) -> None:
    _, supervised, _, tuned = cells = fine_tuned(tmp_path, "finetune/synthetic")
    site = site_here(cells, store, places)
    assert pretrain_cell(supervised, site) is None
    folder = site.folder(supervised)
    (path,) = [path for path in folder.place.sizes("attempts") if path.endswith(".checkpoint")][-1:]
    data = folder.place.read(path)
    assert data is not None
    folder.place.write(path, bytes(len(data)))
    with pytest.raises(NodeFault, match=r"damaged; its done\.json was taken back"):
        pretrain_cell(tuned, site)
    assert site.shelf.find(supervised).to_train
    assert pretrain_cell(supervised, site) is None
    assert compute_cell(tuned, site, lambda stage, progress: None) is None
    assert labels(site, supervised) == {"finetune/synthetic": "done"}


def test_who_needs_the_workers(tmp_path: Path, store: Store, places: Places) -> None:
    cells = fine_tuned(tmp_path / "both", "finetune/synthetic, retrieval/synthetic", workers=2)
    site = site_here(cells, store, places)
    assert [workers_of(site.shelf.find(cell)) for cell in cells] == [1, 2, 2, 2]
    random = cells[0]
    assert pretrain_cell(random, site) is None
    # What is left needs no workers; what is done is not asked for again.
    rest = site.shelf.find(random)
    assert workers_of(rest) == 1
    assert [one.label for one in rest.to_compute] == ["retrieval/synthetic"]


def _one_rank_fails(rank: int, cell: Cell, site: Site, error: str) -> str:
    """Rank 1 raises in the middle of a step; what each rank raises in the end."""
    from raysl.training.learner import Learner

    if rank == 1:
        take = Learner.take

        def failing(self: Learner, batches: Sequence[Batch], done: int, *, metrics: bool = True) -> None:
            if done == 1:
                raise {"memory": MemoryError("no memory left"), "bug": ZeroDivisionError("odd")}[error]
            take(self, batches, done, metrics=metrics)

        Learner.take = failing  # type: ignore[assignment, method-assign]
    try:
        pretrain_cell(cell, site)
    except NodeFault as fault:
        return f"{fault} / {fault.may_pass}"
    return "nothing was raised"


@pytest.mark.parametrize("error", ["memory", "bug"])
def test_an_exception_on_one_rank_ends_the_others_and_is_kept(
    error: str, tmp_path: Path, store: Store, places: Places
) -> None:
    """The others would wait in a collective until the group's timeout, which fails the test."""
    (cell,) = plan(tmp_path, {"plain": "{training.steps: 4}"})
    site = site_here([cell], store, places)
    first, second = run_ranks(_one_rank_fails, 2, cell, site, error, finish_together=False)
    assert second == {"memory": "MemoryError: no memory left / True", "bug": "ZeroDivisionError: odd / False"}[error]
    assert first != "nothing was raised"
    found = site.shelf.find(cell)
    assert found.verdict == "missing"
    assert found.state.reason == second.partition(" / ")[0], "the cause, not what it led to on the other rank"
    faults = [path for path in site.folder(cell).place.sizes("faults") if path.endswith("1.json")]
    assert b"in failing" in (site.folder(cell).place.read(faults[0]) or b"")
