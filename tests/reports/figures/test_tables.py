"""What each figure shows, by its data."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raysl.reports import Column, EvaluationRecord, ReportInput, RowInput
from raysl.reports.draw import draw
from raysl.reports.figure import FigureInput, find_figures
from raysl.reports.figures.confused_pairs import confusion_rates, most_confused
from raysl.reports.figures.parallel_coordinates import positions
from raysl.reports.table import build_table
from raysl.reports.write_figures import as_csv
from tests.reports.figures.inputs import everything, holes, named, record, searched
from tests.reports.test_ordering import TOP1, report, row

GOLDEN = Path(__file__).parent / "golden"
TABLES = {name: figure.table for name, figure in find_figures().items()}


def test_the_data_of_intervals_are_golden() -> None:
    """Delete the file, run this and read the new one."""
    text = as_csv(TABLES["intervals"](holes()))
    golden = GOLDEN / "intervals.csv"
    if not golden.exists():
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(text)
    assert text == golden.read_bytes()


def test_intervals_have_seeds_holes_and_no_interval_of_equal_values() -> None:
    data = TABLES["intervals"](holes())
    own = data[data["row"] == "strong | wide"]
    assert own["kind"].tolist()[:3] == ["mean", "seed", "seed"]
    assert own["note"].dropna().tolist()[-1].startswith("seed")
    equal = TABLES["intervals"](named("a", values=(50.0, 50.0, 50.0)))
    mean = equal[equal["kind"] == "baseline"].iloc[0]
    assert (mean["value"], mean["note"]) == (50, "3 equal values")
    assert mean[["low", "high"]].isna().all()


def test_differences_are_sorted_and_say_what_is_decided() -> None:
    rows = (row("r0", 10, 11, 12), row("r1", 30.1, 31.2, 31.9), row("r2", 35, 9, 20), row("r3", 10, 11, 12))
    source = replace(report(*rows), baseline="r0")
    data = TABLES["differences"](replace(everything(), table=build_table(source)))
    means = data[data["kind"] == "mean"]
    assert means["row"].tolist() == ["r1", "r2", "r3"]
    assert means["verdict"].tolist() == ["decided", "not decided", "not decided"]
    assert means["p_holm"].iloc[0] < 0.05 < means["p_holm"].iloc[1]
    few = TABLES["differences"](named("a", "b", values=(10.0, 20.0)))
    assert few[few["kind"] == "mean"]["verdict"].tolist() == ["not tested"]


def test_a_grid_is_a_field_a_row_with_its_holes() -> None:
    data = TABLES["heat_map"](everything())
    assert list(zip(data["y"], data["x"], strict=True)) == [
        ("width 0", "layers 0"),
        ("width 1", "layers 0"),
        ("width 0", "layers 1"),
        ("width 1", "layers 1"),
    ]
    assert data["value"].tolist() == pytest.approx([11, 31.033333, 31.033333, 21.1])
    empty = TABLES["heat_map"](holes())
    assert empty[empty["row"] == "failed"]["value"].isna().all()
    assert "the loss is NaN" in empty[empty["row"] == "failed"]["note"].iloc[0]


def test_a_curve_is_a_series_over_its_numbers() -> None:
    data = TABLES["axis_curves"](everything())
    means = data[data["kind"] == "mean"]
    assert means[["series", "x"]].values.tolist() == [["width 0", 1], ["width 0", 2], ["width 1", 1], ["width 1", 2]]
    assert set(data["unit"]) == {"%"}


def test_training_curves_are_means_over_seeds_and_have_gaps_where_a_loss_was_none() -> None:
    source = everything()
    curves = source.curves.copy()
    bad = (curves["name"] == "loss/total") & (curves["row"] == "r0") & (curves["step"] == 3) & (curves["seed"] == 1)
    curves.loc[bad, "value"] = float("nan")
    data = TABLES["training_curves"](replace(source, curves=curves))
    assert list(dict.fromkeys(data["panel"])) == [
        "loss, total",
        "loss, contrastive",
        "weight penalty",
        "entropy, contrastive",
        "learning rate",
        "accuracy, speed",
    ]
    speed = data[(data["panel"] == "accuracy, speed") & (data["row"] == "r0") & (data["step"] == 2)]
    assert speed[["kind", "seeds", "value", "low", "high"]].values.tolist() == [
        ["majority", 3, 50.0, 50.0, 50.0],
        ["row", 3, pytest.approx(71), pytest.approx(70), pytest.approx(72)],
    ]
    entropy = data[data["panel"] == "entropy, contrastive"]
    assert set(entropy["unit"]) == {"nats"}
    assert entropy["value"].max() == 2, "no share, and not in percent"
    total = data[(data["panel"] == "loss, total") & (data["row"] == "r0")]
    assert total["value"].isna().tolist() == [False, False, True, False]


def test_what_evaluations_train_is_drawn_with_what_they_measured() -> None:
    data = TABLES["downstream_curves"](everything())
    assert set(data["panel"]) == {TOP1.evaluation}
    own = data[data["row"] == "r0"]
    assert own["kind"].tolist() == ["training"] * 4 + ["test"]
    assert own["value"].tolist() == pytest.approx([61, 71, 81, 91, 11])
    assert own["step"].tolist() == [1, 2, 3, 4, 4]
    assert not len(TABLES["downstream_curves"](holes()))


def test_what_was_seen_of_features_is_drawn_where_somebody_looked() -> None:
    source = everything()
    looked = source.curves[source.curves["name"] == "loss/total"]
    values = {"monitor/knn_accuracy": 0.25, "monitor/rankme": 6.0, "monitor/spread": 0.5}
    more = [looked.assign(name=name, value=value) for name, value in values.items()]
    curves = pd.concat([source.curves, *more], ignore_index=True)
    curves.loc[curves["name"].str.startswith("monitor/") & (curves["step"] % 2 == 1), "value"] = float("nan")
    data = TABLES["training_curves"](replace(source, curves=curves))
    titles = ["nearest training videos", "spread of features", "RankMe of features"]
    assert list(dict.fromkeys(data["panel"]))[-3:] == titles
    for title, unit, value in zip(titles, ("%", "", ""), (25.0, 0.5, 6.0), strict=True):
        own = data[(data["panel"] == title) & (data["row"] == "r0")]
        assert own[["step", "unit", "value"]].values.tolist() == [[2, unit, value], [4, unit, value]]


def test_published_numbers_stand_beside_ours_with_the_pairs_that_are_decided() -> None:
    data = TABLES["published_numbers"](everything())
    rows = data[data["kind"] == "row"]
    assert rows["published"].tolist() == [54.7, 62.5, 63.0, 63.8]
    pairs = data[data["kind"] == "pair"]
    assert pairs["verdict"].tolist() == ["agree", "agree", "agree", "undecided", "disagree", "disagree"]


def test_accuracy_of_a_task_is_of_the_last_tenth_of_training() -> None:
    data = TABLES["task_accuracy"](everything())
    own = data[data["row"] == "r0"]
    assert own["kind"].tolist() == ["mean", "seed", "seed", "seed", "majority"]
    assert own["value"].tolist() == pytest.approx([91, 90, 91, 92, 50])


def test_similarity_within_videos_and_between_them() -> None:
    data = TABLES["similarity"](everything())
    own = data[data["row"] == "r0"]
    assert own[["kind", "left", "right", "seeds", "value"]].values.tolist() == [
        ["within", 0, 50, 3, 25],
        ["within", 50, 100, 3, 75],
        ["between", -100, 0, 3, 50],
        ["between", 50, 100, 3, 50],
    ]


def test_similarity_in_time_has_the_band_of_videos() -> None:
    data = TABLES["similarity_bands"](everything())
    own = data[data["row"] == "r0"]
    assert own[["x", "seeds", "value", "low", "high"]].values.tolist() == [[0.5, 3, 90, 80, 95], [1, 3, 70, 60, 75]]
    assert "distance in time" in own["axis"].iloc[0]


def test_time_steps_are_a_matrix_for_each_row() -> None:
    data = TABLES["timesteps"](everything())
    own = data[data["row"] == "r0"]
    assert own[["first", "second", "seeds", "value"]].values.tolist() == [
        [1, 1, 3, 100],
        [1, 2, 3, 60],
        [2, 1, 3, 60],
        [2, 2, 3, 100],
    ]


def test_rows_that_see_the_same_clips_stand_together_below_the_frames_as_decoded() -> None:
    data = TABLES["augmented_clips"](everything())
    assert list(dict.fromkeys(data["panel"])) == ["r0, r1", "r2"]
    first = data[data["row"] == "r0"]
    assert first[["view", "kind"]].to_numpy().tolist() == [
        ["query", "decoded"],
        ["query", "augmented"],
        ["key", "augmented"],
    ]
    assert set(first["frames"]) == {"3 5"}, "one place, whose frames stand once"
    assert first[["top", "left", "height", "width"]].to_numpy().tolist() == [[0, 0, 1, 1], *[[0, 0.25, 1, 0.5]] * 2]
    assert b"pixels" not in as_csv(data.drop(columns=["pixels"]))
    assert draw(find_figures()["augmented_clips"], data, ["svg"])["svg"].count(b"<image") == len(data)


def test_neighbours_of_the_baseline_and_of_the_best_row_come_first_with_pictures_where_there_are_any() -> None:
    source = everything()
    data = TABLES["neighbours"](source)
    assert list(dict.fromkeys(data["row"])) == ["r1", "r2", "r0", "r3"]
    own = data[data["row"] == "r1"]
    assert own[["query", "rank", "video", "right"]].values.tolist() == [
        [0, 0, "jump/a.avi", True],
        [0, 1, "jump/b.avi", True],
        [0, 2, "run/c.avi", False],
        [1, 0, "run/漢字.avi", True],
        [1, 1, "run/c.avi", True],
        [1, 2, "jump/b.avi", False],
    ]
    assert [one is not None for one in own["pixels"]] == [True, True, False, False, False, True]
    assert data[data["row"] == "r3"]["pixels"].isna().all(), "of panels that are not drawn no video is decoded"
    drawn = draw(find_figures()["neighbours"], data, ["svg"])["svg"].decode()
    assert drawn.count("<image") == 2 * 3
    assert "漢字" in drawn


def test_attention_has_a_line_for_each_place_and_a_picture_at_the_first_of_panels_that_are_drawn() -> None:
    data = TABLES["attention"](everything())
    assert list(dict.fromkeys(data["row"])) == ["r1", "r2", "r0", "r3"]
    own = data[(data["row"] == "r1") & (data["example"] == 0)]
    assert own[["y", "x", "attention", "change"]].values.tolist() == [
        [0, 0, 1.0, 0.5],
        [0, 1, 0.2, 1.0],
        [1, 0, 0.1, 0.0],
        [1, 1, 0.0, 0.0],
    ]
    assert [one is not None for one in own["pixels"]] == [True, False, False, False]
    assert data[data["row"] == "r3"]["pixels"].isna().all(), "of panels that are not drawn no video is decoded"
    drawn = draw(find_figures()["attention"], data, ["svg"])["svg"].decode()
    assert drawn.count("<image") == 3 * (2 * 2 + 2), "two maps of two videos, one of which has a picture below both"


def test_class_activation_names_the_class_that_is_predicted() -> None:
    data = TABLES["class_activation"](everything())
    assert list(dict.fromkeys(data["row"])) == ["r1", "r2", "r0", "r3"]
    own = data[data["row"] == "r1"]
    assert own[["y", "x", "class_activation", "predicted"]].values.tolist() == [
        [0, 0, 1.0, "run"],
        [0, 1, 0.0, "run"],
        [1, 0, 1.0, "run"],
        [1, 1, 0.0, "run"],
    ]
    drawn = draw(find_figures()["class_activation"], data, ["svg"])["svg"].decode()
    assert drawn.count("<image") == 3 * 2, "the video has no picture"
    assert ">class activation<" in drawn


def test_motion_of_cases_stands_once_for_each_evaluation() -> None:
    data = TABLES["motion_difference"](everything())
    assert list(dict.fromkeys(data["panel"])) == ["linear/k"], "it is of no network"
    assert data[["case", "y", "x", "right", "down", "difference"]].values.tolist() == [
        [f"reverse {case}", y, x, sign * (x + 1.0), 0.0, 2.0 * (x + 1)]
        for case, sign in ((0, 1), (1, -1))
        for y in (0, 1)
        for x in (0, 1)
    ]
    drawn = draw(find_figures()["motion_difference"], data, ["svg"])["svg"].decode()
    assert drawn.count("<image") == 1
    assert ">reverse 1<" in drawn


def test_a_map_is_of_the_first_seed_and_knows_the_classes_of_its_videos() -> None:
    data = TABLES["feature_map"](everything())
    assert list(dict.fromkeys(data["panel"])) == [f"{row}, linear/k, seed 0" for row in ("r1", "r2", "r0", "r3")]
    own = data[data["row"] == "r0"]
    assert own[["label", "name", "x", "y"]].values.tolist() == [[0, "jump", 0.5, 2.0], [1, "run", -1.5, 3.0]]


def test_classes_by_their_predictions() -> None:
    source = everything()
    data = TABLES["class_accuracy"](source)
    assert data[data["row"] == "r0"][["name", "videos", "seeds", "value"]].values.tolist() == [
        ["jump", 2, 3, 50.0],
        ["run", 2, 3, 50.0],
    ]
    matrix = TABLES["confusion"](source)
    assert matrix["row"].iloc[0] == "r1", "the baseline stands first"
    assert matrix[matrix["row"] == "r0"][["true_name", "predicted_name", "answers", "value"]].values.tolist() == [
        ["jump", "jump", 3, 50.0],
        ["jump", "run", 3, 50.0],
        ["run", "jump", 3, 50.0],
        ["run", "run", 3, 50.0],
    ]


def predicting(**predictions: tuple[int, ...]) -> FigureInput:
    """Rows at three seeds with these answers to two videos of class 0 and two of class 1; ``ic`` is the baseline."""
    rows = []
    for name, answers in predictions.items():
        one = record(25.0 * sum(np.equal(answers, (0, 0, 1, 1))), answers)
        cells = row(name, 0.0, 0.0, 0.0).cells
        rows.append(RowInput(name, tuple(replace(cell, evaluations={"linear/k": one}) for cell in cells)))
    return FigureInput(build_table(ReportInput("t", tuple(rows), (TOP1,), baseline="ic")))


def test_gains_of_classes_are_paired_by_seed_and_sorted() -> None:
    data = TABLES["class_gain"](predicting(ic=(0, 1, 0, 0), tclr=(0, 1, 1, 1), worse=(1, 1, 0, 0)))
    means = data[data["kind"] == "mean"]
    assert means[["row", "name", "videos", "value"]].values.tolist() == [
        ["tclr", "run", 2, 100.0],
        ["tclr", "jump", 2, 0.0],
        ["worse", "run", 2, 0.0],
        ["worse", "jump", 2, -50.0],
    ]
    assert data[data["kind"] == "seed"]["seed"].tolist() == [0, 1, 2] * 4
    assert len(TABLES["class_gain"](named("only"))) == 0, "the baseline gains nothing over itself"


def test_gains_are_of_the_same_test_videos_alone() -> None:
    source = predicting(ic=(0, 1, 0, 0), tclr=(0, 1, 1, 1))
    other = replace(record(10.0), correct={"w": True}, answers={"w": (0, 0)})
    cells = tuple(replace(cell, evaluations={"linear/k": other}) for cell in source.table.source.rows[1].cells)
    rows = (source.table.source.rows[0], RowInput("tclr", cells))
    changed = replace(source, table=build_table(replace(source.table.source, rows=rows)))
    assert len(TABLES["class_gain"](changed)) == 0
    assert set(TABLES["confused_pairs"](changed)["row"]) == {"ic"}


def test_pairs_that_the_baseline_confuses_with_the_recall_of_all_rows() -> None:
    data = TABLES["confused_pairs"](predicting(ic=(0, 1, 0, 0), tclr=(0, 1, 1, 1)))
    columns = ["row", "first", "second", "videos", "confused_by_baseline", "confused", "value"]
    assert data[columns].values.tolist() == [
        ["ic", "jump", "run", 4, 75.0, 75.0, 25.0],
        ["tclr", "jump", "run", 4, 75.0, 25.0, 75.0],
    ]
    assert len(TABLES["confused_pairs"](predicting(ic=(0, 0, 1, 1), tclr=(0, 1, 1, 1)))) == 0, "it confuses nothing"


def test_the_most_confused_pairs_have_no_class_in_common_and_weigh_classes_alike() -> None:
    """Class 0 has four videos, one of which is taken for 1; classes 1, 2, 3 have one each."""
    answers = [(0, 1), (0, 0), (0, 0), (0, 0), (1, 2), (2, 0), (3, 0)]
    found = EvaluationRecord("e", answers={f"v{number}": answer for number, answer in enumerate(answers)})
    assert most_confused([found]) == [(0, 2)], "(0, 2) before (0, 3) and (1, 2), of which none can follow"
    assert confusion_rates([found])[0, 1] == 0.25
    assert most_confused([replace(found, answers={**found.answers, "w": (1, 3)})]) == [(0, 2), (1, 3)]


def test_an_answer_of_several_backbones_counts_by_its_share() -> None:
    found = everything().table.source
    shared = replace(record(50.0), correct={"v0": Fraction(1, 2), "v1": False, "v2": True, "v3": True})
    cells = tuple(replace(cell, evaluations={"linear/k": shared}) for cell in found.rows[0].cells)
    source = replace(found, rows=(RowInput("r0", cells),), baseline=None, published=None)
    data = TABLES["class_accuracy"](replace(everything(), table=build_table(source)))
    assert data["value"].tolist() == [25.0, 100.0]


def test_predictions_without_a_class_have_no_confusion() -> None:
    found = everything().table.source
    answers = {video: (label, None) for video, (label, _) in record(50.0).answers.items()}
    cells = tuple(
        replace(cell, evaluations={"linear/k": replace(record(50.0), answers=answers)}) for cell in found.rows[0].cells
    )
    source = replace(found, rows=(RowInput("r0", cells),), baseline=None, published=None)
    assert len(TABLES["confusion"](replace(everything(), table=build_table(source)))) == 0
    assert len(TABLES["class_accuracy"](replace(everything(), table=build_table(source)))) == 2


def test_trials_go_through_their_parameters_in_the_studys_order() -> None:
    data = TABLES["parallel_coordinates"](everything())
    assert data[data["trial"] == 5]["parameter"].tolist() == [
        "framework",
        "temperature",
        "bank",
        "shuffle",
        "score (%)",
    ]
    assert data[data["trial"] == 11]["row"].unique().tolist() == ["r1"]
    assert positions([16, 128, 1024]) == {16: 0.0, 128: pytest.approx(0.5), 1024: 1.0}
    assert positions(["128", "16", "64"]) == {"16": 0.0, "64": 0.5, "128": 1.0}
    assert positions([3.0, 3.0]) == {3.0: 0.5}


def test_importance_is_of_parameters_that_every_trial_has_and_adds_up() -> None:
    data = TABLES["factor_importance"](everything())
    assert data["row"].tolist()[0] == "temperature", "the scores rise with it"
    assert set(data["row"]) == {"temperature", "framework", "shuffle"}
    assert data["value"].sum() == pytest.approx(100)
    few = replace(searched(), trials=searched().trials[:4], best={})
    table = build_table(replace(everything().table.source, searched=few))
    assert len(TABLES["factor_importance"](replace(everything(), table=table))) == 0


@pytest.mark.parametrize(("metric", "unit"), [("within", "cosine × 100"), ("rankme", "dimensions"), ("top5", "%")])
def test_metrics_that_are_no_percent_say_what_they_are(metric: str, unit: str) -> None:
    source = everything().table.source
    cells = tuple(
        replace(cell, evaluations={"linear/k": replace(record(50.0), metrics={"top1": 1.0, metric: 80.0 + cell.seed})})
        for cell in source.rows[0].cells
    )
    own = replace(
        source, rows=(RowInput("r0", cells),), columns=(Column("linear/k", metric),), baseline=None, published=None
    )
    assert set(TABLES["intervals"](replace(everything(), table=build_table(own)))["unit"]) == {unit}
