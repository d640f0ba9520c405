"""`raysl new`: a first study of one's own, with comments, that `raysl plan` accepts as it is."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import yaml

from raysl.commands.data import chosen_set
from raysl.commands.inputs import Planned, load_studies
from raysl.commands.terminal import PlainConsole
from raysl.config.component import Chosen
from raysl.config.document import base_names, find_base, load_document
from raysl.config.suggest import nearest
from raysl.errors import ConfigError
from raysl.planning.study import is_study

TEMPLATE = """\
# A first study: what a recipe learns from {data}, and whether another learning rate serves these videos better.
#
#   raysl plan {file} --scale laptop                 # the cells with their ids; nothing is computed
#   raysl plan {file} --scale laptop --try-step{roots}   # one real step of every cell
#   raysl run {file} --scale laptop{roots}
#
# Scales change the cost and not the science: smoke (seconds), laptop (minutes a cell), paper (as the recipe says).
title: {title}

# All that is not written below. Any key of it may stand here in its place, also dotted: training.epochs: 50
base: {base}

# What the networks are pretrained on.{options}
data: {data}

# A line of the table each, with what it changes of all above; {{}} changes nothing.
rows:
  random weights: {{pretraining: none}}   # what the network gives without learning
  {row}: {{}}
  half the learning rate: {{optimizer.learning_rate.value: {rate}}}
baseline: {row}   # the row that differences are taken against

# Every row is trained once a seed, with the same seeds in all rows: differences are tested over them.
seeds: [0, 1, 2]

# PROTOCOL/DATA: how what was learned is measured, and on which labelled videos.
evaluations: [{evaluations}]
"""

OF_A_FOLDER = """ `folder` draws a quarter of each class for testing; to change that, or for
# a second folder, name it here and below, and bind a folder to the name (--root mine=FOLDER):
# datasets: {mine: {name: folder, split: folders}}"""


def write_study(file: Path, recipe: str, data: str) -> Planned:
    """Writes the study and plans it.

    Args:
        recipe: as the study's ``base:`` would name it: from beside the file on, above it, or what raysl ships.
        data: a data set by its reader's name (``folder``, ``ucf101/1``).

    Raises:
        ConfigError: the file is there already, has no folder or another suffix; there is no such recipe or data set, or
            they do not go together. Nothing is written then.
    """
    if file.suffix != ".yaml":
        raise ConfigError(f"{file}: a study is a YAML file: call it {file.name}.yaml")
    text = study_text(file, recipe, data)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{file}: is there already, and is left as it is: give another name") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written: {error.strerror}") from error
    try:
        (planned,) = load_studies([file], None, [])
    except ConfigError as error:
        file.unlink()
        raise ConfigError(f"--from {recipe}, --data {data}: these make no study: {error}") from error
    return planned


def study_text(file: Path, recipe: str, data: str) -> str:
    """What the study says.

    Raises:
        ConfigError: there is no such recipe or data set, or it has no learning rate.
    """
    base = find_base(recipe, file)
    if base is None:
        raise ConfigError(f"--from {recipe}: there is no such recipe{nearest(recipe, base_names(recipe, file))}")
    document = load_document(base)
    if is_study(document):
        raise ConfigError(f"--from {recipe}: is a study, whose rows these would join: give what it extends (base:)")
    rate = _rate(document.data)
    if rate is None:
        raise ConfigError(f"--from {recipe}: has no optimizer.learning_rate.value, so it is no whole recipe")
    chosen = chosen_set(data, [], None, None)
    return TEMPLATE.format(
        file=shlex.quote(str(file)),
        roots=roots_of(chosen),
        title=json.dumps(f"{base.stem} on {data}", ensure_ascii=False),
        base=_scalar(recipe),
        data=_scalar(data),
        options=OF_A_FOLDER if chosen.name == "folder" else "",
        row=_scalar(base.stem),
        rate=f"{rate / 2:.4g}" if "e" not in f"{rate / 2:.4g}" else f"{rate / 2:.2e}",
        evaluations=", ".join(_scalar(f"{protocol}/{data}") for protocol in _protocols(chosen)),
    )


def roots_of(data: Chosen) -> str:
    """`` --root folder=FOLDER``; empty for what is rendered here."""
    needed = getattr(data.build(), "needs_root", True)
    return f" --root {shlex.quote(data.bound_name)}=FOLDER" if needed else ""


def _protocols(data: Chosen) -> tuple[str, ...]:
    return ("detection",) if data.component.boxes else ("linear", "retrieval")


def _rate(data: object) -> float | None:
    """Of a document in which sections are nested."""
    for key in ("optimizer", "learning_rate", "value"):
        data = data.get(key) if isinstance(data, dict) else None
    return float(data) if isinstance(data, int | float) else None


def _scalar(text: str) -> str:
    """The text in YAML, in quotes where it would be read as something else."""
    plain = re.fullmatch(r"[\w./ -]+", text) and yaml.safe_load(text) == text
    return text if plain else json.dumps(text, ensure_ascii=False)


def print_new(planned: Planned, console: PlainConsole) -> None:
    """What was written, and what to do with it."""
    study = planned.study
    file, roots = shlex.quote(str(study.path)), roots_of(study.rows[0].cell.data)
    console.print(f"written: {study.path}: {len(study.rows)} rows, {len(planned.cells)} cells")
    console.print(f"next: raysl plan {file} --scale laptop")
    console.print(f"      raysl run {file} --scale laptop{roots}")
