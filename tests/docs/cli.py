"""A command of the documents held against the real command line, without running it."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from raysl.cli import app
from raysl.commands.inputs import load_studies, places_for
from tests.docs.blocks import ROOT

PLACEHOLDER = re.compile(r"…|\.\.\.|^[A-Z][]A-Z_/[-]*$|BUCKET|PROJECT|/SHARED/|package\.module")
"""What the reader replaces: STUDY, FOLDER, s3://BUCKET/store."""


def find_command(words: list[str]) -> tuple[TyperCommand, list[str]]:
    """The command that the words behind ``raysl`` name, and its arguments.

    Raises:
        AssertionError: there is none of this name.
    """
    command: Any = typer.main.get_command(app)
    rest, name = list(words), "raysl"
    while isinstance(command, TyperGroup) and rest and not rest[0].startswith("-"):
        name = f"{name} {rest[0]}"
        assert rest[0] in command.commands, f"there is no command {name}"
        command = command.commands[rest.pop(0)]
    return command, rest


def options_of(command: TyperCommand) -> set[str]:
    """All spellings of its options."""
    return {text for option in command.params if isinstance(option, TyperOption) for text in option.opts} | {"--help"}


def check(words: list[str], made: set[str]) -> None:
    """A command has the options that it is given, and what it names is there.

    Args:
        words: of the command, its program first.
        made: files that earlier commands of the page make.

    Raises:
        AssertionError: saying what is wrong.
    """
    match words:
        case ["raysl", *rest]:
            _check_raysl(_before_redirection(rest), made)
        case ["make", *targets]:
            known = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
            assert {target for target in targets if "=" not in target} <= known, f"Makefile has no {targets}"
        case ["python" | "torchrun" as program, *rest]:
            _check_python(program, rest)
        case ["ray", "job", "submit", *rest] if "--" in rest:
            check(rest[rest.index("--") + 1 :], made)
        case ["sbatch", *rest] if "clusters/slurm.sh" in rest:  # hands on what it is given to raysl run
            _check_raysl(["run", *rest[rest.index("clusters/slurm.sh") + 1 :]], made)


def _before_redirection(words: list[str]) -> list[str]:
    return words[: words.index(">")] if ">" in words else words


def _check_raysl(words: list[str], made: set[str]) -> None:
    command, rest = find_command(words)
    given = command.make_context(command.name, list(rest)).params
    named = (given.get("studies") or [], given.get("study") or [])
    studies = [Path(path) for one in named for path in (one if isinstance(one, list | tuple) else [one])]
    if command.name in {"fidelity", "studies"} or any(
        PLACEHOLDER.search(str(study)) or str(study) in made for study in studies
    ):
        return
    scale = given.get("scale")
    planned = load_studies(studies, scale, given.get("set_") or [])
    if planned and given.get("root"):
        places_for(planned, given["root"], None)
    row: Any = given.get("show_cell")
    assert row is None or any(row == cell.row for item in planned for cell in item.cells), f"there is no row {row}"


def _check_python(program: str, words: list[str]) -> None:
    """The script or module is there, and each option behind it stands in its source."""
    if program == "torchrun" or words[0] == "-m":
        at = words.index("-m") + 1
        spec = find_spec(words[at])
        assert spec is not None, f"there is no module {words[at]}"
        assert spec.origin is not None
        file = Path(spec.origin)
        if spec.submodule_search_locations:
            file = file.with_name("__main__.py")
    else:
        at, file = 0, ROOT / words[0]
        assert file.is_file(), f"there is no {words[0]}"
    if file.is_relative_to(ROOT):
        source = file.read_text(encoding="utf-8")
        for word in words[at + 1 :]:
            option = word.partition("=")[0]
            assert not option.startswith("--") or f'"{option}"' in source, f"{file.name} has no option {option}"
