"""`raysl carry`: renames results of an older version to the names of this one."""

from __future__ import annotations

from raysl.commands.terminal import PlainConsole
from raysl.config.component import Chosen
from raysl.data.places import Places
from raysl.data.snapshot import Snapshot, data_key
from raysl.data.source import open_source
from raysl.errors import NodeFault, RayslError, StorageError
from raysl.results import open as open_store
from raysl.results.carry_over import carry_store


def carry(storage: str, places: Places, console: PlainConsole) -> int:
    """Carries over results of the data that is here, and reports the others; returns how many they are.

    Raises:
        StorageError: the store holds no results at all, or cannot be read or written.
    """
    store, known = open_store(storage), dict[str, Snapshot | RayslError]()

    def open_data(data: Chosen) -> Snapshot:
        key = data_key(data)
        if key not in known:
            try:
                known[key] = open_source(data, places, resize=128, processes=None, fill=False).snapshot
            except RayslError as error:
                known[key] = error
        found = known[key]
        if isinstance(found, RayslError):
            raise NodeFault(str(found))
        return found

    done = carry_store(store, open_data)
    if not (done.taken or done.current or done.refused):
        raise StorageError(f"there are no results in {store.place.shown}: give the folder or bucket of a results store")
    for name, reason in done.refused.items():
        console.print(f"left as it is: {name}: {reason}")
    console.print(
        f"{len(done.taken)} results taken over, {done.current} of this version, {len(done.refused)} left as they are",
    )
    return len(done.refused)
