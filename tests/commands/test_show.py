"""`raysl show`: what a configuration can have, in a terminal."""

from __future__ import annotations

import subprocess
import sys

import pytest

from raysl.commands.show import show_lines
from raysl.commands.show_page import WIDTH
from raysl.config.cell import CellConfig
from raysl.config.component import KINDS, find, names
from raysl.errors import ConfigError
from tests.objectives.outside import FADE, FOLDER
from tests.test_cli import raysl

LISTS = """
import sys
from raysl.commands.show import show_lines
from raysl.config.component import KINDS
text = [line for what in (None, *KINDS, "training", "clip.frames") for line in show_lines(what)]
assert len(text) > 100
sys.exit("torch" in sys.modules)
"""


def shown(what: str | None) -> str:
    return "\n".join(show_lines(what))


def test_the_overview_names_every_kind_and_key() -> None:
    text = shown(None)
    for name in (*KINDS, *CellConfig.model_fields, "evaluation", "study", "scale"):
        assert f"\n  {name}  " in text


def test_lists_import_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", LISTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_lists_its_components_with_what_each_is(kind: str) -> None:
    lines = list(show_lines(kind.replace(" ", "-")))
    for name in names(kind):
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(line.removeprefix(f"  {name}").strip()) > 10
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("kind", KINDS)
def test_a_components_page_has_every_option_within_80_columns(kind: str) -> None:
    for name in names(kind):
        lines = list(show_lines(f"{kind}/{name}"))
        keys = [line.split(":")[0].strip() for line in lines if line.startswith("  ") and ": " in line]
        assert set(find(kind, name).options.model_fields) <= set(keys), name
        long = [line for line in lines if len(line) > WIDTH and " " in line.strip()]
        assert long == [], name


def test_a_component_in_full() -> None:
    text = shown("framework/moco")
    assert text.startswith("framework moco, version 1\nraysl.objectives.frameworks.moco\n\nMoCo: a clip's key,")
    assert "https://arxiv.org/abs/1911.05722" in text
    assert "Chosen by objective.contrastive.framework, for example:" in text
    assert "      contrastive:\n        framework: moco\n        temperature: 0.07\n" in text
    option = (
        "  queue_size: int 2 to 16777216 (keys); default 65536\n"
        "      Keys that are kept as negatives; a multiple of the keys of a batch.\n"
        "      Source: printed: MoCo 4.1; code: CoCLR 2048 for UCF101, 16384 for\n"
        "      Kinetics-400\n"
    )
    assert option in text
    assert shown("moco") == text, "its name alone says which it is"


def test_what_a_protocol_measures() -> None:
    text = shown("protocol/retrieval")
    assert "Metrics: R@1, R@5, R@10, R@20, R@50 (the first is the headline)." in text
    assert "evaluations: [retrieval/ucf101]" in text


def test_a_component_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    text = shown(f"pretext task/{FADE}")
    assert "Fade: does the clip become brighter or darker?" in text
    assert f"        {FADE}:\n" in text
    assert "\n  strength: float" in text


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("training", "  training.batch_size: int 2 to 1048576 (videos); default 64"),
        ("training.workers", "Enters no id."),
        ("clip.size", "  clip.size: int 16 to 512 (pixels); default 112"),
        ("objective.contrastive.temperature", "Of the framework simclr:"),
        ("objective.contrastive.framework", "  byol           BYOL:"),
        ("objective.contrastive.predictor.hidden_dim", "Of the framework byol:"),
        ("objective.pretext.rotation.jitter", "float 0 to 45 (degrees); default 3.0"),
        ("objective.local_local", "temporal loss local_local, version"),
        ("optimizer.learning_rate.value", "Of the optimizer adam, adamw, lars, sgd:"),
        ("evaluation.linear", "protocol linear, version"),
        ("evaluation.finetune.optimizer.momentum", "Of the optimizer sgd"),
        ("evaluation.finetune.epochs", "Of the protocol finetune:"),
        ("augment.temporal.max_rate", "Source: printed: SSTL: 1.25"),
        ("study", "  seeds: list of int 0 to 2147483647, at least 1; default [0, 1, 2]"),
        ("search", "  search.trials: int 1 to 1e6 (trials); default 24"),
        ("scale", "  multiply.KEY.by: float 0 to 1e6; required"),
        ("evaluation", "  retrieval  "),
    ],
)
def test_keys(key: str, expected: str) -> None:
    assert expected in shown(key)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("frmework", "did you mean 'framework'"),
        ("framework/moc", "did you mean 'moco'"),
        ("frmework/moco", "did you mean 'framework'"),
        ("training.batchsize", "did you mean 'batch_size'"),
        ("objective.contrastive.temperatur", "did you mean 'temperature'"),
        ("evaluation.lin.c", "did you mean 'linear'"),
        ("trainin", "did you mean 'training'"),
        ("global_local", "window sampler/global_local, temporal loss/global_local"),
        ("qqqq", "raysl show lists"),
        ("", "raysl show lists"),
    ],
)
def test_a_wrong_name_says_the_nearest(typed: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        shown(typed)


def test_the_command() -> None:
    done = raysl("show", "framework/simclr")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == shown("framework/simclr") + "\n"
    assert raysl("show", "framework/simcl").returncode == 2
