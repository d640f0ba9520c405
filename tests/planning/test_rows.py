"""Rows: their names as written, rows that repeat others, and errors that name file, line, key and row."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.cells import unique_cells
from raysl.errors import ConfigError
from raysl.planning.plan_study import plan_study
from raysl.planning.study import Study, load_study
from tests.planning.studies import RECIPE, STUDY, write_study

WARM = "warm: {objective.contrastive.temperature: 0.5}"
NAMES = ["0.1", "0.10", "1", "1.0", "1e-3", "true", "null", "2024-01-01"]


def load(folder: Path, study: str = STUDY, *overrides: str, recipe: str = RECIPE) -> Study:
    return load_study(write_study(folder, study, recipe), overrides=list(overrides))


def numbered(names: list[str] = NAMES) -> str:
    """A study of a row for each name, each at a temperature of its own."""
    rows = "".join(f"  {name}: {{objective.contrastive.temperature: 0.{at + 2}}}\n" for at, name in enumerate(names))
    return STUDY[: STUDY.index("  random")] + rows + "seeds: [0, 1]\nevaluations: [linear/synthetic]\n"


def test_names_that_look_like_numbers_are_as_many_rows(tmp_path: Path) -> None:
    study = load(tmp_path, numbered())
    assert [row.name for row in study.rows] == NAMES
    terms = [row.cell.objective.contrastive for row in study.rows]
    found = [term.options.temperature for term in terms if term is not None]
    assert found == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_that_looks_like_a_number_is_the_row_of_this_name(name: str, tmp_path: Path) -> None:
    assert load(tmp_path, numbered() + f"baseline: {name}\n").options.baseline == name
    assert load(tmp_path, numbered(), f"baseline={name}").options.baseline == name


def test_a_number_that_no_row_is_called_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"study\.yaml:9: baseline: should be text \(put it in quotes\), not 0\.1"):
        load(tmp_path, numbered(["0.10", "0.2"]) + "baseline: 0.1\n")


def test_pairs_that_are_not_scored_may_have_such_names(tmp_path: Path) -> None:
    text = numbered(["1", "3"]) + (
        "reproduces: cvrl_t6\npublished: {rows: {1: {hidden_layers: 1}, 3: {hidden_layers: 3}}, unscored: [[1, 3]]}\n"
    )
    study = load(tmp_path, text)
    assert study.published is not None
    assert study.published.unscored == {frozenset({"1", "3"})}


def test_the_same_row_twice_is_refused_with_both_names(tmp_path: Path) -> None:
    text = STUDY.replace("temperature: 0.5", "temperature: 0.1")
    for overrides in ([], ["training.steps=3"]):
        with pytest.raises(ConfigError, match=r"study\.yaml:7: rows\.warm: is the same computation as row 'plain'"):
            load(tmp_path, text, *overrides)
    with pytest.raises(ConfigError, match=r"rows\.again: is the same computation as row 'random'"):
        load(tmp_path, STUDY.replace(WARM, "again: {pretraining: none, objective.contrastive.temperature: 0.5}"))


def test_a_row_that_says_so_repeats_another(tmp_path: Path) -> None:
    text = STUDY.replace(WARM, f"{WARM}\n  first: {{same_as: again}}\n  again: {{same_as: warm}}")
    study = load(tmp_path, text)
    warm, first, again = study.rows[2:]
    assert (warm.same_as, first.same_as, again.same_as) == (None, "again", "warm")
    assert warm.identity == first.identity == again.identity
    assert [row.name for row in study.rows] == ["random", "plain", "warm", "first", "again"]
    assert len(unique_cells(plan_study(study))) == 6, "three rows, two seeds"


def test_a_row_may_repeat_one_with_a_number_for_its_name(tmp_path: Path) -> None:
    study = load(tmp_path, numbered(["0.1", "0.10"]).replace("seeds", "  again: {same_as: 0.10}\nseeds"))
    assert study.rows[2].same_as == "0.10"
    assert study.rows[2].identity == study.rows[1].identity


REPEATED = {
    "of itself": ("warm: {same_as: warm}", r"study\.yaml:7: rows\.warm\.same_as: goes round in a circle: warm -> warm"),
    "in a circle": (
        "warm: {same_as: hot}\n  hot: {same_as: hotter}\n  hotter: {same_as: hot}",
        r"study\.yaml:7: rows\.warm\.same_as: goes round in a circle: warm -> hot -> hotter -> hot",
    ),
    "of no row": ("warm: {same_as: plane}", r"study\.yaml:7: rows\.warm\.same_as: .*did you mean 'plain'"),
    "of no name": ("warm: {same_as: [plain]}", r"study\.yaml:7: rows\.warm\.same_as: there is no row"),
    "beside another key": (
        "warm: {same_as: plain, training.steps: 3}",
        r"study\.yaml:7: rows\.warm\.same_as: must be the only key",
    ),
}


@pytest.mark.parametrize("case", REPEATED)
def test_a_repetition_that_is_none_is_refused(case: str, tmp_path: Path) -> None:
    text, message = REPEATED[case]
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, STUDY.replace(WARM, text))


@pytest.mark.parametrize("written", ["contrastive: moco", "contrastive: {framework: moco}"])
def test_a_component_named_by_text_takes_options(written: str, tmp_path: Path) -> None:
    recipe = RECIPE.replace("contrastive: {framework: simclr, temperature: 0.1}", written)
    contrastive = load(tmp_path, recipe=recipe).rows[2].cell.objective.contrastive
    assert contrastive is not None
    assert (contrastive.name, contrastive.options.temperature) == ("moco", 0.5)


@pytest.mark.parametrize(
    "written",
    [
        "objective: {contrastive.temperature: 0.5}",
        "objective: {contrastive: {temperature: 0.5}}",
        "objective.contrastive: {temperature: 0.5}",
    ],
)
def test_dotted_keys_may_stand_in_nested_mappings(written: str, tmp_path: Path) -> None:
    assert (
        load(tmp_path, STUDY.replace(WARM, f"warm: {{{written}}}")).rows[2].identity == load(tmp_path).rows[2].identity
    )


def test_dotted_keys_in_options_of_protocols_and_tasks(tmp_path: Path) -> None:
    text = STUDY.replace(
        WARM, "warm: {objective: {pretext: {speed.weight: 0.5}}, evaluation: {linear.clips: 3, retrieval: {clips: 4}}}"
    )
    warm = load(tmp_path, text).rows[2]
    assert warm.cell.objective.pretext["speed"].options.weight == 0.5
    assert [evaluation.protocol.options.clips for evaluation in warm.evaluations] == [3, 4]


MISFITS = {
    "a validator of a section": ("clip.size: 64", r"study\.yaml:7: clip\.size 64 is larger than clip\.resize 32"),
    "a validator of the whole": ("batch_norm_group: 3", r"study\.yaml:7: batch_norm_group 3 does not divide"),
    "a validator of a component": (
        "augment.min_area: 0.9, augment.max_area: 0.5",
        r"study\.yaml:7: augment: min_area 0\.9 is larger than max_area 0\.5",
    ),
    "a queue that batches do not fill": (
        "objective.contrastive: {framework: moco, queue_size: 100}",
        r"study\.yaml:7: objective\.contrastive\.queue_size 100 is not a multiple of the 8 keys .*take 96",
    ),
    "a task that has nothing to ask about": (
        "objective.pretext: {playback_rate: {}}",
        r"study\.yaml:7: objective\.pretext\.playback_rate classifies rates, and sampling\.playback_rates has one",
    ),
    "local clips that do not divide the skips": (
        "sampling.windows: {name: global_local, local_clips: 4, skips: [3]}",
        r"study\.yaml:7: sampling\.windows: skips 3 does not divide by local_clips 4",
    ),
    "a loss without its windows": (
        "objective.projector: {}, objective.local_local: {}",
        r"study\.yaml:7: objective\.local_local.*set sampling\.windows: global_local",
    ),
    "two lengths": (
        "training.epochs: 2",
        r"study\.yaml:7: training: give exactly one of training\.epochs and training\.s",
    ),
    "two tasks on one view": (
        "objective.pretext: {reverse: {view: pair}, playback_rate: {view: pair}}, sampling.playback_rates: [1, 2]",
        r"study\.yaml:7: objective\.pretext",
    ),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_combination_that_is_refused_names_file_line_key_and_row(case: str, tmp_path: Path) -> None:
    change, message = MISFITS[case]
    with pytest.raises(ConfigError, match=message + r".*\(row 'warm'\)$"):
        load(tmp_path, STUDY.replace(WARM, f"warm: {{{change}}}"))


def test_the_line_is_that_of_the_key_that_was_written_last(tmp_path: Path) -> None:
    """The row may have nothing to do with it: the recipe, the study or --set changed one of the two keys."""
    with pytest.raises(ConfigError, match=r"recipe\.yaml:3: clip\.size 64 is larger than clip\.resize 32"):
        load(tmp_path, recipe=RECIPE.replace(" size: 32", " size: 64"))
    with pytest.raises(ConfigError, match=r"study\.yaml:11: clip\.size 32 is larger than clip\.resize 16"):
        load(tmp_path, STUDY + "clip.resize: 16\n")
    with pytest.raises(ConfigError, match=r"--set: clip\.size 64 is larger than clip\.resize 32"):
        load(tmp_path, STUDY, "clip.size=64")


def test_a_protocol_that_does_not_fit_the_cell_is_reported_where_it_was_written(tmp_path: Path) -> None:
    text = STUDY.replace("retrieval/synthetic", "finetune/synthetic") + "evaluation:\n  finetune:\n    batch_size: 9\n"
    text += "training: {workers: 2}\n"
    with pytest.raises(ConfigError, match=r"study\.yaml:14: evaluation\.finetune: finetune: batch_size 9 does"):
        load(tmp_path, text)
    with pytest.raises(ConfigError, match=r"--set: evaluation\.finetune: finetune: batch_size 7 does not divide"):
        load(tmp_path, text, "evaluation.finetune.batch_size=7")


def test_set_may_change_one_row(tmp_path: Path) -> None:
    study = load(tmp_path, STUDY, "rows.warm.objective.contrastive.temperature=0.7", "rows.plain.clip.frames=8")
    _, plain, warm = (row.cell for row in study.rows)
    assert warm.objective.contrastive is not None
    assert (warm.objective.contrastive.options.temperature, warm.clip.frames, plain.clip.frames) == (0.7, 4, 8)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rows.wram.clip.frames=8", r"--set: rows\.wram: there is no row 'wram' \(did you mean 'warm'\?\)"),
        ("rows.warm=8", r"--set: rows\.warm: a mapping of what the row changes is expected"),
        ("rows=8", r"--set: rows: a mapping from rows"),
        ("rows.warm.clip.frame=8", r"--set: clip\.frame: unknown key \(did you mean 'frames'\?\) \(row 'warm'\)"),
        ("base=other", r"--set: base: a study extends its base before --set is applied"),
    ],
)
def test_what_set_cannot_change_of_rows_is_refused(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, STUDY, override)
