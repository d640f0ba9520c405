"""Supervised pretraining as a whole: it learns the labels, ranks do not matter, and its backbone is evaluated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.data.catalog import Catalog
from raysl.data.source import VideoSource
from raysl.errors import CellFailure
from raysl.evaluation.evaluate import evaluate
from raysl.testing.ranks import run_ranks
from raysl.training.check_cell import check_cell
from raysl.training.load_backbone import load_backbone
from raysl.training.pretrain import pretrain
from raysl.training.summary import Summary
from raysl.training.try_step import try_step
from raysl.views.loader import PretrainingLoader
from tests.cells import tiny_evaluation
from tests.training.material import curves_of, final, folder_of, tiny_cell, tiny_source


def supervised(**changes: Any) -> CellConfig:
    return tiny_cell(**({"pretraining": "supervised"} | changes))


def relabelled(source: VideoSource, labels: dict[int, int | None], classes: tuple[str, ...]) -> VideoSource:
    """The same videos with other labels."""
    videos = tuple(replace(video, label=labels.get(video.index, video.label)) for video in source.catalog.videos)
    return VideoSource(Catalog(source.catalog.name, classes, videos), source.manifest, source.root, source.cache)


def loader(cell: CellConfig, source: VideoSource) -> PretrainingLoader:
    return PretrainingLoader(cell, source, view_names=("query",), rank=0, world_size=1)


def test_it_learns_the_labels_and_its_backbone_is_evaluated(source: VideoSource, tmp_path: Path) -> None:
    cell = supervised(**{"training.steps": 40, "training.batch_size": 8, "supervised.feature_norm": "l2_batch_norm"})
    folder = folder_of(tmp_path, cell, source)
    summary = pretrain(cell, folder, source)
    curves = curves_of(folder)
    assert curves["loss/supervised"].iloc[0] == pytest.approx(0.69, abs=0.1)
    assert summary.final_loss is not None
    assert curves["loss/total"].tail(4).mean() < 0.3
    assert curves["metric/accuracy"].tail(4).mean() > 0.9
    assert folder.state().status == "done"
    evaluations = [tiny_evaluation("linear", clips=1, c=1.0), tiny_evaluation("retrieval", clips=1, k=(1,))]
    results = evaluate(
        load_backbone(cell, folder),
        {one.label: one for one in evaluations},
        cell.clip,
        lambda _: source,
        seed=0,
        device=torch.device("cpu"),
    )
    assert [next(iter(result.metrics)) for result in results.values()] == ["top1", "R@1"]


def test_every_batch_has_the_labels_of_its_videos(source: VideoSource) -> None:
    for cell in (supervised(), tiny_cell()):
        for batch in loader(cell, source).epoch(0):
            labels = [source.catalog.videos[index].label for index in batch.views["query"].video.tolist()]
            assert batch.targets["label"].tolist() == labels
            assert batch.targets["label"].dtype == torch.int64
    bare = relabelled(source, dict.fromkeys(range(32)), ())
    assert next(iter(loader(tiny_cell(), bare).epoch(0))).targets == {}


def test_the_clip_is_the_same_whatever_the_pair_sampler(source: VideoSource) -> None:
    cells = [supervised(), supervised(**{"sampling.pair": {"name": "same"}}), supervised(sampling={"pair": None})]
    assert len({cell_id(cell) for cell in cells}) == 1
    batches = [next(iter(loader(cell, source).epoch(0))) for cell in cells]
    for other in batches[1:]:
        assert torch.equal(other.views["query"].clips, batches[0].views["query"].clips)
    assert set(batches[0].views) == {"query"}
    centers = torch.cat([batch.views["query"].center for batch in loader(cells[0], source).epoch(0)])
    assert len(centers.unique()) > 3


def test_unlabelled_videos_are_left_out(source: VideoSource) -> None:
    train = [video.index for video in source.catalog.split("train")]
    some = relabelled(source, {train[0]: None, train[5]: None}, source.catalog.classes)
    assert loader(supervised(), some).videos == tuple(index for index in train if index not in (train[0], train[5]))
    assert loader(tiny_cell(), some).videos == tuple(train)
    first = next(iter(loader(tiny_cell(**{"training.batch_size": 16}), some).epoch(0)))
    assert sorted(first.targets["label"].tolist())[:3] == [-1, -1, 0]


def test_a_set_without_labels_or_with_one_class_is_refused(source: VideoSource, tmp_path: Path) -> None:
    for labels, classes, said in (
        (None, (), "have no labels"),
        (1, source.catalog.classes, rf"have one class \({source.catalog.classes[1]}\)"),
    ):
        other = relabelled(source, dict.fromkeys(range(32), labels), classes)
        folder = folder_of(tmp_path / str(labels), supervised(), other)
        with pytest.raises(CellFailure, match=f"data set 'synthetic' {said}"):
            pretrain(supervised(), folder, other)
        assert folder.state().status == "failed"


def test_accumulation_is_allowed(source: VideoSource) -> None:
    cell = supervised(**{"training.accumulate": 2})
    check_cell(cell)
    assert try_step(cell, source).loss == pytest.approx(0.69, abs=0.1)


def _train_on_rank(rank: int, videos: str, storage: str) -> Summary:
    torch.set_default_dtype(torch.float32)
    cell = supervised(**{"training.steps": 3, "supervised.dropout": 0.5, "training.workers": 2})
    source = tiny_source(Path(videos))
    return pretrain(cell, folder_of(Path(storage), cell, source), source)


@pytest.mark.slow
def test_two_ranks_train_as_one_with_dropout(video_folder: Path, source: VideoSource, tmp_path: Path) -> None:
    two = run_ranks(_train_on_rank, 2, str(video_folder), str(tmp_path / "two"))
    cell = supervised(**{"training.steps": 3, "supervised.dropout": 0.5})
    alone, both = (folder_of(tmp_path / name, cell, source) for name in ("one", "two"))
    one = pretrain(cell, alone, source)
    assert two[0] == two[1]
    assert two[0].final_loss == pytest.approx(one.final_loss, rel=1e-3)
    name = "terms.supervised.classifier.linear.weight"
    torch.testing.assert_close(final(both, cell).model[name], final(alone, cell).model[name], rtol=1e-2, atol=1e-4)
