"""A study with a search: what a trial is, what the id covers, and one clear error for what cannot be searched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raysl.config.identity import cell_id
from raysl.errors import ConfigError
from raysl.planning.plan_study import plan_study
from raysl.planning.search import Search
from raysl.planning.study import Study, find_studies, load_study, with_best
from raysl.results import SearchTrial
from raysl.results.search_folder import Value
from tests.planning.studies import RECIPE, SEARCH, contrastive, write_study
from tests.test_cli import raysl

SHIPPED = Path(__file__).resolve().parents[2] / "search_spaces" / "search"
TEMPERATURE, FRAMEWORK, QUEUE = (f"objective.contrastive.{key}" for key in ("temperature", "framework", "queue_size"))


def search_of(study: Study) -> Search:
    assert study.search is not None
    return study.search


def searched(
    folder: Path, text: str = SEARCH, recipe: str = RECIPE, scale: str | None = None, **overrides: object
) -> Search:
    given = [f"{key.replace('__', '.')}={value}" for key, value in overrides.items()]
    return search_of(load_study(write_study(folder, text, recipe), scale, given))


@pytest.mark.parametrize("scale", [None, "smoke", "laptop"])
@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_searches_load_at_every_scale(path: Path, scale: str | None) -> None:
    study = load_study(path, scale)
    search = search_of(study)
    assert search.options.seed not in study.seeds
    assert json.loads(json.dumps(search.about()))["axes"].keys() == {axis.key for axis in search.axes}


def test_the_id_is_of_what_decides_how_a_trial_is_made_trained_and_scored(tmp_path: Path) -> None:
    known = searched(tmp_path).id
    same = {
        "more trials": searched(tmp_path, search__trials=9, search__best=1).id,
        "other rows, seeds and evaluations": searched(
            tmp_path, SEARCH.replace("random: {p", "r: {p").replace("line: random", "line: r"), seeds=[3]
        ).id,
        "other loader processes": searched(tmp_path, training__loader_workers=1).id,
        "what is a default": searched(tmp_path, search__knn__neighbors=20).id,
    }
    assert set(same.values()) == {known}, same
    other = {
        "a bound": searched(tmp_path, SEARCH.replace("[0.05, 1.0]", "[0.05, 0.9]")).id,
        "a choice": searched(tmp_path, SEARCH.replace("[16, 32]", "[16, 64]")).id,
        "length": searched(tmp_path, search__length=0.75).id,
        "reports": searched(tmp_path, search__reports=1).id,
        "seed": searched(tmp_path, search__seed=8).id,
        "neighbours": searched(tmp_path, search__knn__neighbors=5).id,
        "what it is scored on": searched(tmp_path, search__data="synthetic/large").id,
        "the base": searched(tmp_path, training__batch_size=4).id,
        "data": searched(tmp_path, data__classes=3).id,
        "a section that the base does not use": searched(tmp_path, supervised__dropout=0.5).id,
        "what a scale does to points alone": searched(
            tmp_path, SEARCH + f"scales: {{own: {{title: own, multiply: {{{QUEUE}: {{by: 2}}}}}}}}\n", scale="own"
        ).id,
    }  # fmt: skip
    assert len({known, *other.values()}) == 1 + len(other), other


@pytest.mark.parametrize(
    ("schedule", "training", "length", "expected"),
    [
        ("name: cosine, warmup_epochs: 2", "epochs: 20", 0.25, {"epochs": 5, "warmup_epochs": 0.5}),
        ("name: multistep, milestones: [8, 16]", "epochs: 20", 0.25, {"epochs": 5, "milestones": (2.0, 4.0)}),
        ("name: cosine, warmup_steps: 4", "steps: 40", 0.5, {"steps": 20, "warmup_steps": 2}),
        ("name: cosine", "epochs: 3", 0.01, {"epochs": 1}),
        ("name: cosine, warmup_epochs: 1.5", "epochs: 3", 1.0, {"epochs": 3, "warmup_epochs": 1.5}),
    ],
)
def test_a_trial_is_short_and_a_row_is_not(
    tmp_path: Path, schedule: str, training: str, length: float, expected: dict[str, object]
) -> None:
    recipe = RECIPE.replace("steps: 4", training).replace("name: cosine", schedule)
    search = searched(tmp_path, recipe=recipe, search__length=length)
    point: dict[str, Value] = {TEMPERATURE: 0.34567, FRAMEWORK: "moco", QUEUE: "32"}
    short, full = search.trial(point), search.row(point, "best 1").cell
    assert short.training.seed == 7
    found = {key: getattr(short.training, key, getattr(short.schedule.options, key, None)) for key in expected}
    assert found == expected
    assert (full.training, full.schedule) == (search.base.cell.training, search.base.cell.schedule)
    for cell in (short, full):
        assert (cell.objective.contrastive and cell.objective.contrastive.name) == "moco"
        assert contrastive(cell).temperature == 0.346
        assert contrastive(cell).queue_size == 32
    key, number = training.split(": ")
    assert search.length == f"{expected[key]} of {number} {key}"


def test_points_that_round_to_one_configuration_are_one(tmp_path: Path) -> None:
    search = searched(tmp_path)
    ids = [cell_id(search.trial({TEMPERATURE: t, FRAMEWORK: "simclr"})) for t in (0.1234, 0.1233, 0.1236)]
    assert ids[0] == ids[1] != ids[2]


def test_set_beats_the_scale_and_the_scale_the_study(tmp_path: Path) -> None:
    text = SEARCH + "scales: {own: {title: own, trials: 5}}\n"
    assert searched(tmp_path, text).options.trials == 3
    assert searched(tmp_path, text, scale="own").options.trials == 5
    assert searched(tmp_path, text, scale="own", search__trials=6).options.trials == 6
    assert searched(tmp_path, text, scale="own", search__best=1).options.trials == 5


AXIS = "objective.contrastive.temperature: {loguniform: [0.05, 1.0]}"
BAD = {
    "a value of no configuration": (
        SEARCH.replace("[simclr, moco]", "[simclr, moco, moko]"),
        r"study\.yaml:7: axes\.objective\.contrastive\.framework: no configuration has "
        r"objective\.contrastive\.framework = moko: .*did you mean 'moco'",
    ),
    "a bound out of an option's": (
        SEARCH.replace("loguniform: [0.05, 1.0]", "uniform: [0, 1.0]"),
        r"study\.yaml:6: axes\.\S+: no configuration has objective\.contrastive\.temperature = 0\.0: .*greater than 0",
    ),
    "an axis in no configuration": (
        SEARCH.replace("queue_size", "queue_sizes"),
        r"study\.yaml:8: axes\.objective\.contrastive\.queue_sizes: unknown key .* \(did you mean 'queue_size'",
    ),
    "an unknown section": (SEARCH.replace(AXIS, "objektive.weight: {uniform: [0, 1]}"), r"did you mean 'objective'"),
    "a condition that is never met": (
        SEARCH.replace(
            "search: {",
            "  training.batch_size: {choice: [4, 8], when: {objective.contrastive.framework: simclr, "
            "objective.contrastive.queue_size: 16}}\nsearch: {",
        ),
        r"study\.yaml:9: axes\.training\.batch_size: no configuration .* = 4: its conditions, .* never hold",
    ),
    "a base that is none": (
        SEARCH.replace("base: recipe", "base: recipe\nobjective.contrastive.temperature: -1"), r"study\.yaml:4: "
    ),
    "its seed is one of the best's": (
        SEARCH.replace("seed: 7", "seed: 1"), r"study\.yaml:9: search\.seed: 1 is one of seeds"
    ),
    "nothing would be stopped": (
        SEARCH.replace("reports: 2", "reports: 2, grace_reports: 3"),
        r"study\.yaml:9: search\.grace_reports: 3 is more than search\.reports, 2",
    ),
    "an unknown setting": (
        SEARCH.replace("trials: 3", "trails: 3"), r"study\.yaml:9: search\.trails: .*did you mean 'trials'"
    ),
    "too long": (SEARCH.replace("length: 0.5", "length: 2"), r"study\.yaml:9: search\.length: .*less than or equal"),
    "an unknown set to score on": (
        SEARCH.replace("seed: 7", "seed: 7, data: ucf110"), r"study\.yaml:9: search\.data: .*did you mean 'ucf101'"
    ),
    "no axes": (SEARCH[: SEARCH.index("axes:")] + SEARCH[SEARCH.index("search: {"):], r"axes: a search needs axes"),
    "axes without a search": (
        SEARCH.replace("design: search", ""), r"study\.yaml:5: axes: belongs to design: grid or one_factor or search"
    ),
    "no axes without a search": (
        SEARCH[: SEARCH.index("design:")] + "axes: {}\nrows: {a: {}}\nevaluations: [linear/x]\n",
        r"study\.yaml:4: axes: belongs to design: grid",
    ),
    "settings without a search": (
        SEARCH[: SEARCH.index("axes:")].replace("design: search", "") + SEARCH[SEARCH.index("search: {"):],
        r"search: belongs to design: search; this is design: rows",
    ),
    "a table": (SEARCH + "reproduces: cvrl_t6\n", r"study\.yaml:15: reproduces: a search reproduces no table"),
    "a row called best": (
        SEARCH.replace("  random:", "  best 1:"), r"study\.yaml:11: rows\.best 1: .*those are its results"
    ),
    "a baseline that is never found": (SEARCH.replace("line: random", "line: best"), r"there is no row 'best'"),
    "the data set": (
        SEARCH.replace(AXIS, "data.classes: {integers: [2, 4]}"), r"study\.yaml:6: axes\.data\.classes: cannot be"
    ),
    "an evaluation": (SEARCH.replace(AXIS, "evaluation.linear.clips: {integers: [2, 4]}"), r"searched: trials"),
    "the seed": (SEARCH.replace(AXIS, "training.seed: {integers: [2, 4]}"), r"cannot be searched: search\.seed"),
    "workers": (SEARCH.replace(AXIS, "training.workers: {choice: [1, 2]}"), r"cannot be searched: all trials"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_search_is_refused_when_it_is_loaded(case: str, tmp_path: Path) -> None:
    text, message = BAD[case]
    with pytest.raises(ConfigError, match=message):
        load_study(write_study(tmp_path, text))


@pytest.mark.parametrize("override", [f"{TEMPERATURE}=0.3", "objective.contrastive=simclr"])
def test_set_over_an_axis_is_refused(tmp_path: Path, override: str) -> None:
    key = override.split("=")[0]
    with pytest.raises(ConfigError, match=rf"study\.yaml:\d: axes\.\S+: --set {key} overrides it"):
        load_study(write_study(tmp_path, SEARCH), overrides=[override])


def test_values_that_few_points_allow_are_found(tmp_path: Path) -> None:
    """Crops of 32 pixels go with one size of frame in ten, of an axis behind theirs."""
    text = SEARCH.replace(
        AXIS, f"clip.size: {{choice: [16, 32]}}\n  clip.resize: {{choice: {[*range(16, 34, 2), 17]}}}"
    )
    assert searched(tmp_path, text).parameters[:2] == ("clip.size", "clip.resize")


def trials(search: Search) -> list[SearchTrial]:
    """Four that ended; by their scores 2, 0, 3, and 1 was stopped."""
    points = [{TEMPERATURE: 0.1 + number / 10, FRAMEWORK: "simclr"} for number in range(4)]
    ends = [("finished", 30.0), ("stopped", 99.0), ("finished", 40.0), ("finished", 20.0)]
    return [
        SearchTrial(number, dict(point), cell_id(search.trial(dict(point))), status, (score, score))  # type: ignore[arg-type]
        for number, (point, (status, score)) in enumerate(zip(points, ends, strict=True))
    ]


def test_the_best_become_rows_in_their_order(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path, SEARCH))
    found = with_best(study, trials(search_of(study)))
    assert [row.name for row in found.rows] == ["random", "best 1", "best 2"]
    temperatures = [contrastive(row.cell).temperature for row in found.rows[1:]]
    assert temperatures == [0.3, 0.1]
    assert {row.cell.training.steps for row in found.rows[1:]} == {4}
    assert [cell.seed for cell in plan_study(found)] == [0, 1] * 3
    again = with_best(found, trials(search_of(study)))
    assert [row.identity for row in again.rows] == [row.identity for row in found.rows]
    fewer = with_best(found, trials(search_of(study))[:2])
    assert [row.name for row in fewer.rows] == ["random", "best 1"]
    assert with_best(study, []).rows == study.rows


def test_a_search_may_have_no_rows_and_one_of_the_best_as_baseline(tmp_path: Path) -> None:
    text = SEARCH.replace("rows:\n  random: {pretraining: none}\n", "").replace("line: random", "line: best 1")
    study = load_study(write_study(tmp_path, text))
    assert (study.rows, study.options.baseline) == ((), "best 1")
    assert study.column("linear/synthetic:top1") == "linear/synthetic:top1"
    done = raysl("plan", tmp_path / "study.yaml")
    assert done.returncode == 0, done.stderr
    assert "0 cells asked for" in done.stdout


def test_a_scale_puts_in_the_set_that_is_scored_on(tmp_path: Path) -> None:
    text = SEARCH.replace("seed: 7", "seed: 7, data: ucf101")
    text += "scales: {own: {title: own, substitute: {ucf101: tiny}, datasets: {tiny: {name: synthetic, classes: 3}}}}\n"
    assert searched(tmp_path, text).data.name == "ucf101"
    search = searched(tmp_path, text, scale="own")
    assert (search.data.options.classes, search.base.cell.data.options.classes) == (3, 4)


def test_plan_prints_axes_trials_and_what_follows(tmp_path: Path) -> None:
    path = write_study(tmp_path, SEARCH)
    done = raysl("plan", path)
    assert done.returncode == 0, done.stderr
    for said in (
        TEMPERATURE,
        "loguniform 0.05 to 1",
        "choice simclr, moco",
        f"{FRAMEWORK}: moco",
        f"search {search_of(load_study(path)).id}: 3 trials of 2 of 4 steps at seed 7, each scored up to 2 times",
        "(vote of the 20 nearest training videos of other groups, synthetic)",
        "then the best 2 at full length, 2 seeds: 4 cells beside those of the rows",
        "1 study, 2 cells asked for",
    ):
        assert said in done.stdout, said


def test_a_folder_stands_for_its_searches_too(tmp_path: Path) -> None:
    path = write_study(tmp_path / "a", SEARCH.replace("rows:\n  random: {pretraining: none}\nbaseline: random\n", ""))
    assert find_studies([tmp_path]) == [path]
