"""Means over folds: of values, of answers, and of what is not there."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from raysl.reports import CellResult, EvaluationRecord, ReportInput, RowInput, build_table, render_markdown
from raysl.reports.over_videos import sign_flip_test
from raysl.reports.pooled import pooled_cell, pooled_record
from tests.reports.examples import LINEAR


def record(fold: int, right: list[bool], name: str = "", **left_out: int) -> EvaluationRecord:
    """Of the videos of one fold."""
    top1 = 100 * sum(right) / len(right)
    answers = {f"f{fold}/{number}": answer for number, answer in enumerate(right)}
    said = {what.replace("_", " "): count for what, count in left_out.items()}
    return EvaluationRecord(name or f"e{fold}", "top1", {"top1": top1, f"only {fold}": 1.0}, answers, said)


def part(
    fold: int, found: EvaluationRecord | None, status: str = "done", reason: str = "", seed: int = 0
) -> CellResult:
    return CellResult(seed, f"c{fold}", status, reason, {LINEAR.evaluation: found}, fold, 2.0, 9.0, "abc", fold=fold)


def test_values_are_the_mean_over_folds_and_each_video_counts_once() -> None:
    pooled = pooled_cell([part(1, record(1, [True, True, True, False])), part(2, record(2, [False, True]))])
    (found,) = pooled.evaluations.values()
    assert found is not None
    assert found.metrics == {"top1": pytest.approx(62.5)}, "metrics that all folds have"
    assert (found.n_test, found.headline) == (6, "top1")
    assert found.correct == {"f1/0": True, "f1/1": True, "f1/2": True, "f1/3": False, "f2/0": False, "f2/1": True}
    assert (pooled.cell, pooled.status, pooled.reason, pooled.fold) == ("c1 c2", "done", "", None)
    assert (pooled.minutes, pooled.clips_per_second, pooled.unreadable) == (4.0, None, 2)
    assert [one.fold for one in pooled.parts] == [1, 2]


def test_several_backbones_share_a_video() -> None:
    """Another set without folds is evaluated on every part's backbone."""
    first, second = record(0, [True, True, False]), record(0, [True, False, False])
    found = pooled_record({"fold 1": first, "fold 2": second})
    assert found is not None
    assert found.correct == {"f0/0": 1, "f0/1": Fraction(1, 2), "f0/2": 0}
    assert found.metrics["top1"] == pytest.approx(50)


def test_what_was_left_out_of_tests_adds_up_and_of_training_does_not() -> None:
    """Of three folds, each video is in the training sets of two; a fold that two backbones share counts once."""
    folds = [record(fold, [True], unreadable_test=fold, unreadable_train=4 - fold) for fold in (1, 2)]
    found = pooled_record({"a": folds[0], "b": folds[1], "c": folds[0]})
    assert found is not None
    assert found.left_out == {"unreadable test": 3, "unreadable train": 3}


def test_one_part_is_itself() -> None:
    alone = part(3, record(3, [True]))
    assert pooled_cell([alone]) is alone
    assert pooled_record({"fold 3": None}) is None


def test_a_mean_lacks_what_a_part_lacks() -> None:
    failed = EvaluationRecord("e2", failure="too few videos")
    pooled = pooled_cell([part(1, record(1, [True])), part(2, failed), part(3, failed)])
    (found,) = pooled.evaluations.values()
    assert found is not None
    assert found.failure == "fold 2: too few videos; fold 3: too few videos"
    assert pooled_cell([part(1, record(1, [True])), part(2, None)]).evaluations == {LINEAR.evaluation: None}


@pytest.mark.parametrize(
    ("statuses", "status", "reason"),
    [
        (("done", "failed", "missing"), "failed", "fold 2 of 3: NaN"),
        (("done", "running", "missing"), "missing", "fold 3 of 3: NaN"),
        (("running", "done", "interrupted"), "interrupted", "fold 3 of 3: NaN"),
    ],
)
def test_a_mean_is_as_far_as_its_worst_part(statuses: tuple[str, ...], status: str, reason: str) -> None:
    parts = [part(fold, None, state, "" if state == "done" else "NaN") for fold, state in enumerate(statuses, 1)]
    pooled = pooled_cell(parts)
    assert (pooled.status, pooled.reason) == (status, reason)


def test_a_table_on_folds() -> None:
    """Random weights are one cell with three folds' evaluations, and are paired with the means of three cells."""
    right = {1: [True, False], 2: [True, True], 3: [True, False]}
    worse = {1: [False, False], 2: [True, False], 3: [False, False]}
    random = CellResult(
        0, "r", "done", "", {LINEAR.evaluation: pooled_record({f"fold {f}": record(f, worse[f]) for f in worse})}
    )
    ours = pooled_cell([part(fold, record(fold, right[fold], name="x")) for fold in right])
    table = build_table(
        ReportInput("t", (RowInput("random", (random,)), RowInput("ours", (ours,))), (LINEAR,), "random")
    )
    entry = table.rows[1].entries[0]
    assert entry.sample.values == pytest.approx((200 / 3,))
    assert entry.difference is not None
    assert entry.difference.videos is not None
    assert entry.difference.videos.p == pytest.approx(2 * 0.5**3), "three videos, all won"
    assert table.test_videos == {LINEAR.evaluation: (6,)}
    text = render_markdown(table)
    assert "On folds the value at a seed is the mean over the folds" in text
    for fold in right:
        assert f"| ours | 0, fold {fold} | c{fold} |" in " ".join(text.split())


def test_shares_of_answers_are_tested_as_whole_numbers_are() -> None:
    whole = [replace(record(0, [True, True, False, True]), name=f"a{seed}") for seed in range(2)]
    half = pooled_record({"1": record(0, [True, False, False, False]), "2": record(0, [False] * 4)})
    assert half is not None
    rows = [
        RowInput(
            name,
            tuple(
                CellResult(seed, f"{name}{seed}", "done", "", {LINEAR.evaluation: one})
                for seed, one in enumerate(records)
            ),
        )
        for name, records in (("base", [half, half]), ("ours", whole))
    ]
    (entry,) = build_table(ReportInput("t", tuple(rows), (LINEAR,), "base")).rows[1].entries
    assert entry.difference is not None
    # Over two seeds the shares differ by 1, 2, 0 and 2 answers.
    assert entry.difference.videos is not None
    assert entry.difference.videos.p == pytest.approx(sign_flip_test(np.array([1, 2, 0, 2])))
