"""Nothing that a study writes is ignored: each key changes something, or is refused where it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.errors import ConfigError
from raysl.planning.study import Study, load_study
from tests.planning.studies import RECIPE, SEARCH, STUDY, write_study

ALIASES = STUDY.replace("retrieval/synthetic", "few/synthetic") + (
    "evaluation:\n  finetune: {epochs: 9, batch_size: 4}\n  few: {protocol: finetune, label_fraction: 0.5}\n"
)
SMALL = "title: small\nset:\n  clip.size: 24\nmultiply:\n  training.steps: {by: 0.5}\n"
TABLE = STUDY + 'columns: ["linear/synthetic:top1", "retrieval/synthetic:R@5"]\n'
WARM = "warm: {objective.contrastive.temperature: 0.5}"
LINEAR = "evaluation.linear.clips: 3"


def load(
    folder: Path,
    study: str = STUDY,
    *overrides: str,
    recipe: str = RECIPE,
    small: str = SMALL,
    scale: str | None = None,
) -> Study:
    """A study beside its recipe, with a scale called small."""
    path = write_study(folder, study, recipe)
    (folder / "scales").mkdir(exist_ok=True)
    (folder / "scales" / "small.yaml").write_text(small)
    return load_study(path, scale, list(overrides))


def row(change: str) -> str:
    """The study whose third row, on line 7, makes this change."""
    return STUDY.replace(WARM, f"warm: {{objective.contrastive.temperature: 0.5, {change}}}")


IN_A_STUDY = {
    "a seed that is not listed": (
        STUDY + "training: {seed: 3}\n",
        r"study\.yaml:11: training\.seed: changes nothing: the seeds of all rows are listed under seeds",
    ),
    "a row's own seed": (row("training.seed: 3"), r"study\.yaml:7: training\.seed: changes nothing: .* under seeds"),
    "options of a protocol that does not exist": (
        STUDY + "evaluation: {linaer: {clips: 3}}\n",
        r"study\.yaml:11: evaluation\.linaer: unknown protocol 'linaer' \(did you mean 'linear'\?\)",
    ),
    "options of a protocol that is not evaluated": (
        STUDY + "evaluation: {finetune: {epochs: 3}}\n",
        r"study\.yaml:11: evaluation\.finetune: the study evaluates no 'finetune'.*valid: linear, retrieval",
    ),
    "a misspelt option of what is evaluated": (
        STUDY + "evaluation:\n  linear: {cilps: 3}\n",
        r"study\.yaml:12: evaluation\.linear\.cilps: unknown key \(did you mean 'clips'\?\)",
    ),
    "a misspelt option of an alias": (
        ALIASES.replace("label_fraction", "label_fracton"),
        r"study\.yaml:13: evaluation\.few\.label_fracton: unknown key \(did you mean 'label_fraction'\?\)",
    ),
    "a misspelt option of an alias that nobody evaluates": (
        STUDY + "evaluation: {few: {protocol: linear, clps: 3}}\n",
        r"study\.yaml:11: evaluation\.few\.clps: unknown key \(did you mean 'clips'\?\)",
    ),
    "a misspelt protocol of an alias": (
        STUDY + "evaluation: {few: {protocol: linaer}}\n",
        r"study\.yaml:11: evaluation\.few\.protocol: unknown protocol 'linaer' \(did you mean 'linear'\?\)",
    ),
    "an alias with the name of a protocol": (
        STUDY + "evaluation: {retrieval: {protocol: linear}}\n",
        r"study\.yaml:11: evaluation\.retrieval\.protocol: is the name of a protocol",
    ),
    "an import path that leads nowhere": (
        STUDY + "evaluation: {lab.probe: {clips: 3}}\n",
        r"study\.yaml:11: evaluation\.lab\.probe: protocol 'lab\.probe': there is no module of this name",
    ),
    "a row with options of a misspelt protocol": (
        row("evaluation.finetne.epochs: 3"),
        r"study\.yaml:7: evaluation\.finetne: the study evaluates no 'finetne'.*\(row 'warm'\)",
    ),
    "a row with options of a protocol that is not evaluated": (
        row("evaluation: {finetune: {epochs: 3}}"),
        r"study\.yaml:7: evaluation\.finetune: the study evaluates no 'finetune'.*\(row 'warm'\)",
    ),
    "a row with a misspelt option": (
        row("evaluation.linear.clps: 3"),
        r"study\.yaml:7: evaluation\.linear\.clps: unknown key \(did you mean 'clips'\?\) \(row 'warm'\)",
    ),
    "a row with an option out of bounds": (
        row("evaluation.linear: {clips: 0}"),
        r"study\.yaml:7: evaluation\.linear\.clips: should be greater than or equal to 1, not 0 \(row 'warm'\)",
    ),
    "a column of no evaluation": (
        TABLE.replace("retrieval/synthetic:R", "retreival/synthetic:R"),
        r"study\.yaml:11: columns\.1: .*there is no evaluation 'retreival/synthetic' \(did you mean 'retrieval/synth",
    ),
    "a column of no metric": (
        TABLE.replace("top1", "top17"),
        r"study\.yaml:11: columns\.0: 'linear/synthetic:top17': linear/synthetic measures no 'top17' \(did you mean",
    ),
    "a list of nearest videos that is not searched": (
        TABLE.replace("R@5", "R@2"),
        r"columns\.1: .*retrieval/synthetic measures no 'R@2'",
    ),
    "a column twice": (
        TABLE.replace('"retrieval/synthetic:R@5"', '"linear/synthetic"'),
        r"columns\.1: 'linear/synthetic' is given twice",
    ),
    "a reference for no column": (
        TABLE + 'reference:\n  - name: chance\n    values: {"linear/synthetic:top5": 25.0}\n',
        r"study\.yaml:14: reference\.0\.values\.linear/synthetic:top5: is no column of the table",
    ),
    "a reference whose column has no metric": (
        TABLE + 'reference: [{name: chance, values: {"linear/synthetic": 25.0}}]\n',
        r"study\.yaml:12: reference\.0\.values\.linear/synthetic: is no column of the table \(did you mean",
    ),
    "an evaluation twice": (
        STUDY.replace("retrieval/synthetic", "linear/synthetic"),
        r"study\.yaml:10: evaluations\.1: 'linear/synthetic' is given twice",
    ),
    "a data set that nothing uses": (
        STUDY + "datasets: {mine: {name: folder}}\n",
        r"study\.yaml:11: datasets\.mine: nothing in the study uses this data set",
    ),
    "a misspelt option of a data set that nothing uses": (
        STUDY + "datasets: {mine: {name: folder, splt: folders}}\n",
        r"study\.yaml:11: datasets\.mine\.splt: unknown key \(did you mean 'split'\?\)",
    ),
    "a scale that does not exist": (
        STUDY + "scales: {smal: {set: {clip.size: 28}}}\n",
        r"study\.yaml:11: scales\.smal: there is no scale 'smal' \(did you mean 'small'\?\); one that only this study",
    ),
    "a misspelt key of a scale that is not in use": (
        STUDY + "scales: {small: {sett: {clip.size: 28}}}\n",
        r"study\.yaml:11: sett: unknown key \(did you mean 'set'\?\)",
    ),
    "a misspelt option in a scale that is not in use": (
        STUDY + "scales:\n  small:\n    set: {clip.sise: 28}\n",
        r"study\.yaml:13: clip\.sise: unknown key \(did you mean 'size'\?\)",
    ),
    "a misspelt section in a scale that is not in use": (
        STUDY + "scales:\n  small:\n    set: {clpi.size: 28}\n",
        r"study\.yaml:13: clpi: unknown key \(did you mean 'clip'\?\)",
    ),
    "a factor of a key that does not exist": (
        STUDY + "scales:\n  small:\n    multiply:\n      training.stpes: {by: 0.5}\n",
        r"study\.yaml:14: multiply\.training\.stpes: unknown key 'stpes' \(did you mean 'steps'\?\)",
    ),
    "a factor of a name": (
        STUDY + "scales: {small: {multiply: {training.precision: {by: 0.5}}}}\n",
        r"multiply\.training\.precision: 'precision' is no number",
    ),
    "a factor of a protocol that does not exist": (
        STUDY + "scales: {small: {multiply: {evaluation.finetne.epochs: {by: 0.5}}}}\n",
        r"multiply\.evaluation\.finetne\.epochs: unknown protocol 'finetne' \(did you mean 'finetune'\?\)",
    ),
    "options in a scale of what is not evaluated": (
        STUDY + "scales:\n  small:\n    set:\n      evaluation.linaer: {protocol: linear, clips: 2}\n",
        r"study\.yaml:14: evaluation\.linaer: the study evaluates no 'linaer'.*changes nothing \(did you mean 'linear'",
    ),
    "an option in a scale of what is not evaluated": (
        STUDY + "scales:\n  small:\n    set: {evaluation.finetune.epochs: 2}\n",
        r"study\.yaml:13: evaluation\.finetune: the study evaluates no 'finetune', so this changes nothing",
    ),
    "an evaluation whose options a row changes": (
        STUDY.replace("linear/synthetic", "linearr/synthetic").replace(
            "rows:\n", "rows:\n  clips: {evaluation.linear.clips: 2}\n", 1
        ),
        r"study\.yaml:\d+: evaluations\.0: unknown protocol 'linearr' \(did you mean 'linear'\?\)",
    ),
    "a substitute for no data set": (
        STUDY + "scales: {small: {substitute: {ucf11: synthetic}}}\n",
        r"study\.yaml:11: substitute\.ucf11: there is no data set 'ucf11' \(did you mean 'ucf101'\?\)",
    ),
    "trials without a search": (STUDY + "scales: {small: {trials: 3}}\n", r"scales\.small\.trials: only a search has"),
    "a design that does not exist": (
        STUDY + "design: serach\n",
        r"study\.yaml:11: design: should be .*'search', not 'serach' \(did you mean 'search'\?\)",
    ),
    "a seed below 0": (STUDY.replace("[0, 1]", "[0, -1]"), r"study\.yaml:9: seeds\.1: should be greater than or equal"),
    "a seed that is too large": (STUDY.replace("[0, 1]", "[4294967296]"), r"study\.yaml:9: seeds\.0: should be less"),
    "one seed": (STUDY.replace("[0, 1]", "3"), r"study\.yaml:9: seeds: should be a list in brackets, not 3"),
    "one evaluation": (
        STUDY.replace("[linear/synthetic, retrieval/synthetic]", "linear/synthetic"),
        r"study\.yaml:10: evaluations: should be a list in brackets, not 'linear/synthetic'",
    ),
    "a key in two spellings": (
        row("objective: {contrastive: {temperature: 0.4}}"),
        r"study\.yaml:7: objective\.contrastive\.temperature: this key is written twice",
    ),
    "off and changed in one row": (
        row("objective.local_local.weight: 0.5, objective: {local_local: null}"),
        r"study\.yaml:7: objective\.local_local: this key is written twice",
    ),
    "a task that does not exist, switched off": (
        row("objective.pretext: {shufle: null}"),
        r"study\.yaml:7: objective\.pretext\.shufle: unknown pretext task 'shufle' \(did you mean 'shuffle'\?\)",
    ),
    "a base with a misspelt name": (STUDY.replace("base: recipe", "base: recipee"), r"base: .*did you mean 'recipe'\?"),
}


NO_LABELS = "datasets: {mine: {name: folder, labels: none}}\ndata: mine\n"
IN_A_STUDY |= {
    "an evaluation on videos without labels": (
        STUDY.replace("retrieval/synthetic", "linear/mine") + NO_LABELS,
        r"study\.yaml:10: evaluations\.1: 'linear/mine' needs labels, and this data set has none",
    ),
    "labels of a set whose people have boxes": (
        STUDY.replace("retrieval/synthetic", "linear/synthetic_boxes"),
        r"evaluations\.1: 'linear/synthetic_boxes' needs labels, .*: its people have boxes, which detection reads",
    ),
    "boxes of a set that has none": (
        STUDY.replace("retrieval/synthetic", "detection/synthetic"),
        r"evaluations\.1: 'detection/synthetic' needs frames with boxes of people, and this data set has none",
    ),
    "supervised pretraining on videos without labels": (
        row("pretraining: supervised") + NO_LABELS,
        r"labels are needed for pretraining: supervised, and this data set has none \(row 'warm'\)",
    ),
    "a search that is scored on videos without labels": (
        SEARCH + NO_LABELS,
        r"study\.yaml:9: search: trials are scored by labels, and mine has none",
    ),
}


@pytest.mark.parametrize("case", IN_A_STUDY)
def test_what_a_study_writes_for_nothing_is_refused_at_its_line(case: str, tmp_path: Path) -> None:
    text, message = IN_A_STUDY[case]
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


IN_A_RECIPE = {
    "an option of a protocol that the study does not evaluate": (
        "evaluation:\n  finetune: {epohcs: 3}\n",
        r"recipe\.yaml:12: evaluation\.finetune\.epohcs: unknown key \(did you mean 'epochs'\?\)",
    ),
    "a protocol that does not exist": (
        "evaluation: {finetne: {epochs: 3}}\n",
        r"recipe\.yaml:11: evaluation\.finetne: unknown protocol 'finetne'",
    ),
    "a data set that nothing uses": (
        "datasets: {mine: {name: folder, splt: folders}}\n",
        r"recipe\.yaml:11: datasets\.mine\.splt: unknown key",
    ),
    "a scale that does not exist": ("scales: {smal: {seeds: [1]}}\n", r"recipe\.yaml:11: scales\.smal: there is no sc"),
}


@pytest.mark.parametrize("case", IN_A_RECIPE)
def test_what_a_recipe_writes_is_checked_also_where_it_changes_nothing(case: str, tmp_path: Path) -> None:
    text, message = IN_A_RECIPE[case]
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, recipe=RECIPE + text)


def test_a_recipe_may_configure_what_a_study_does_not_use(tmp_path: Path) -> None:
    text = "evaluation: {finetune: {epochs: 3}}\ndatasets: {mine: {name: folder}}\n"
    assert len(load(tmp_path, recipe=RECIPE + text).rows) == 3


def test_an_option_that_the_study_replaces_is_checked_all_the_same(tmp_path: Path) -> None:
    other = STUDY + "objective: {contrastive: {framework: moco, queue_size: 16}}\n"
    contrastive = load(tmp_path, other).rows[1].cell.objective.contrastive
    assert contrastive is not None
    assert contrastive.name == "moco"
    with pytest.raises(ConfigError, match=r"recipe\.yaml:7: objective\.contrastive\.temprature: unknown key"):
        load(tmp_path, other, recipe=RECIPE.replace("temperature: 0.1", "temprature: 0.1"))
    augment = STUDY + "augment: {name: none}\n"
    with pytest.raises(ConfigError, match=r"recipe\.yaml:5: augment\.jittr: unknown key"):
        load(tmp_path, augment, recipe=RECIPE.replace("{name: standard}", "{name: standard, jittr: 0.0}"))


OVERRIDES = {
    "a protocol that does not exist": (
        "evaluation.linaer.clips=3",
        r"--set: evaluation\.linaer: the study evaluates no",
    ),
    "a protocol that is not evaluated": (
        "evaluation.finetune.epochs=3",
        r"--set: evaluation\.finetune: the study eval",
    ),
    "a misspelt option": ("evaluation.linear.clps=3", r"--set: evaluation\.linear\.clps: unknown key"),
    "an option out of bounds": (
        "evaluation.linear.clips=0",
        r"--set: evaluation\.linear\.clips: should be greater than",
    ),
    "a misspelt key": ("training.stpes=3", r"--set: training\.stpes: unknown key \(did you mean 'steps'\?\)"),
    "a column": ("columns=[linear/synthetic:top17]", r"--set: columns\.0: .*measures no 'top17'"),
    "a data set": ("datasets.mine={name: folder}", r"--set: datasets\.mine: nothing in the study uses this data set"),
    "seeds": ("seeds=[-1]", r"--set: seeds\.0: should be greater than or equal to 0"),
    "a scale": ("scales.smal.seeds=[1]", r"--set: scales\.smal: there is no scale"),
}


@pytest.mark.parametrize("case", OVERRIDES)
def test_what_set_says_for_nothing_is_refused_as_said_with_set(case: str, tmp_path: Path) -> None:
    override, message = OVERRIDES[case]
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, STUDY, override)


SCALES = {
    "a misspelt key of the configuration": (
        SMALL.replace("clip.size", "clip.sise"),
        r"scales/small\.yaml:3: clip\.sise: unknown key \(did you mean 'size'\?\)",
    ),
    "a misspelt protocol": (
        SMALL.replace("clip.size: 24", "evaluation.finetne.epochs: 2"),
        r"scales/small\.yaml:3: evaluation\.finetne: unknown protocol 'finetne'",
    ),
    "a value out of bounds": (SMALL.replace("24", "2"), r"scales/small\.yaml:3: clip\.size: should be greater than"),
    "a misspelt factor": (SMALL.replace("by", "bye"), r"scales/small\.yaml:5: multiply\.training\.steps\.bye: unknown"),
    "a misspelt key of a factor": (SMALL.replace("steps", "step"), r"small\.yaml:5: multiply\.training\.step: unknown"),
    "a seed": (SMALL + "seeds: [4294967296]\n", r"scales/small\.yaml:6: seeds\.0: should be less than or equal"),
    "a misspelt option of a data set": (
        SMALL + "datasets:\n  tiny: {name: synthetic, clases: 3}\n",
        r"scales/small\.yaml:7: datasets\.tiny\.clases: unknown key",
    ),
    "what its factor makes of a value": (
        SMALL + "  training.batch_size: {by: 0.125}\n",
        r"scales/small\.yaml:6: training\.batch_size: should be greater than or equal to 2, not 1 \(row 'random'\)",
    ),
}


@pytest.mark.parametrize("case", SCALES)
def test_what_does_not_fit_in_a_scale_is_reported_at_its_own_line(case: str, tmp_path: Path) -> None:
    text, message = SCALES[case]
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, small=text, scale="small")


def test_a_scale_of_the_study_alone_says_so_with_a_title(tmp_path: Path) -> None:
    text = STUDY + "scales: {own: {title: my own, set: {clip.size: 28}}}\n"
    assert load(tmp_path, text, scale="own").rows[1].cell.clip.size == 28
    assert load(tmp_path, text).rows[1].cell.clip.size == 32


def test_data_sets_that_a_scale_uses_are_used(tmp_path: Path) -> None:
    tiny = "datasets: {tiny: {name: synthetic, classes: 3}}\n"
    text = STUDY.replace("linear/synthetic, retrieval/synthetic", "linear/ucf101") + tiny
    assert len(load(tmp_path, text, small=SMALL + "substitute: {ucf101: tiny}\n").rows) == 3
    own = text + "scales: {small: {substitute: {ucf101: tiny}}}\n"
    assert load(tmp_path, own, scale="small").rows[0].evaluations[0].label == "linear/tiny"


def test_a_search_uses_the_set_that_it_is_scored_on(tmp_path: Path) -> None:
    text = SEARCH.replace("seed: 7}", "seed: 7, data: scored}") + "datasets: {scored: {name: synthetic, classes: 3}}\n"
    assert load(tmp_path, text).root_names >= {"synthetic", "scored"}


def test_a_protocol_of_another_package_takes_options_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is an import path, whose dots look like those of nested keys."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "__init__.py").write_text("")
    (tmp_path / "lab" / "probe.py").write_text(
        "from raysl.config.component import Component\n"
        "from raysl.evaluation.protocols.linear import LinearOptions, LinearProbe\n"
        "COMPONENT = Component(kind='protocol', options=LinearOptions, build=LinearProbe)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = STUDY.replace("linear/synthetic", "lab.probe/synthetic") + 'columns: ["lab.probe/synthetic:anything"]\n'
    text = text.replace(WARM, "warm: {evaluation.lab.probe.clips: 3}").replace(
        "base:", "evaluation: {lab.probe: {folds: 3}}\nbase:"
    )
    plain, warm = load(tmp_path, text).rows[1:]
    assert [row.evaluations[0].protocol.options.clips for row in (plain, warm)] == [5, 3]
    assert plain.evaluations[0].protocol.options.folds == 3
    overridden = load(tmp_path, text, "evaluation.lab.probe.iterations=7").rows[1]
    assert overridden.evaluations[0].protocol.options.iterations == 7
    with pytest.raises(ConfigError, match=r"--set: evaluation\.lab\.probe\.clps: unknown key"):
        load(tmp_path, text, "evaluation.lab.probe.clps=7")


def clips_and_epochs(study: Study) -> tuple[int, int]:
    options = study.rows[0].evaluations[1].protocol.options
    return options.clips, options.epochs


def test_set_reaches_the_second_names_of_a_protocol(tmp_path: Path) -> None:
    assert clips_and_epochs(load(tmp_path, ALIASES)) == (10, 9)
    assert clips_and_epochs(load(tmp_path, ALIASES, "evaluation.finetune.epochs=2")) == (10, 2)
    assert clips_and_epochs(load(tmp_path, ALIASES, "evaluation.few.epochs=3", "evaluation.finetune.epochs=2")) == (
        10,
        3,
    )
    own = ALIASES.replace("label_fraction: 0.5", "label_fraction: 0.5, epochs: 5, clips: 4")
    assert clips_and_epochs(load(tmp_path, own)) == (4, 5)
    assert clips_and_epochs(load(tmp_path, own, "evaluation.finetune.epochs=2")) == (4, 2)


def test_a_scale_reaches_them_too_and_set_wins_over_its_factors(tmp_path: Path) -> None:
    small = SMALL + "  evaluation.finetune.epochs: {by: 2}\n"
    assert clips_and_epochs(load(tmp_path, ALIASES, small=small, scale="small")) == (10, 18)
    text = ALIASES + "scales: {small: {multiply: {evaluation.few.epochs: {by: 3}, evaluation.few.clips: {by: 0.5}}}}\n"
    assert clips_and_epochs(load(tmp_path, text, small=small, scale="small")) == (5, 27)
    overridden = load(tmp_path, text, "evaluation.finetune.epochs=2", small=small, scale="small")
    assert clips_and_epochs(overridden) == (5, 2)


def test_another_component_of_an_alias_has_its_own_options(tmp_path: Path) -> None:
    """As everywhere: options of the old choice go with it."""
    text = ALIASES.replace(
        "batch_size: 4",
        "batch_size: 4, optimizer: {name: sgd, learning_rate: {value: 0.1, at_batch: 8}, momentum: 0.5}",
    )
    rate = "{name: adamw, learning_rate: {value: 0.001, at_batch: 8}}"
    text = text.replace("label_fraction: 0.5", f"label_fraction: 0.5, optimizer: {rate}")
    assert load(tmp_path, text).rows[0].evaluations[1].protocol.options.optimizer.name == "adamw"


def test_keys_of_a_component_of_another_package_may_be_scaled_and_crossed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab_of_backbones").mkdir()
    (tmp_path / "lab_of_backbones" / "__init__.py").write_text("")
    (tmp_path / "lab_of_backbones" / "wide.py").write_text(
        "from raysl.config.component import Component\n"
        "from raysl.config.options import option\n"
        "from raysl.models.backbones import r3d_18\n"
        "class WideOptions(r3d_18.COMPONENT.options):\n"
        "    heads: int = option(4, doc='x', source='(ours)')\n"
        "COMPONENT = Component(kind='backbone', options=WideOptions, build=r3d_18.COMPONENT.build)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    text = (
        STUDY
        + "backbone: {name: lab_of_backbones.wide, width: 0.0625}\ndesign: grid\naxes: {backbone.heads: [8, 16]}\n"
    )
    small = SMALL + "  backbone.heads: {by: 0.5}\n"
    rows = load(tmp_path, text, small=small, scale="small").rows
    assert {row.cell.backbone.options.heads for row in rows} == {2, 4, 8}
    with pytest.raises(ConfigError, match=r"axes\.backbone\.haeds: unknown key 'haeds' \(did you mean 'heads'\?\)"):
        load(tmp_path, text.replace("backbone.heads", "backbone.haeds"), small=small)


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (
            "objective.contrastive.temprature: [0.2]",
            r"study\.yaml:12: axes\.objective\.contrastive\.temprature: unknown",
        ),
        ("objjective.contrastive: {a: {framework: moco}}", r"axes\.objjective\.contrastive: unknown key 'objjective'"),
        ("clip: {a: {frames: 2}, b: {frame: 3}}", r"study\.yaml:12: clip\.frame: unknown key \(did you mean 'frames'"),
    ],
)
def test_a_misspelt_axis_of_a_design_is_refused_at_its_line(axis: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, STUDY + f"design: grid\naxes: {{{axis}}}\n")


def test_a_seed_that_is_set_is_refused_and_that_of_a_recipe_is_replaced(tmp_path: Path) -> None:
    for given in ("training.seed=3", "rows.warm.training.seed=3"):
        with pytest.raises(ConfigError, match=r"--set: training\.seed: changes nothing"):
            load(tmp_path, STUDY, given)
    seeded = RECIPE.replace("batch_size: 8}", "batch_size: 8, seed: 3}")
    assert load(tmp_path, recipe=seeded).seeds == load(tmp_path).seeds == (0, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("evaluations: []\nseeds: [0]\n", r"study\.yaml:9: evaluations: should be a list of at least 1, not \(\)"),
        ("evaluations: [linear/synthetic]\nseeds: []\n", r"study\.yaml:10: seeds: should be a list of at least 1, not"),
        ("evaluations: [linear/synthetic]\ntraining: 3\n", r"study\.yaml:10: training: should be a mapping, not 3"),
    ],
)
def test_what_is_empty_or_no_mapping_is_said_in_the_words_of_yaml(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, STUDY.partition("seeds:")[0] + text)
