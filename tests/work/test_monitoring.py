"""Who is looked at while pretrained, and where a collapse is said: as a note, in status and in the report."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from raysl import results
from raysl.commands.inputs import load_studies
from raysl.commands.status import print_status
from raysl.commands.terminal import PlainConsole
from raysl.data.places import Places
from raysl.evaluation.monitor import monitor_of
from raysl.notes import heard
from raysl.planning.plan_study import plan_study
from raysl.planning.study import load_study
from raysl.reports import build_table
from raysl.reports.collect import collect
from raysl.training.monitor import is_monitored
from raysl.training.monitored import PREFIX
from raysl.training.progress import Progress
from raysl.work.compute import pretrain_cell
from tests.cells import tiny_cell
from tests.planning.studies import SMALL_RECIPE, write_study
from tests.training.material import tiny_source
from tests.work.plans import site_here

STUDY = """
title: "One row collapses"
base: recipe
training: {steps: 50, batch_size: 8, epochs: null}
optimizer.learning_rate.value: 0.01
rows:
  healthy: {}
  watched by nobody: {training.monitor.points: 0, objective.contrastive.temperature: 0.2}
  collapsing: {objective.contrastive: {framework: tests.training.attraction}}
seeds: [0]
evaluations: [retrieval/synthetic]
"""


@pytest.mark.parametrize(
    ("change", "looks"),
    [
        ({}, True),
        ({"training.monitor.points": 0}, False),
        ({"pretraining": "supervised"}, False),
        ({"pretraining": "none"}, False),
        ({"train": "head"}, False),
    ],
)
def test_what_is_pretrained_without_labels_is_looked_at(change: dict[str, object], looks: bool) -> None:
    assert is_monitored(tiny_cell(change)) == looks


def test_that_nobody_votes_is_said(tmp_path: Path) -> None:
    source = tiny_source(tmp_path)
    one_class = [video for video in source.catalog.videos if video.label == 0]
    object.__setattr__(source.catalog, "videos", tuple(one_class))
    notes: list[str] = []
    with heard(notes.append):
        assert monitor_of(tiny_cell(), source, "study/plain") is not None
    assert notes == [
        "study/plain: the training set synthetic has no labels of several classes: no kNN vote while it trains"
    ]


@pytest.mark.slow
def test_a_look_that_fails_is_said_and_fails_nothing(tmp_path: Path) -> None:
    source = tiny_source(tmp_path, cached=False)
    cell = tiny_cell({"training.monitor.videos": 2})
    monitor = monitor_of(cell, source, "study/plain")
    assert monitor is not None
    (source.root / source.readable("train")[0].path).write_bytes(b"not a video")
    notes: list[str] = []
    with heard(notes.append):
        assert monitor.measure(cell.backbone.build()) == {}
    assert len(notes) == 1
    assert notes[0].startswith("study/plain: a measurement of the representation is left out: synthetic: ")


@pytest.mark.slow
def test_a_collapse_is_said_while_it_trains_in_status_and_in_the_report(tmp_path: Path, places: Places) -> None:
    path = write_study(tmp_path, STUDY, SMALL_RECIPE, name="tiny")
    cells = plan_study(load_study(path))
    site = site_here(cells, results.open(tmp_path / "store"), places)
    notes: list[str] = []
    told: list[Progress] = []
    for cell in cells:
        with heard(notes.append):
            assert pretrain_cell(cell, site, told.append) is None
    (note,) = notes
    assert note.startswith("tiny/collapsing/seed0: the representation has collapsed by step ")
    assert told[-1].line().endswith(", COLLAPSED")
    looked = {cell.row: site.folder(cell).curves() for cell in cells}
    for row, curves in looked.items():
        assert curves is not None
        assert any(str(name).startswith(PREFIX) for name in curves) == (row != "watched by nobody")

    out = io.StringIO()
    print_status(load_studies([path], None, []), site.shelf, PlainConsole(file=out, width=400))
    said = [line for line in out.getvalue().splitlines() if "collapsed by step 50: spread of embeddings" in line]
    assert len(said) == 1
    assert "collapsing" in said[0]
    table = build_table(collect(site.shelf, cells, title="t"))
    (footnote,) = [text for _, text in table.footnotes if "representation" in text]
    assert footnote.startswith("collapsing, seed 0: the representation had collapsed by step 50: spread of embeddings")
    assert [bool(row.marks) for row in table.rows] == [False, False, True]
