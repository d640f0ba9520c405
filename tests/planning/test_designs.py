"""Designs: the rows that follow from axes and parts, what they are called, and what is refused with its line."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from raysl.config.document import load_document
from raysl.errors import ConfigError
from raysl.planning.designs import read_design
from raysl.planning.plan_study import plan_study
from raysl.planning.study import Study, load_study
from tests.planning.studies import RECIPE, write_study

HEAD = 'title: "A test"\nbase: recipe\nseeds: [0, 1]\nevaluations: [linear/synthetic]\n'
OFF = "{objective.pretext: {reverse: null, shuffle: null, speed: null}}"
T, Q = "objective.contrastive.temperature", "training.batch_size"
TASKS = RECIPE.replace(
    "temperature: 0.1}}", "temperature: 0.1}, pretext: {reverse: {}, shuffle: {}, speed: {rates: [1, 2]}}}"
)


def load(folder: Path, text: str, recipe: str = RECIPE, **given: list[str]) -> Study:
    return load_study(write_study(folder, HEAD + text, recipe), overrides=given.get("overrides"))


def same_rows(first: Study, second: Study) -> bool:
    """Whether two studies have the same computations under the same names, in the same order."""
    return [(row.name, row.identity) for row in first.rows] == [(row.name, row.identity) for row in second.rows]


def test_a_grid_is_the_product_of_its_axes_in_their_order(tmp_path: Path) -> None:
    study = load(tmp_path, f"design: grid\naxes:\n  {T}: [0.1, 0.5]\n  {Q}: [8, 16, 32]\n")
    listed = "".join(
        f'  "temperature {t}, batch_size {q}": {{{T}: {t}, {Q}: {q}}}\n'
        for t, q in itertools.product((0.1, 0.5), (8, 16, 32))
    )
    assert same_rows(study, load(tmp_path / "listed", f"rows:\n{listed}"))
    assert study.options.baseline == "temperature 0.1, batch_size 8", "the row that is the base"


def test_seeds_are_paired_across_the_rows_of_a_design(tmp_path: Path) -> None:
    study = load(tmp_path, f"design: grid\naxes: {{{T}: [0.1, 0.5]}}\n")
    assert [(cell.row, cell.seed) for cell in plan_study(study)] == [
        (row.name, seed) for row in study.rows for seed in (0, 1)
    ]


def test_one_factor_moves_one_axis_at_a_time_from_the_base(tmp_path: Path) -> None:
    study = load(tmp_path, f"design: one_factor\naxes:\n  {T}: [0.1, 0.5]\n  {Q}: [8, 16, 32]\n")
    listed = load(
        tmp_path / "listed",
        f"rows:\n  base: {{}}\n  temperature 0.5: {{{T}: 0.5}}\n"
        f"  batch_size 16: {{{Q}: 16}}\n  batch_size 32: {{{Q}: 32}}\n",
    )
    assert same_rows(study, listed), "the base once, although each axis has its value"
    assert study.options.baseline == "base"


def test_the_value_of_one_axis_that_is_the_bases_own_is_the_base(tmp_path: Path) -> None:
    study = load(tmp_path, f"design: one_factor\naxes: {{{Q}: {{small: 4, usual: 8, large: 16}}}}\n")
    assert [row.name for row in study.rows] == ["small", "usual", "large"]
    assert study.options.baseline == "usual"


def test_leave_one_out_switches_each_part_off(tmp_path: Path) -> None:
    text = (
        "design: leave_one_out\nparts: [objective.pretext.reverse, objective.pretext.shuffle, objective.contrastive]\n"
    )
    listed = (
        "rows:\n  base: {}\n  without reverse: {objective.pretext.reverse: null}\n"
        "  without shuffle: {objective.pretext.shuffle: null}\n  without contrastive: {objective.contrastive: null}\n"
    )
    study = load(tmp_path, text, TASKS)
    assert same_rows(study, load(tmp_path / "listed", listed, TASKS))
    assert study.options.baseline == "base"


def test_a_part_may_be_several_keys_or_a_change(tmp_path: Path) -> None:
    text = (
        "design: leave_one_out\nparts:\n  all on the order: [objective.pretext.reverse, objective.pretext.shuffle]\n"
        f"  a cool loss: {{{T}: 0.9}}\n  a large batch: {{without: {{{Q}: 4}}}}\n"
    )
    listed = (
        "rows:\n  base: {}\n  all on the order: {objective.pretext.reverse: null, objective.pretext.shuffle: null}\n"
        f"  a cool loss: {{{T}: 0.9}}\n  a large batch: {{{Q}: 4}}\n"
    )
    assert same_rows(load(tmp_path, text, TASKS), load(tmp_path / "listed", listed, TASKS))


def test_add_one_in_takes_the_parts_away_and_adds_each_alone(tmp_path: Path) -> None:
    """Speed keeps the base's rates, and a change on top of the core stands beside the parts that are keys."""
    text = (
        "design: add_one_in\ncore: {training.steps: 3}\nparts:\n  reverse: objective.pretext.reverse\n"
        "  speed: objective.pretext.speed\n  slow shuffle: {with: {objective.pretext.shuffle.weight: 0.5},"
        " without: {objective.pretext.shuffle: null}}\n"
    )
    listed = (
        "rows:\n  core: {training.steps: 3, objective.pretext: {reverse: null, shuffle: null, speed: null}}\n"
        "  reverse: {training.steps: 3, objective.pretext: {shuffle: null, speed: null}}\n"
        "  speed: {training.steps: 3, objective.pretext: {reverse: null, shuffle: null}}\n"
        "  slow shuffle: {training.steps: 3, objective.pretext: {reverse: null, shuffle: {weight: 0.5}, speed: null}}\n"
    )
    study = load(tmp_path, text, TASKS)
    assert same_rows(study, load(tmp_path / "listed", listed, TASKS))
    assert study.options.baseline == "core"


def test_the_core_may_be_a_row(tmp_path: Path) -> None:
    """What a part changes stands in the place of what that row says of the same keys."""
    text = (
        f"rows:\n  random: {{pretraining: none}}\n  plain: {OFF}\n"
        "design: add_one_in\ncore: plain\nparts: [objective.pretext.reverse, objective.pretext.speed]\n"
    )
    listed = (
        f"rows:\n  random: {{pretraining: none}}\n  plain: {OFF}\n"
        "  plain + reverse: {objective.pretext: {shuffle: null, speed: null}}\n"
        "  plain + speed: {objective.pretext: {reverse: null, shuffle: null}}\n"
    )
    study = load(tmp_path, text, TASKS)
    assert same_rows(study, load(tmp_path / "listed", listed, TASKS))
    assert study.options.baseline == "plain"


def test_axes_may_move_several_keys(tmp_path: Path) -> None:
    size = "size: {small: {clip.frames: 2, clip.size: 24}, large: {clip.frames: 8}}"
    text = f"design: grid\naxes:\n  {size}\n  {T}: [0.5]\n"
    listed = (
        f"rows:\n  small, temperature 0.5: {{clip: {{frames: 2, size: 24}}, {T}: 0.5}}\n"
        f"  large, temperature 0.5: {{clip.frames: 8, {T}: 0.5}}\n"
    )
    study = load(tmp_path, text)
    assert same_rows(study, load(tmp_path / "listed", listed))
    assert study.options.baseline is None, "no row is the base"


@pytest.mark.parametrize(
    ("axis", "names"),
    [
        (
            "objective.pretext: {subsets: [reverse, shuffle]}",
            ["no pretext", "reverse", "shuffle", "reverse+shuffle"],
        ),
        (
            "objective.pretext: {subsets: {reverse: {weight: 0.5}, shuffle: null}, sizes: [2, 1]}",
            ["reverse+shuffle", "reverse", "shuffle"],
        ),
        (
            "losses: {subsets: {IC: objective.contrastive, order: [objective.pretext.reverse,"
            " objective.pretext.shuffle]}, sizes: [1]}",
            ["IC", "order"],
        ),
    ],
)
def test_an_axis_may_be_of_subsets(tmp_path: Path, axis: str, names: list[str]) -> None:
    study = load(tmp_path, f"design: grid\naxes: {{{axis}}}\n", TASKS)
    assert [row.name for row in study.rows] == names
    for row in study.rows:
        objective = row.cell.objective
        inside = {"speed"} | {name for name in ("reverse", "shuffle") if name in row.name or row.name == "order"}
        assert set(objective.pretext) == inside
        assert (objective.contrastive is None) == (row.name == "order")
        if "weight" in axis and "reverse" in row.name:
            assert objective.pretext["reverse"].options.weight == 0.5


def test_rows_of_ones_own_stand_before_the_designs(tmp_path: Path) -> None:
    """One that changes nothing is the base, of which there is no second row then."""
    text = "rows: {random: {pretraining: none}, all: {}}\ndesign: leave_one_out\nparts: [objective.pretext.reverse]\n"
    study = load(tmp_path, text, TASKS)
    assert [row.name for row in study.rows] == ["random", "all", "without reverse"]
    assert study.options.baseline == "all"


def test_a_row_may_repeat_one_of_the_design(tmp_path: Path) -> None:
    study = load(tmp_path, f"rows: {{again: {{same_as: temperature 0.5}}}}\ndesign: grid\naxes: {{{T}: [0.1, 0.5]}}\n")
    again, _, warm = study.rows
    assert (again.same_as, again.identity) == ("temperature 0.5", warm.identity)


def test_names_are_as_short_as_tells_keys_apart(tmp_path: Path) -> None:
    recipe = RECIPE.replace("temperature: 0.1}}", "temperature: 0.1, projector: {hidden_dim: 8}}}")
    text = (
        f"design: grid\naxes:\n  {T}: [0.5]\n  objective.contrastive.projector.hidden_dim: [8]\n"
        "  clip.size: [32]\n  augment.min_area: [0.5]\n  clip.resize: [32]\n  training.workers: [1]\n"
    )
    # Axes with one value each, so that nothing but the names is looked at.
    (name,) = read_design(load_document(write_study(tmp_path, HEAD + text, recipe))).points
    assert name == "temperature 0.5, hidden_dim 8, size 32, min_area 0.5, resize 32, workers 1"
    twins = (
        "design: grid\naxes: {augment.flip: [0.5], other: {a: {}}, evaluation.finetune.augment.flip: [true, null]}\n"
    )
    design = read_design(load_document(write_study(tmp_path, HEAD + twins, recipe)))
    assert list(design.points) == [
        "augment.flip 0.5, a, finetune.augment.flip true",
        "augment.flip 0.5, a, finetune.augment.flip null",
    ]


def test_generated_rows_are_rows_to_all_other_keys(tmp_path: Path) -> None:
    text = (
        "reproduces: cvrl_t8\nbaseline: temperature 0.5\npublished: {rows: {temperature 0.5: {epochs: 200}}}\n"
        f"design: one_factor\naxes: {{{T}: [0.1, 0.5]}}\n"
    )
    study = load(tmp_path, text)
    assert study.options.baseline == "temperature 0.5"
    assert study.published is not None
    assert list(study.published.rows) == ["temperature 0.5"]
    with pytest.raises(
        ConfigError, match=r"study\.yaml:6: baseline: there is no row .*did you mean 'temperature 0\.5'"
    ):
        load(tmp_path, text.replace("baseline: temperature 0.5", "baseline: temperature 0.4"))


def test_a_scale_or_set_that_loses_an_axis_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"--set makes the rows 'temperature 0.1' and .* equal: lost: objective\.contr"
    ):
        load(tmp_path, f"design: grid\naxes: {{{T}: [0.1, 0.5]}}\n", overrides=[f"{T}=0.3"])


def test_a_value_of_a_long_list_is_reported_at_its_own_line(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"study\.yaml:9: objective\.contrastive\.temperature: should be a valid numb"
    ):
        load(tmp_path, f"design: grid\naxes:\n  {T}:\n    - 0.5\n    - five\n")


@pytest.mark.parametrize("values", ["[0.5, 0.7]", "{a: 0.5, b: 0.7}"])
def test_a_value_that_is_refused_is_reported_at_its_axis(tmp_path: Path, values: str) -> None:
    with pytest.raises(ConfigError, match=r"study\.yaml:6: axes\.objective\.contrastive\.temperatur: unknown key"):
        load(tmp_path, f"design: grid\naxes: {{{T[:-1]}: {values}}}\n")


GRID = f"design: grid\naxes:\n  {T}: [0.1, 0.5]\n"
BAD = {
    "an axis without values": (f"design: grid\naxes:\n  {T}: []\n", rf"study\.yaml:7: axes\.{T}: has no values"),
    "an axis that is null": (f"design: one_factor\naxes:\n  {T}:\n", rf"study\.yaml:7: axes\.{T}: has no values"),
    "no axes": ("design: grid\n", r"study\.yaml: axes: design: grid needs axes"),
    "axes without a design": (
        f"rows: {{a: {{}}}}\naxes: {{{T}: [0.5]}}\n",
        r"study\.yaml:6: axes: belongs to design: grid or one_factor or search; this is design: rows",
    ),
    "axes of parts": (
        "design: leave_one_out\naxes: {clip.size: [32]}\n", r"study\.yaml:6: axes: belongs to design: grid or one_fac"
    ),
    "parts of a grid": (GRID + "parts: [objective.contrastive]\n", r"study\.yaml:8: parts: belongs to design: leave"),
    "a core of leave_one_out": ("design: leave_one_out\ncore: a\n", r"study\.yaml:6: core: belongs to design: add_one"),
    "no parts": ("design: leave_one_out\n", r"study\.yaml: parts: a list of keys is expected"),
    "an axis that is a number": (GRID.replace("[0.1, 0.5]", "0.5"), r"study\.yaml:7: axes\.\S+: a list of values is"),
    "a distribution": (
        GRID.replace("[0.1, 0.5]", "{loguniform: [0.1, 0.5]}"), r"study\.yaml:7: axes\.\S+\.loguniform: belongs to the"
    ),
    "a misspelt axis": (
        GRID.replace("  objective", "  objektive"), r"study\.yaml:7: axes\.obj\S+: unknown key .*mean 'objective'"
    ),
    "a value that needs a name": (
        "design: grid\naxes:\n  sampling.pair: [{name: same}]\n", r"study\.yaml:7: axes\.sampling\.pair\.0: a value"
    ),
    "a value twice": (GRID.replace("0.5]", "0.10]"), r"study\.yaml:7: axes\.\S+: has the value 'temperature 0\.1' tw"),
    "an axis that is the base's": (GRID.replace("[0.1, 0.5]", "[0.1]"), r"study\.yaml:7: axes\.\S+: changes nothing"),
    "a factor that is the base's": (
        f"design: one_factor\naxes:\n  {Q}: [8]\n  {T}: [0.5]\n", rf"study\.yaml:7: axes\.{Q}: changes nothing"
    ),
    "an axis that no row reads": (
        f"design: grid\naxes:\n  pretraining: {{random: none}}\n  {T}: [0.1, 0.5]\n",
        rf"study\.yaml:8: axes\.{T}: changes nothing",
    ),
    "an axis that enters no id": (
        GRID + "  training.log_steps: [5, 7]\n", r"study\.yaml:8: axes\.training\.log_steps: changes nothing"
    ),
    "points that coincide": (
        GRID + "  size: {a: {clip.size: 24}, b: {clip: {size: 24}}, c: {}}\n",
        r"study\.yaml:8: axes\.size: the rows 'temperature 0\.1, a' and 'temperature 0\.1, b' are the same computation",
    ),
    "a point that is a row": (
        GRID + "rows: {warm: {objective: {contrastive: {temperature: 0.5}}}}\n",
        r"study\.yaml:7: axes\.\S+: the rows 'warm' and 'temperature 0\.5' are the same computation",
    ),
    "two axes of one key": (
        GRID + f"  heat: {{low: {{{T}: 0.01}}}}\n",
        rf"study\.yaml:8: axes\.heat\.low\.{T}: sets {T}, which axes\.{T}\.0 sets too",
    ),
    "a name that rows has": (
        GRID + "rows: {temperature 0.5: {clip.size: 24}}\n",
        r"study\.yaml:7: axes\.\S+: gives the row 'temperature 0\.5', which rows has too",
    ),
    "a name that two axes give": (
        "design: one_factor\naxes:\n  clip.size: {small: 24}\n  clip.frames: {small: 8}\n",
        r"study\.yaml:8: axes\.clip\.frames\.small: gives the row 'small', as axes\.clip\.size\.small does",
    ),
    "too many rows": (
        f"design: grid\naxes:\n  {T}: {[one / 1000 for one in range(1, 102)]}\n  {Q}: {list(range(1, 101))}\n",
        r"study\.yaml:6: axes: 10,100 rows \(101 × 100\) are more than the 10,000 .* or use design: search",
    ),
    "too many subsets": (
        f"design: grid\naxes:\n  objective.pretext: {{subsets: {[f't{one}' for one in range(40)]}}}\n",
        r"study\.yaml:7: axes\.objective\.pretext: 1,099,511,627,776 rows are more than the 10,000",
    ),
    "sizes that are none": (
        "design: grid\naxes:\n  objective.pretext: {subsets: [reverse], sizes: [2]}\n",
        r"study\.yaml:7: axes\.objective\.pretext\.sizes: a list of numbers from 0 to 1",
    ),
    "sizes of nothing": (
        "design: grid\naxes:\n  objective.pretext:\n    sizes: [1]\n    substs: [reverse]\n",
        r"study\.yaml:9: axes\.objective\.pretext\.substs: unknown key \(did you mean 'subsets'",
    ),
    "a misspelt design": ("design: gird\naxes: {clip.size: [24]}\n", r"study\.yaml:5: design: .*mean 'grid'"),
    "a part that the base does not have": (
        "design: leave_one_out\nparts:\n  - objective.pretext.shufle\n",
        r"study\.yaml:6: parts: the base has no objective\.pretext\.shufle to switch off \(did you mean 'shuffle'",
    ),
    "a part that the base switches off": (
        "design: add_one_in\nparts: {speed: objective.pretext.speed, IC: objective.local_local}\n",
        r"study\.yaml:6: parts\.IC: the base has no objective\.local_local to switch off",
    ),
    "a part twice": ("design: leave_one_out\nparts: [augment, augment]\n", r"study\.yaml:6: parts: 'augment' is li"),
    "a part that changes nothing": (
        "design: leave_one_out\nparts:\n  warm: {objective.contrastive.temperature: 0.1}\n",
        r"study\.yaml:7: parts\.warm: changes nothing: 'warm' is the same computation as 'base'",
    ),
    "a core that has a part already": (
        "rows: {plain: {clip.size: 24}}\ndesign: add_one_in\ncore: plain\nparts: {speed: objective.pretext.speed}\n",
        r"study\.yaml:8: parts\.speed: changes nothing: 'speed' is the same computation as 'plain'",
    ),
    "a core that is no row": (
        "rows: {plain: {}}\ndesign: add_one_in\ncore: plane\nparts: {speed: objective.pretext.speed}\n",
        r"study\.yaml:7: core: there is no row 'plane' under rows \(did you mean 'plain'",
    ),
    "seeds as an axis": (
        "design: grid\naxes:\n  training.seed: [1, 2]\n", r"study\.yaml:7: axes\.training\.seed: is no axis"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_design_is_refused_with_its_line(case: str, tmp_path: Path) -> None:
    text, message = BAD[case]
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text, TASKS)
