"""Small inputs of reports, written out by hand."""

from __future__ import annotations

from dataclasses import replace

from raysl.planning.differences import AppliedChanges, Change, Differences
from raysl.reports import CellResult, Column, EvaluationRecord, ReferenceLine, ReportInput, RowInput

LINEAR, RETRIEVAL = Column("linear/ucf", "top1"), Column("retrieval/ucf", "R@5")


def answers(right: int, of: int = 10) -> dict[str, bool]:
    """The first ``right`` of the videos are answered correctly."""
    return {f"v{video:03d}": video < right for video in range(of)}


def linear(right: int, of: int = 10, name: str = "e1", left_out: dict[str, int] | None = None) -> EvaluationRecord:
    return EvaluationRecord(name, "top1", {"top1": 100 * right / of}, answers(right, of), left_out or {})


def retrieval(right: int, recall5: float, of: int = 10) -> EvaluationRecord:
    return EvaluationRecord("e2", "R@1", {"R@1": 100 * right / of, "R@5": recall5}, answers(right, of))


def done(seed: int, cell: str, right: int, recall5: float, unreadable: int = 0) -> CellResult:
    known = {f"v{video:03d}": f"recording {video % 7}" for video in range(10)}
    evaluations = {"linear/ucf": replace(linear(right), recordings=known), "retrieval/ucf": retrieval(right, recall5)}
    commit = "0123456789abcdef"
    return CellResult(seed, cell, "done", "", evaluations, unreadable, 3.25 + seed, 40.0, commit, seed == 2)


def example() -> ReportInput:
    """Four rows: complete, partly failed and missing, empty, and one that shares the baseline's cells."""
    simclr = tuple(done(seed, f"b{seed}-d", 5 + seed, 60.0 + seed) for seed in range(3))
    random = tuple(done(seed, f"a{seed}-none", 2 + seed % 2, 30.0 + 2 * seed) for seed in range(3))
    strong = (
        done(0, "c0-d", 9, 70.0, unreadable=2),
        CellResult(1, "c1-d", "failed", "the loss is NaN at step 12"),
        CellResult(
            2, "c2-d", "done", "", {"linear/ucf": linear(8), "retrieval/ucf": None}, 2, 5.0, 41.0, "feed", False
        ),
    )
    absent = tuple(CellResult(seed, "", "missing") for seed in range(3))
    return ReportInput(
        title="What the augmentation adds",
        rows=(
            RowInput("random", random),
            RowInput("SimCLR", simclr),
            RowInput("strong | wide", strong),
            RowInput("absent", absent),
            RowInput("again", simclr),
        ),
        columns=(LINEAR, RETRIEVAL),
        baseline="SimCLR",
        scale="laptop",
        references=(ReferenceLine("motion baseline", {LINEAR.key: 77.2}, "frame-difference maps, no learning"),),
        footnotes=("Rendered videos.",),
        store_link="store",
        differences=Differences(
            "SimCLR",
            {
                "random": (Change("pretraining", "self_supervised", "none"),),
                "SimCLR": (),
                "strong | wide": (Change("augment.jitter", "0.0", "0.8"), Change("backbone.width", "0.5", "1.0")),
                "absent": (Change("objective.pretext.speed", "off", "on (rates [1, 2])"),),
                "again": (),
            },
            AppliedChanges(
                own=(Change("clip.stride", "12", "4"),),
                inherited=(Change("training.epochs", "200", "20"),),
                overrides=("training.workers=2",),
            ),
        ),
    )
