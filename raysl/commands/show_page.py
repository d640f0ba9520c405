"""How `raysl show` writes an option, a component and a list: plain text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from raysl.config.describe_component import ComponentText
from raysl.config.describe_option import OptionText

WIDTH = 79
SECTION = "see its fields"
"""The source of a section, whose options have their own."""


def list_lines(items: Sequence[tuple[str, str]], indent: str = "  ") -> Iterator[str]:
    """Names with what each is, in two columns."""
    column = min(max((len(name) for name, _ in items), default=0), 30) + 2
    for name, text in items:
        first = f"{indent}{name}".ljust(len(indent) + column)
        yield from wrapped(text, first, " " * (len(indent) + column))


def option_lines(options: Iterable[OptionText]) -> Iterator[str]:
    """Each option: key, what it may hold, unit and default; what it does; where the default comes from."""
    for option in options:
        unit = f" ({option.unit})" if option.unit else ""
        default = "required" if option.required else "" if option.default is None else f"default {option.default}"
        head = f"{option.key}: {option.values}{unit}" + (f"; {default}" if default else "")
        yield from wrapped(head, "  ", "      ")
        yield from wrapped(f"{_sentence(option.doc)}{'' if option.identity else ' Enters no id.'}", "      ")
        if option.source != SECTION:
            yield from wrapped(f"Source: {option.source}", "      ")


def component_lines(component: ComponentText) -> Iterator[str]:
    """A component's page."""
    yield f"{component.kind} {component.name}, version {component.version}"
    yield f"{component.path}"
    yield ""
    yield from wrapped(component.summary)
    yield from text_lines(component.text)
    yield ""
    if component.metrics:
        yield from wrapped(f"Metrics: {', '.join(component.metrics)} (the first is the headline).")
    for note in component.notes:
        yield from wrapped(note)
    yield from ([""] if component.metrics or component.notes else [])
    yield f"Chosen by {component.key}, for example:"
    yield ""
    yield from (f"    {line}" for line in component.example.splitlines())
    yield ""
    if not component.options:
        yield "It has no options."
        return
    yield "Options:"
    yield from option_lines(component.options)


def text_lines(text: str) -> Iterator[str]:
    """A docstring's paragraphs and lists, an empty line before each paragraph."""
    for block in filter(None, text.split("\n\n")):
        yield ""
        for part in _parts(block):
            item = part.startswith(("- ", "  "))
            yield from wrapped(part, "", "  " if item else "")


def wrapped(text: str, first: str = "", rest: str | None = None) -> Iterator[str]:
    """Lines of at most 79 columns; a word that is longer keeps a line of its own."""
    indent = first if rest is None else rest
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    yield from lines or [first.rstrip()]


def _parts(block: str) -> list[str]:
    """A paragraph as one line, or a list's items as one line each."""
    parts: list[str] = []
    for line in block.split("\n"):
        if parts and not line.lstrip().startswith(("- ", "* ")):
            parts[-1] = f"{parts[-1]} {line.strip()}"
        else:
            parts.append(line.strip())
    return parts


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
