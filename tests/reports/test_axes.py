"""The numbers that a curve can be drawn over."""

from __future__ import annotations

from raysl.planning.differences import Change, Differences
from raysl.reports import Column
from raysl.reports.axes import Place, column_axes, row_axes

T, BANK = "objective.contrastive.temperature", "objective.contrastive.bank"


def change(key: str, after: object, before: object = 0.1) -> Change:
    return Change(key, str(before), str(after))


def test_rows_that_differ_in_one_number_are_a_curve_through_the_baseline() -> None:
    rows = {
        "random": (Change("pretraining", "self_supervised", "none"),),
        "base": (),
        "low": (change(T, 0.05),),
        "high": (change(T, 0.5),),
        "other": (change("augment.flip", 0.0, 0.5),),
    }
    (axis,) = row_axes(Differences("base", rows))
    assert axis.name == "contrastive.temperature"
    assert axis.rows == {"base": Place("", 0.1), "low": Place("", 0.05), "high": Place("", 0.5)}


def test_rows_that_differ_elsewhere_too_are_a_curve_of_their_own() -> None:
    rows = {
        "base": (),
        "b": (change(T, 0.5),),
        "c": (change(BANK, 64, 16),),
        "d": (change(T, 0.5), change(BANK, 64, 16)),
    }
    temperature, bank = row_axes(Differences("base", rows))
    assert temperature.rows == {
        "base": Place("bank 16", 0.1),
        "b": Place("bank 16", 0.5),
        "c": Place("bank 64", 0.1),
        "d": Place("bank 64", 0.5),
    }
    assert bank.rows["d"] == Place("temperature 0.5", 64.0)


def test_two_points_and_words_are_no_curve() -> None:
    assert row_axes(Differences("base", {"base": (), "b": (change(T, 0.5),)})) == ()
    words = {"base": (), "b": (change("augment.name", "cvrl", "none"),), "c": (change("augment.name", "tclr", "none"),)}
    assert row_axes(Differences("base", words)) == ()
    assert row_axes(None) == ()


def test_evaluations_that_differ_in_one_number_and_metrics_at_numbers_are_curves() -> None:
    columns = [Column(f"retrieval_{clips}/ucf101", f"R@{k}") for clips in (1, 2, 4) for k in (1, 5, 10)]
    options = {
        f"retrieval_{clips}/ucf101": {"protocol": "retrieval", "data": "ucf101", "clips": str(clips)}
        for clips in (1, 2, 4)
    }
    axes = column_axes(columns, options)
    assert [(axis.title, axis.name) for axis in axes[:3]] == [
        (f"retrieval/ucf101 R@{k}", "clips (clips of a video)") for k in (1, 5, 10)
    ]
    assert list(axes[0].columns.values()) == [1.0, 2.0, 4.0]
    assert [axis.title for axis in axes[3:]] == [f"retrieval_{clips}/ucf101 R@" for clips in (1, 2, 4)]
    assert list(axes[3].columns.values()) == [1.0, 5.0, 10.0]
