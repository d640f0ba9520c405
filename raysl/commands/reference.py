"""`raysl reference`: writes the reference pages, or says whether those that are checked in are those of now."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, ParameterInfo

from raysl.commands.terminal import PlainConsole
from raysl.errors import ConfigError
from raysl.reports.reference import WRITTEN, prose, reference_pages, table

VALUES: dict[Any, str] = {int: "INTEGER", float: "FLOAT", Path: "PATH", str: "TEXT"}
"""How the value of an option is called, as typer's own help calls it."""


def write_reference(app: typer.Typer, to: Path, console: PlainConsole, *, check: bool) -> bool:
    """Writes the pages into a folder.

    Args:
        app: the commands.
        to: the folder, which is there or whose parent is.
        check: write nothing.

    Returns:
        False where a page is not, or not as it would be written, or where there is another that nothing writes.

    Raises:
        ConfigError: there is no folder to write to.
    """
    pages = {**reference_pages(), "commands.md": commands_page(app)}
    other = sorted(path.name for path in to.glob("*.md") if path.name not in pages)
    if check:
        wrong = [*(name for name, page in pages.items() if _text(to / name) != page), *other]
        said = f"differs in {', '.join(wrong)}: run raysl reference" if wrong else "as it would be written"
        console.print(f"{to}: {said}")
        return not wrong
    if not to.parent.is_dir():
        raise ConfigError(f"--to {to}: there is no folder {to.parent}")
    to.mkdir(exist_ok=True)
    for name in other:
        (to / name).unlink()
    for name, page in pages.items():
        (to / name).write_text(page, encoding="utf-8")
    console.print(f"written: {to}: {len(pages)} pages")
    return True


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def commands_page(app: typer.Typer) -> str:
    """All commands with their arguments and options, from the functions that typer makes them of."""
    commands = sorted(_commands(app, "raysl"), key=lambda one: one[0])
    lines = ["# Commands", "", WRITTEN]
    lines += [f"- [{name}](#{name.replace(' ', '-')}): {_help(function)}" for name, function in commands]
    for name, function in commands:
        lines += ["", *_command(name, function)]
    return "\n".join([*lines, ""])


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command.

    Attributes:
        usage: how it is typed.
        default: empty if it has none.
    """

    usage: str
    default: str
    help: str
    argument: bool


def _command(name: str, function: Callable[..., Any]) -> Iterator[str]:
    parameters = list(_parameters(function))
    options = [] if all(one.argument for one in parameters) else ["[OPTIONS]"]
    usage = [name, *options, *(one.usage for one in parameters if one.argument)]
    yield from (f"## {name}", "", _help(function), "", "```text", " ".join(usage), "```")
    if parameters:
        rows = [(f"`{one.usage}`", one.default, prose(one.help)) for one in parameters]
        yield from ("", *table(["argument or option", "default", "what it does"], rows))


def _commands(app: typer.Typer, name: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in app.registered_commands:
        if command.callback is not None:
            yield f"{name} {command.name or command.callback.__name__.replace('_', '-')}", command.callback
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _commands(group.typer_instance, f"{name} {group.name}")


def _help(function: Callable[..., Any]) -> str:
    return prose(" ".join((function.__doc__ or "").split()))


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, one in inspect.signature(function).parameters.items():
        annotation, info = get_args(hints[name])
        required = one.default is inspect.Parameter.empty
        default = "" if required or one.default in (None, [], False) else f"`{one.default}`"
        value, several = _value(annotation, info, name)
        if isinstance(info, ArgumentInfo):
            usage = value + ("..." if several else "")
            yield Parameter(
                usage if required else f"[{usage}]", "required" if required else default, info.help or "", True
            )
        else:
            yield Parameter(f"{_names(name, annotation, info)}{value}", default, info.help or "", False)


def _value(annotation: Any, info: ParameterInfo, name: str) -> tuple[str, bool]:
    """What is typed for a parameter's value, and whether there may be several."""
    inner = [one for one in get_args(annotation) or (annotation,) if one is not type(None)]
    several = get_origin(annotation) is list or any(get_origin(one) is list for one in inner)
    if isinstance(info, ArgumentInfo):
        return (info.metavar or name.upper()).strip("[]"), several
    plain = next((get_args(one)[0] if get_args(one) else one for one in inner), str)
    return ("" if plain is bool else f" {info.metavar or VALUES.get(plain, 'TEXT')}"), several


def _names(name: str, annotation: Any, info: ParameterInfo) -> str:
    declared = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str) and one[:1] == "-"]
    dashed = name.strip("_").replace("_", "-")
    return ", ".join(declared or ([f"--{dashed}", f"--no-{dashed}"] if annotation is bool else [f"--{dashed}"]))
