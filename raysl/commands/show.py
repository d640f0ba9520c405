"""`raysl show`: kinds of components, one component, a section or a key, with all their options."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from raysl.commands.show_page import component_lines, list_lines, option_lines, wrapped
from raysl.config.cell import CellConfig
from raysl.config.component import KINDS, names
from raysl.config.describe_component import WHAT, component_text, listed
from raysl.config.document import SHARED_KEYS, STUDY_KEYS
from raysl.config.find_key import Found, find_key
from raysl.config.parts import CONFIGURATION
from raysl.config.suggest import nearest, suggestion
from raysl.errors import ConfigError

FILES = {
    "study": "the keys of a study file, beside those of a configuration, which may stand there too",
    "scale": "the keys of a scale file",
}


def show_lines(what: str | None) -> Iterator[str]:
    """What `raysl show WHAT` prints.

    Args:
        what: a kind, KIND/NAME, the name of a component, ``study``, ``scale``, or a dotted key; None: an overview.

    Raises:
        ConfigError: there is no such thing; the nearest is suggested.
    """
    if what is None:
        return _overview()
    kind, slash, name = what.partition("/")
    if slash:
        return component_lines(component_text(_kind(kind), name.partition("/")[0] if "." not in name else name))
    if (known := _known_kind(what)) is not None:
        return _kind_lines(known)
    if what in FILES or what in (*STUDY_KEYS, *SHARED_KEYS):
        return _file_lines(what)
    if what.partition(".")[0] in CONFIGURATION:
        return _key_lines(what)
    return _named_lines(what)


def _overview() -> Iterator[str]:
    yield "Kinds of components (raysl show KIND lists them, raysl show KIND/NAME has one):"
    yield from list_lines([(kind, f"{len(names(kind))}: {WHAT[kind]}") for kind in KINDS])
    yield ""
    yield "Keys of a configuration (raysl show KEY has the options below one):"
    sections = [(key, str(field.description)) for key, field in CellConfig.model_fields.items()]
    yield from list_lines([*sections, ("evaluation", "protocol to its options, below which it is evaluated")])
    yield ""
    yield "Files (raysl show study, raysl show scale):"
    yield from list_lines(list(FILES.items()))


def _kind_lines(kind: str) -> Iterator[str]:
    yield from wrapped(f"{kind}: {WHAT[kind]}")
    yield from list_lines(listed(kind))
    dashed = kind.replace(" ", "-")
    yield ""
    yield from wrapped(f"raysl show {dashed}/NAME has all of one; {dashed}/package.module that of another package.")


def _file_lines(what: str) -> Iterator[str]:
    from raysl.planning.study_keys import scale_texts, study_texts  # imports PyTorch

    texts = scale_texts() if what == "scale" else study_texts()
    if what in FILES:
        yield from wrapped(f"{FILES[what].capitalize()}:")
        yield from option_lines(texts)
        return
    yield from option_lines(text for text in texts if text.key == what or text.key.startswith(f"{what}."))
    if what == "evaluation":
        yield "Protocols:"
        yield from list_lines(listed("protocol"))


def _key_lines(key: str) -> Iterator[str]:
    """An option, a section, or the component that the key's own place names."""
    component = _at_its_place(key)
    if component is not None:
        yield from component_lines(component_text(*component))
        return
    found = find_key(key)
    for _, same in groupby(found, key=lambda one: (one.option, one.below)):
        group = list(same)
        yield from _owners(group)
        yield from option_lines((group[0].option, *group[0].below))
    chosen = found[0].option.kind
    if chosen is not None:
        yield ""
        yield from _kind_lines(chosen)


def _at_its_place(key: str) -> tuple[str, str] | None:
    """``evaluation.linear``, ``objective.pretext.rotation``, ``objective.local_local``."""
    at, _, name = key.rpartition(".")
    kinds = {"evaluation": "protocol", "objective.pretext": "pretext task", "objective": "temporal loss"}
    return (kinds[at], name) if at in kinds and name in names(kinds[at]) else None


def _owners(group: list[Found]) -> Iterator[str]:
    owners = [found.owner for found in group if found.owner is not None]
    if owners:
        yield from wrapped(f"Of the {owners[0][0]} {', '.join(name for _, name in owners)}:")


def _named_lines(name: str) -> Iterator[str]:
    """A component by its name alone."""
    kinds = [kind for kind in KINDS if name in names(kind)]
    if len(kinds) == 1:
        return component_lines(component_text(kinds[0], name))
    if kinds:
        raise ConfigError(f"{name!r} is of several kinds: {', '.join(f'{kind}/{name}' for kind in kinds)}")
    every = [*KINDS, *FILES, *CONFIGURATION, *STUDY_KEYS, *SHARED_KEYS, *(one for kind in KINDS for one in names(kind))]
    raise ConfigError(
        f"there is nothing called {name!r}{suggestion(name, every) or '; raysl show lists what there is'}"
    )


def _kind(written: str) -> str:
    """A kind as it may be typed: ``data set``, ``data-set``, ``data_set``.

    Raises:
        ConfigError: there is no such kind.
    """
    kind = _known_kind(written)
    if kind is None:
        raise ConfigError(f"there is no kind of component {written!r}{nearest(written, KINDS)}")
    return kind


def _known_kind(written: str) -> str | None:
    plain = written.replace("-", " ").replace("_", " ").lower()
    return next((kind for kind in KINDS if plain in (kind, f"{kind}s")), None)
