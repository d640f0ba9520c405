"""No misspelling in a shipped study, recipe or scale is ignored: each is an error that names file and line."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from raysl.config.document import load_document
from raysl.errors import ConfigError
from raysl.planning.study import load_study
from tests.search_spaces.misspelling import Word, all_words
from tests.search_spaces.shipped import SEARCH_SPACES

FAST, ALL = 60, 500
"""How many are tried in the fast tests, and in all."""


EXTENDS = """
title: a study of a recipe
base: {recipe}
rows: {{plain: {{}}}}
evaluations: [{evaluations}]
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("misspelt") / "search_spaces"
    shutil.copytree(SEARCH_SPACES, folder)
    return folder


@cache
def known_words() -> frozenset[str]:
    """Every word that stands anywhere: a misspelling must not be another right spelling."""
    return frozenset(
        part
        for file in SEARCH_SPACES.rglob("*.yaml")
        for part in re.findall(r"[\w@/]+", file.read_text(encoding="utf-8"))
    )


@cache
def second_names(file: Path) -> tuple[str, ...]:
    evaluation = load_document(file).data.get("evaluation") or {}
    return tuple(name for name, options in evaluation.items() if "protocol" in options)


def refused(word: Word, folder: Path, generator: np.random.Generator) -> str:
    """Why the file with the misspelt word is refused; what was written where it is not."""
    place = word.file.relative_to(SEARCH_SPACES)
    text = word.file.read_text(encoding="utf-8")
    wrong, written = word.misspelt(text, generator)
    while any(
        part in known_words()
        for part in set(re.findall(r"[\w@/]+", written)) - set(re.findall(r"[\w@/]+", text[word.start : word.end]))
    ):
        wrong, written = word.misspelt(text, generator)
    study, scale = folder / place, None
    if place.parts[0] == "recipes":
        study = folder / "extends.yaml"
        names = ["linear", *second_names(word.file)]  # what a recipe gives a second name is for studies to evaluate
        evaluations = ", ".join(f"{name}/ucf101" for name in names)
        recipe = place.with_suffix("").as_posix()
        study.write_text(EXTENDS.format(recipe=recipe, evaluations=evaluations), encoding="utf-8")
    elif place.parts[0] == "scales":
        study, scale = folder / "cstp" / "ucf101_5class.yaml", place.stem
    (folder / place).write_text(wrong, encoding="utf-8")
    try:
        load_study(study, scale)
    except ConfigError as error:
        where = (
            f"{folder / place}:{word.line}: "
            if place.parts[0] not in ("recipes", "scales") and not word.is_definition
            else ""
        )
        named = str(folder) in str(error)
        return "" if where in str(error) and named else f"{place}:{word.line}: {written}: another place: {error}"
    finally:
        (folder / place).write_text(text, encoding="utf-8")
    return f"{place}:{word.line}: {written} in the place of {text[word.start : word.end]} was ignored"


def gives_again(word: Word) -> bool:
    """Whether a recipe changes an evaluation of its base: another spelling is one more, which nothing has to use."""
    base = re.search(r"^base: (recipes/\w+)$", word.file.read_text(encoding="utf-8"), re.MULTILINE)
    if base is None or word.file.parent.name != "recipes" or not word.is_definition:
        return False
    return word.path[-1] in (load_document(SEARCH_SPACES / f"{base[1]}.yaml").data.get("evaluation") or {})


def problems(count: int, seed: int, folder: Path) -> list[str]:
    generator = np.random.default_rng(seed)
    words = [word for word in all_words() if not gives_again(word)]
    chosen = [words[index] for index in generator.permutation(len(words))[:count]]
    return [problem for word in chosen if (problem := refused(word, folder, generator))]


def test_a_misspelt_word_is_refused_where_it_stands(copy: Path) -> None:
    assert problems(FAST, 0, copy) == []


@pytest.mark.slow
def test_five_hundred_misspelt_words_are_refused_where_they_stand(copy: Path) -> None:
    assert problems(ALL, 1, copy) == []
