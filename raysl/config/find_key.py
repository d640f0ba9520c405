"""What a dotted key of a configuration holds: the option, or the same option of several components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raysl.config.cell import CellConfig
from raysl.config.component import find, names
from raysl.config.describe_component import slots
from raysl.config.describe_option import OptionText, option_texts
from raysl.config.options import Options
from raysl.config.parts import refusal
from raysl.errors import ConfigError


@dataclass(frozen=True)
class Found:
    """An option that a key leads to.

    Attributes:
        owner: kind and name of the component whose option it is; None: it is of a section.
        option: the option.
        below: where it is a section, the section's options.
    """

    owner: tuple[str, str] | None
    option: OptionText
    below: tuple[OptionText, ...]


def find_key(key: str) -> list[Found]:
    """The options at a dotted key, one for each component that has it.

    Args:
        key: ``training.batch_size``, ``objective.contrastive.temperature``, ``evaluation.linear.c``, ...

    Raises:
        ConfigError: no configuration has it; the nearest key is suggested.
    """
    path = key.split(".")
    if path[0] == "evaluation" and len(path) > 2 and path[1] in names("protocol"):
        options = find("protocol", path[1]).options
        found = list(_find(options, ".".join(path[2:]), f"evaluation.{path[1]}.", ("protocol", path[1])))
    else:
        found = list(_find(CellConfig, key, "", None))
    if not found:
        raise ConfigError(f"{key}: {refusal(tuple(path), {}) or 'no option lies there'}")
    return found


def _find(model: type[Options], key: str, at: str, owner: tuple[str, str] | None) -> Iterator[Found]:
    """The options at a key below a model, whose own key is ``at``."""
    texts = {text.key: text for text in option_texts(model, at)}
    asked = at + key
    if asked in texts:
        yield Found(owner, texts[asked], tuple(text for key, text in texts.items() if key.startswith(f"{asked}.")))
        return
    for where, slot in slots(model):
        place = at + ".".join(where)
        rest = asked.removeprefix(f"{place}.")
        if rest == asked:
            continue
        if slot.is_named and rest == slot.key:
            yield Found(owner, texts[place], ())
        elif slot.many:
            name, _, inner = rest.partition(".")
            if inner and name in names(slot.kind):
                yield from _find(find(slot.kind, name).options, inner, f"{place}.{name}.", (slot.kind, name))
        else:
            for name in [slot.component] if slot.component is not None else names(slot.kind):
                yield from _find(find(slot.kind, name).options, rest, f"{place}.", (slot.kind, name))
