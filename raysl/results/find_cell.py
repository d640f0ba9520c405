"""One cell of a store by what a person calls it."""

from __future__ import annotations

from raysl.config.suggest import suggestion
from raysl.errors import ConfigError
from raysl.results.folder import CellFolder
from raysl.results.store import Store
from raysl.results.titles import Titles

MOST_CANDIDATES = 10
"""That an error names."""


def find_cell(store: Store, text: str, titles: Titles) -> CellFolder:
    """The one folder that is meant.

    Args:
        text: a folder's name, the beginning of one (an id), or a title with or without its study.
        titles: that are known.

    Raises:
        ConfigError: there is no such cell, or there are several; the candidates are named.
        StorageError: the store cannot be read.
    """
    names = store.place.folders("cells")
    if text in names:
        return store.named(text)
    ids = _by_text(titles)
    wanted = ids.get(text)
    found = [name for name in names if (_id(name) in wanted if wanted else bool(text) and name.startswith(text))]
    if len(found) == 1:
        return store.named(found[0])
    where = f"cell {text!r}: {store.place.shown}"
    if found:
        listed = "; ".join(f"{name}{_called(name, titles)}" for name in found[:MOST_CANDIDATES])
        more = f"; and {len(found) - MOST_CANDIDATES} more" if len(found) > MOST_CANDIDATES else ""
        raise ConfigError(f"{where} has {len(found)} such cells: {listed}{more}; give one of these")
    if wanted:
        raise ConfigError(f"{where} has no cell {' or '.join(sorted(wanted))}; raysl status says why")
    known = "" if ids else "; titles such as study/row/seed0 are read where --study names their study"
    near = suggestion(text, [*ids, *names]) or f" ({'; '.join(list(ids)[:MOST_CANDIDATES])})" * bool(ids)
    raise ConfigError(f"{where} has {len(names)} cells, and none is called so{near}{known}")


def title_of(name: str, titles: Titles) -> str:
    """The first title of a cell's folder; empty if none is known."""
    ours = titles.get(_id(name), ())
    return ours[0].text if ours else ""


def _by_text(titles: Titles) -> dict[str, set[str]]:
    """Title, with and without its study, to the ids of its cells."""
    found: dict[str, set[str]] = {}
    for id, ones in titles.items():
        for title in ones:
            for text in (title.text, title.text.removeprefix(f"{title.study}/")):
                found.setdefault(text, set()).add(id)
    return found


def _called(name: str, titles: Titles) -> str:
    title = title_of(name, titles)
    return f" ({title})" if title else ""


def _id(name: str) -> str:
    return name.partition("-")[0]
