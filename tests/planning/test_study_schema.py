"""JSON schema: what the loader takes, it takes; what is mistyped, it marks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from raysl.commands.schema import schema_text
from raysl.config.component import KINDS
from raysl.config.identity import resolved
from raysl.config.yaml_reader import parse_tree, read_tree
from raysl.planning.study import load_study
from tests.planning.studies import RECIPE, SEARCH, STUDY, write_study
from tests.test_cli import raysl

jsonschema = pytest.importorskip("jsonschema")
SHIPPED = sorted((Path(__file__).resolve().parents[2] / "search_spaces").rglob("*.yaml"))
SCALES = [path for path in SHIPPED if path.parent.name == "scales"]
STUDIES = [path for path in SHIPPED if path not in SCALES]
_made: dict[str, Any] = {}


def validator(kind: str) -> Any:
    if kind not in _made:
        _made[kind] = jsonschema.Draft7Validator(json.loads(schema_text(kind)))
    return _made[kind]


def accepts(kind: str, text: str) -> bool:
    return bool(validator(kind).is_valid(parse_tree(text, "a.yaml").data))


@pytest.mark.parametrize("kind", ["study", "scale", "cell", *KINDS])
def test_it_is_a_schema_and_every_reference_leads_somewhere(kind: str) -> None:
    text = schema_text(kind)
    schema = json.loads(text)
    jsonschema.Draft7Validator.check_schema(schema)
    references = {part.split('"')[0] for part in text.split('"$ref": "#/definitions/')[1:]}
    assert references <= set(schema["definitions"])


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_shipped_study_and_recipe_fits(path: Path) -> None:
    assert list(validator("study").iter_errors(read_tree(path).data)) == []


@pytest.mark.parametrize("path", SCALES, ids=lambda path: path.stem)
def test_every_shipped_scale_fits(path: Path) -> None:
    assert list(validator("scale").iter_errors(read_tree(path).data)) == []


def test_resolved_cells_fit(tmp_path: Path) -> None:
    for row in load_study(write_study(tmp_path)).rows:
        data = json.loads(json.dumps(resolved(row.cell)))
        assert list(validator("cell").iter_errors(data)) == []
        del data["backbone"]
        assert not validator("cell").is_valid(data), "a cell has no base to take it from"


GOOD = {
    "a recipe": RECIPE,
    "a study": STUDY,
    "a search": SEARCH,
    "a search in dotted keys": "design: search\nsearch.trials: 5\nsearch.knn: {neighbors: 5}\naxes: null\n",
    "axes of every kind": (
        "axes:\n  objective.contrastive.framework: {choice: [simclr, none]}\n"
        "  backbone: {choice: {deep: {name: slow_r50}}}\n"
        "  training.batch_size: {integers: [8, 16]}\n"
        "  augment.flip: {uniform: [0, 0.5], when: {backbone: deep}}\n"
        "  objective.pretext: {subsets: {speed: {weight: 0.5}, rotation: null}}\n"
    ),
    "a grid": (
        "design: grid\naxes:\n  objective.contrastive.temperature: [0.1, 0.5]\n  clip.size: {small: 32, large: 64}\n"
        "  backbone: {deep: {name: slow_r50}, plain: r3d_18}\n  length: {short: {training.epochs: 5}, none: {}}\n"
        "  objective.pretext: {subsets: [speed, rotation], sizes: [1]}\n"
        "  losses: {subsets: {IC: objective.contrastive}}\n"
    ),
    "one part out": "design: leave_one_out\nparts: [objective.local_local, objective.pretext.speed]\n",
    "one part in": (
        "design: add_one_in\ncore: plain\nparts:\n  a: {clip.size: 32}\n  b: objective.contrastive\n"
        "  c: {with: {clip.size: 32}, without: {}}\n  d: [augment, sampling.windows]\n"
    ),
    "trials of a scale": "scales: {smoke: {trials: 3}}\n",
    "published": STUDY + "reproduces: cvrl_t6\npublished: {rows: {plain: {hidden_layers: 3}}, unscored: [[a, b]]}\n",
    "dotted keys": "training.epochs: 5\naugment.min_area: 0.5\nevaluation.linear.clips: 3\nbackbone.name: slow_r50\n",
    "a dotted key of the study's own names": "datasets.small: {name: ucf101, classes: [a]}\nscales.laptop.seeds: [1]\n",
    "options without the name": "backbone: {width: 0.5}\n",
    "a name alone": "backbone: r3d_18\ndata: synthetic/large\n",
    "a data set of the study's own": "data: mine\n",
    "a component of another package": "backbone: {name: lab.backbones.big, depth: 9}\n",
    "no term": "rows: {a: {objective.contrastive: null}, b: {objective.contrastive: {framework: none}}, c: null}\n",
    "no schedule of batch norm": "batch_norm_group: 8\n",
    "protocol of another package": "evaluations: [lab.probe/ucf101, linear/ucf101/2]\n",
    "a row that repeats another": "rows: {a: {}, b: {same_as: a}}\n",
    "dotted keys in a nested mapping": "objective: {contrastive.temperature: 0.2}\n",
    "own scale": "scales: {laptop: {set: {clip.size: 32}, multiply: {training.epochs: {by: 0.1}}}}\n",
}  # fmt: skip
BAD = {
    "an unknown section": "trainings: {epochs: 5}\n",
    "an unknown key": "training: {epoch: 5}\n",
    "an unknown dotted key": "training.epoch: 5\n",
    "a wrong type": "training: {epochs: '5'}\n",
    "a wrong type in a dotted key": "training.epochs: '5'\n",
    "out of bounds": "objective: {contrastive: {framework: simclr, temperature: 0}}\n",
    "an unknown component": "backbone: {name: r3d_19}\n",
    "an unknown component by name alone": "optimizer: sdg\n",
    "an option of another component": "optimizer: {name: adamw, nesterov: true}\n",
    "an option of no component": "backbone: {widht: 0.5}\n",
    "an unknown key of a row": "rows: {a: {trainings.epochs: 5}}\n",
    "a repetition with a change": "rows: {a: {}, b: {same_as: a, training.epochs: 5}}\n",
    "a dotted key of a nested mapping that leads nowhere": "clip: {frames.number: 5}\n",
    "a wrong type in a row": "rows: {a: {training.epochs: five}}\n",
    "an unknown option of a protocol": "evaluation: {linear: {clip: 5}}\n",
    "an unknown table": "reproduces: cvrl_t66\n",
    "an unknown key of published": "published: {row: {}}\n",
    "a factor that is none": "scales: {laptop: {multiply: {training.epochs: 0.1}}}\n",
    "an unknown design": "design: serach\n",
    "an axis of an unknown kind": "axes: {training.batch_size: {normal: [0, 1]}}\n",
    "an axis that is no key": "axes: {training.batch: {integers: [8, 16]}}\n",
    "an axis that cannot be searched": "axes: {training.seed: {integers: [8, 16]}}\n",
    "an axis of the data": "axes: {data.classes: {integers: [8, 16]}}\n",
    "an axis without a distribution": "axes: {training.batch_size: 8}\n",
    "three bounds": "axes: {training.batch_size: {integers: [8, 16, 32]}}\n",
    "bounds that are no numbers": "axes: {augment.flip: {uniform: [low, high]}}\n",
    "the logarithm of 0": "axes: {augment.flip: {loguniform: [0, 1]}}\n",
    "an unknown setting of a search": "search: {trails: 3}\n",
    "an unknown setting of its score": "search: {knn: {k: 3}}\n",
    "a search of no length": "search: {length: 0}\n",
    "an axis without values": "axes: {clip.size: []}\n",
    "a value of the wrong type": "axes: {clip.size: ['32']}\n",
    "a named value of the wrong type": "axes: {clip.size: {small: '32'}}\n",
    "an unknown key among the changes of a value": "axes: {size: {small: {clips.size: 32}}}\n",
    "a misspelt axis": "axes: {clips.size: [32]}\n",
    "an unknown key beside subsets": "axes: {objective.pretext: {subsets: [speed], size: [1]}}\n",
    "a part that is no key": "parts: [speed]\n",
    "an unknown key of a part": "parts: {speed: {with: {}, wihtout: {}}}\n",
    "trials of a scale that are none": "scales: {smoke: {trials: 0}}\n",
    "a reference without its name": "reference: [{values: {a: 1.0}}]\n",
}


@pytest.mark.parametrize("case", GOOD)
def test_what_the_loader_takes_fits(case: str) -> None:
    assert accepts("study", GOOD[case])


@pytest.mark.parametrize("case", BAD)
def test_what_is_mistyped_is_marked(case: str) -> None:
    assert not accepts("study", BAD[case])


def test_a_component_by_itself() -> None:
    assert accepts("optimizer", "name: sgd\nlearning_rate: {value: 0.1, at_batch: 256}\n")
    assert not accepts("optimizer", "name: sgd\n"), "a resolved one needs its rate"
    assert not accepts("optimizer", "learning_rate: {value: 0.1, at_batch: 256}\n"), "and its name"


def test_options_say_what_they_are() -> None:
    options = json.loads(schema_text("study"))["definitions"]["optimizer.sgd"]["properties"]
    assert options["momentum"]["description"].startswith(
        "share of the last step that is kept. Unit: share. Source: printed"
    )
    assert (options["momentum"]["default"], options["momentum"]["exclusiveMaximum"]) == (0.9, 1)
    key = json.loads(schema_text("study"))["definitions"]["key.clip.frames"]
    assert "Unit: frames." in key["description"]


def test_the_command(tmp_path: Path) -> None:
    done = raysl("schema")
    assert json.loads(done.stdout)["title"] == "raysl: a study or recipe"
    done = raysl("schema", "--kind", "data-set", "--to", tmp_path / "new" / "data.json")
    assert done.returncode == 0, done.stderr
    assert "written" in done.stdout
    assert json.loads((tmp_path / "new" / "data.json").read_text())["title"] == "raysl: a data set"
    wrong = raysl("schema", "--kind", "studdy")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "error: --kind studdy: there is no such schema (did you mean 'study'?)\n",
    )
    assert yaml.safe_load(raysl("schema", "--kind", "cell").stdout)["required"]
