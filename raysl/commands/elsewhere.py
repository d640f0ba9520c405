"""Where a store has a study's cells that it lacks: at another scale, or without what ``--set`` gave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from raysl.commands.inputs import Planned, as_argument, load_studies
from raysl.commands.terminal import PlainConsole
from raysl.config.document import known_scales
from raysl.errors import ConfigError
from raysl.results import Store

AS_WRITTEN = "paper"


def print_elsewhere(planned: Iterable[Planned], store: Store, console: PlainConsole) -> None:
    """A line for each study of which nothing trained is in the store, and something is at another scale.

    Raises:
        StorageError: the store cannot be read.
    """
    ids = {folder.name.partition("-")[0] for folder in store.cells()}
    for item in planned:
        if ids and ids.isdisjoint(_trained(item)):
            for line in _found(item, ids):
                console.print(line)


def _trained(item: Planned) -> list[str]:
    """Ids of what is trained: random weights may be the same at every scale. Where nothing is, of all."""
    return [cell.id for cell in item.cells if cell.pretrains] or [cell.id for cell in item.cells]


def _found(item: Planned, ids: set[str]) -> Iterator[str]:
    study = item.study
    asked = f"scale {study.scale}" + (" with this --set" if study.given.overrides else "")
    for scale in dict.fromkeys([study.scale, AS_WRITTEN, *known_scales(study.path), *study.options.scales]):
        if scale == study.scale and not study.given.overrides:
            continue
        try:
            (other,) = load_studies([study.path], scale, [])
        except ConfigError:
            continue  # a study may be refused at a scale that nobody asked for
        wanted = _trained(other)
        found = sum(id in ids for id in wanted)
        if found:
            option = "" if scale == AS_WRITTEN else f" --scale {scale}"
            yield (
                f"no cell of {study.name} is in the store at {asked}; {found} of {len(wanted)} are of "
                f"{as_argument(study.path)}{option}"
            )
