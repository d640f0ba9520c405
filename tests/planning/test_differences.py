"""What rows change, what a scale and --set changed, and where a report is written: from the resolved configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import ConfigError
from raysl.planning.differences import applied_lines, describe_differences
from raysl.planning.study import Study, load_study
from tests.planning.studies import RECIPE, SEARCH, STUDY, write_study

HEAD = 'title: "A test"\nbase: recipe\nseeds: [0, 1]\nevaluations: [linear/synthetic, retrieval/synthetic]\n'
SMALL = (
    "seeds: [7]\nset: {clip.stride: 1, clip.size: 24}\n"
    "multiply: {training.steps: {by: 0.5}, evaluation.linear.clips: {by: 0.4, min: 2}}\n"
)


def load(folder: Path, rows: str, scale: str | None = None, overrides: list[str] | None = None) -> Study:
    path = write_study(folder, HEAD + rows)
    (folder / "scales").mkdir(exist_ok=True)
    (folder / "scales" / "small.yaml").write_text(SMALL)
    return load_study(path, scale, overrides)


def changes(study: Study, row: str = "row") -> list[str]:
    return [str(change) for change in describe_differences(study).rows[row]]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("{clip.size: 24}", ["clip.size 32 → 24"]),
        ("{objective.contrastive.temperature: 0.2}", ["objective.contrastive.temperature 0.1 → 0.2"]),
        ("{objective.contrastive: {temperature: 0.1}, training.log_steps: 7, clip.stride: 1}", ["clip.stride 2 → 1"]),
        ("{objective.contrastive.symmetric: one_way}", ["objective.contrastive.symmetric mean → one_way"]),
        ("{backbone: {name: mc3_18, width: 0.5}}", ["backbone r3d_18 → mc3_18 (width 0.5)"]),
        ("{optimizer: {name: sgd, learning_rate: {value: 0.1, at_batch: 8}}}",
         ["optimizer adamw → sgd (learning_rate.value 0.1, learning_rate.at_batch 8)"]),
        ("{sampling.pair: interval}", ["sampling.pair random → interval"]),
        ("{objective.contrastive: {framework: moco, queue_size: 64}}",
         ["objective.contrastive simclr → moco (queue_size 64)"]),
        ("{objective.pretext.speed: {rates: [1, 2]}}", ["objective.pretext.speed off → on (rates [1, 2])"]),
        ("{objective.contrastive.projector.hidden_dim: 16}", ["objective.contrastive.projector.hidden_dim null → 16"]),
        ("{training: {steps: null, epochs: 3}}", ["training.epochs null → 3", "training.steps 4 → null"]),
        ("{data: {classes: 5}}", ["data.classes 4 → 5"]),
        ("{pretraining: none, objective.contrastive.temperature: 0.2}", ["pretraining self_supervised → none"]),
        ("{pretraining: supervised, supervised.dropout: 0.5, objective.contrastive.temperature: 0.2}",
         ["pretraining self_supervised → supervised", "supervised.dropout 0.0 → 0.5"]),
        ("{evaluation.linear.clips: 3}", ["evaluation.linear.clips 5 → 3"]),
    ],
)  # fmt: skip
def test_a_row_shows_what_is_another_value_and_nothing_else(change: str, shown: list[str], tmp_path: Path) -> None:
    assert changes(load(tmp_path, f"rows: {{plain: {{}}, row: {change}}}\nbaseline: plain\n")) == shown


def test_long_values_are_cut(tmp_path: Path) -> None:
    rates = f"{{sampling.playback_rates: {list(range(1, 41))}}}"
    (shown,) = changes(load(tmp_path, f"rows: {{plain: {{}}, row: {rates}}}\n"))
    assert shown.startswith("sampling.playback_rates [1] → [1, 2, 3, 4, ")
    assert shown.endswith("…")


def test_without_a_baseline_the_first_row_that_is_trained_is_compared_with(tmp_path: Path) -> None:
    found = describe_differences(
        load(tmp_path, "rows: {random: {pretraining: none}, plain: {}, row: {clip.size: 24}}\n")
    )
    assert found.reference == "plain"
    assert found.rows["plain"] == ()
    assert str(found.rows["row"][0]) == "clip.size 32 → 24"


def test_what_a_scale_changed_of_the_studys_own_values_is_told_apart(tmp_path: Path) -> None:
    """The stride is the study's, the rest its recipe's; a value that the scale leaves alone is not told."""
    study = load(tmp_path, "clip.stride: 3\nrows: {plain: {}}\n", "small")
    given = describe_differences(study).given
    assert [str(change) for change in given.own] == ["seeds [0, 1] → [7]", "clip.stride 3 → 1"]
    assert [str(change) for change in given.inherited] == [
        "clip.size 32 → 24",
        "training.steps 4 → 2",
        "evaluation.linear.clips 5 → 2",
    ]
    assert applied_lines(given, "small") == [
        "Scale small changes what the study itself sets: seeds [0, 1] → [7], clip.stride 3 → 1.",
        "Scale small changes what the study inherits: clip.size 32 → 24, training.steps 4 → 2, "
        "evaluation.linear.clips 5 → 2.",
    ]


def test_a_study_keeps_its_own_value_by_saying_so_for_the_scale(tmp_path: Path) -> None:
    study = load(tmp_path, "clip.stride: 3\nrows: {plain: {}}\nscales: {small: {set: {clip.stride: 3}}}\n", "small")
    assert study.rows[0].cell.clip.stride == 3
    assert [change.key for change in describe_differences(study).given.own] == ["seeds"]


def test_what_set_is_laid_over_is_shown(tmp_path: Path) -> None:
    """The scale's own change of the same key is the study's value to the scale's, and from there on it is --set's."""
    overrides = ["clip.stride=2", "evaluation.retrieval.clips=3"]
    given = describe_differences(load(tmp_path, "clip.stride: 3\nrows: {plain: {}}\n", "small", overrides)).given
    assert "clip.stride 3 → 1" in [str(change) for change in given.own]
    assert [str(change) for change in given.overridden] == ["clip.stride 1 → 2", "evaluation.retrieval.clips 5 → 3"]
    assert applied_lines(given, "small", "`{}`".format)[-1] == (
        "Given `--set clip.stride=2` `--set evaluation.retrieval.clips=3`, which changes `clip.stride 1 → 2`, "
        "`evaluation.retrieval.clips 5 → 3`."
    )


def test_evaluations_that_a_scale_or_set_makes_one_are_named(tmp_path: Path) -> None:
    text = HEAD.replace("retrieval/synthetic", "few/synthetic") + "evaluation: {few: {protocol: linear, clips: 3}}\n"
    path = write_study(tmp_path, text + "rows: {plain: {}}\n")
    same = "So linear/synthetic, few/synthetic are one evaluation here: their columns hold the same numbers."
    for overrides, told in (([], False), (["evaluation.few.clips=4"], False), (["evaluation.few.clips=5"], True)):
        study = load_study(path, None, overrides)
        assert (same in applied_lines(describe_differences(study).given, study.scale)) == told


def test_a_key_that_is_set_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--set clip\.stride is given twice, as 2 and 1; keep one"):
        load(tmp_path, "rows: {plain: {}}\n", None, ["clip.stride=2", "clip.frames=8", "clip.stride=1"])


def test_as_written_nothing_is_laid_over_it(tmp_path: Path) -> None:
    study = load(tmp_path, "rows: {plain: {}}\n")
    assert applied_lines(describe_differences(study).given, study.scale) == []


def test_a_search_without_rows_shows_what_the_scale_changed_of_its_base(tmp_path: Path) -> None:
    write_study(tmp_path, SEARCH.replace("rows:\n  random: {pretraining: none}\nbaseline: random\n", ""))
    (tmp_path / "scales").mkdir()
    (tmp_path / "scales" / "small.yaml").write_text("set: {clip.size: 24}\n")
    found = describe_differences(load_study(tmp_path / "study.yaml", "small", ["clip.frames=8"]))
    assert (found.reference, found.rows) == (None, {})
    assert [str(change) for change in found.given.inherited] == ["clip.size 32 → 24"]
    assert [str(change) for change in found.given.overridden] == ["clip.frames 4 → 8"]


def test_reports_of_other_scales_and_overrides_stand_in_other_folders(tmp_path: Path) -> None:
    path = write_study(tmp_path / "search_spaces" / "lab", STUDY, RECIPE, "table1")
    (path.parent / "scales").mkdir()
    for name in ("small", "paper"):
        (path.parent / "scales" / f"{name}.yaml").write_text("set: {clip.size: 24}\n")
    given: list[tuple[str | None, list[str]]] = [
        (None, []),
        ("small", []),
        ("paper", []),
        (str(path.parent / "scales" / "small.yaml"), ["training.steps=3"]),
        ("small", ["training.steps=4"]),
        ("small", ["evaluation.linear.clips=4"]),
        ("small", ["evaluation.retrieval.clips=4"]),
        (None, ["training.steps=3", "seeds=[5]"]),
    ]
    names = [load_study(path, scale, overrides).report_name for scale, overrides in given]
    assert names[:3] == ["lab/table1", "lab/table1/small", "lab/table1/paper"], "a scale of that name is no paper"
    assert len(set(names)) == len(names)
    assert names[3].startswith("lab/table1/small-set-steps-3-")
    assert names[-1].startswith("lab/table1/set-seeds-5-steps-3-")
    assert load_study(path, None, ["seeds=[5]", "training.steps=3"]).report_name == names[-1], "in any order"
