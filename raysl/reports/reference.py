"""``docs/reference/``: what a configuration, a study and the commands can have, as Markdown pages with links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from raysl.config.cell import CellConfig
from raysl.config.component import KINDS, names
from raysl.config.describe_component import WHAT, ComponentText, component_text, listed
from raysl.config.describe_option import OptionText, option_texts
from raysl.planning.study_keys import scale_texts, study_texts

WRITTEN = "<!-- Written by `raysl reference` from the code; a test holds it to what that gives. Not to be edited. -->\n"
SECTION = "see its fields"
SOURCES = """Where a default comes from is said in words: **printed** in the paper, read in the **code** released with
it or closely related public code, **inferred** from the two, or **ours**. A key that has no default says who gives it:
a recipe, a study, a scale.
"""


def reference_pages() -> dict[str, str]:
    """File name to page: the index, one for each kind of component, configurations, and study files.

    The page of commands is `raysl.commands.reference`'s, which knows them.
    """
    pages = {f"{slug(kind)}.md": _kind_page(kind) for kind in KINDS}
    return {
        "index.md": _index(),
        "configuration.md": _configuration(),
        "study.md": _study(),
        **pages,
    }


def slug(kind: str) -> str:
    """``pair-sampler``: of a page's file name, and how `raysl show` takes a kind."""
    return kind.replace(" ", "-")


def prose(text: str) -> str:
    """Text of docstrings as Markdown: code in backquotes stays, other characters that Markdown reads are escaped."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"[\\*<>|~$\[\]]", r"\\\g<0>", part) for part in parts)


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """A Markdown table; cells have no `|` that is not escaped."""
    heads = list(headings)
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _index() -> str:
    kinds = [f"- [{kind}]({slug(kind)}.md): {WHAT[kind]} ({len(names(kind))})" for kind in KINDS]
    lines = [
        "# Reference",
        "",
        WRITTEN,
        "Every key, option and command with its default, unit, bounds and source. In a terminal, `raysl show` has the",
        "same: `raysl show framework/moco`, `raysl show objective.contrastive.temperature`. Words are in the",
        "[glossary](../glossary.md).",
        "",
        "- [Configurations](configuration.md): the keys of a recipe, which rows and `--set` change",
        "- [Study and scale files](study.md): what else may stand there",
        "- [Commands](commands.md)",
        "",
        "Components, which a configuration chooses by name:",
        "",
        *kinds,
        "",
        SOURCES,
    ]
    return "\n".join(lines)


def _configuration() -> str:
    lines = [
        "# Configurations",
        "",
        WRITTEN,
        "One pretraining, as a recipe writes it; rows of a [study](study.md) and `--set` change any of these keys,",
        "dotted where they lie deeper (`training.batch_size`). What is chosen by name has a page of its own.",
        "",
        SOURCES,
    ]
    for name, info in CellConfig.model_fields.items():
        texts = [text for text in option_texts(CellConfig) if text.key == name or text.key.startswith(f"{name}.")]
        lines += [f"## {name}", "", prose(f"{info.description}."), "", *_options(texts), ""]
    lines += ["## evaluation", "", "Options of [protocols](protocol.md), by their names.", ""]
    return "\n".join(lines)


def _study() -> str:
    lines = [
        "# Study and scale files",
        "",
        WRITTEN,
        "A study file has the keys below, and those of a [configuration](configuration.md), which are laid over its",
        "base. Below `evaluation` are the options of [protocols](protocol.md).",
        "",
        "## Study",
        "",
        *_options(study_texts()),
        "",
        "## Scale",
        "",
        "A scale changes the cost of a study and not its science: a file in `scales/`, or what a study has under",
        "`scales: {NAME: ...}`.",
        "",
        *_options(scale_texts()),
        "",
    ]
    return "\n".join(lines)


def _kind_page(kind: str) -> str:
    title = f"{kind[0].upper()}{kind[1:]}{'es' if kind.endswith('s') else 's'}"
    lines = [f"# {title}", "", WRITTEN, f"A {kind}: {WHAT[kind]}. In a terminal: `raysl show {slug(kind)}`.", ""]
    lines += [f"- [{name}](#{name}): {prose(text)}" for name, text in listed(kind)]
    lines += ["", f"One of another package is named by its import path: `raysl show {slug(kind)}/package.module`.", ""]
    for name in names(kind):
        lines += _component(component_text(kind, name))
    return "\n".join(lines)


def _component(component: ComponentText) -> Iterator[str]:
    yield from (f"## {component.name}", "", prose(component.summary), "")
    if component.text:
        yield from (prose(component.text), "")
    if component.metrics:
        metrics = ", ".join(f"`{metric}`" for metric in component.metrics)
        yield from (f"Metrics: {metrics}; the first is the headline.", "")
    if component.notes:
        yield from (" ".join(component.notes), "")
    yield from (f"`{component.path}`, version {component.version}. Chosen by `{component.key}`:", "")
    yield from ("```yaml", *component.example.splitlines(), "```", "")
    yield from (*_options(component.options), "")


def _options(texts: Iterable[OptionText]) -> list[str]:
    rows = [
        (
            f"`{text.key}`",
            _values(text) + (f" ({prose(text.unit)})" if text.unit else ""),
            "required" if text.required else "" if text.default is None else f"`{text.default}`",
            prose(text.doc) + ("" if text.identity else " (enters no id)"),
            "" if text.source == SECTION else prose(text.source),
        )
        for text in texts
    ]
    return table(["key", "values", "default", "what it does", "source"], rows) if rows else ["It has no options."]


def _values(text: OptionText) -> str:
    """What the option may hold, with a link where that is a component."""
    values = prose(text.values.replace(" | ", " / "))
    if text.kind is not None:
        return re.sub(rf"{text.kind}s?", lambda found: f"[{found[0]}]({slug(text.kind or '')}.md)", values, count=1)
    return re.sub(r"options of (\w+)", r"[options of \1](temporal-loss.md#\1)", values)
