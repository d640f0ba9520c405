"""Files that protocols read besides the data: a study names them, ``--root NAME=FILE`` binds the names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from raysl.data.places import bound
from raysl.errors import MissingFileError


def given_file(name: str, what: str, files: Mapping[str, Path]) -> Path:
    """The file bound to a name.

    Args:
        what: what the file is, for the message.

    Raises:
        MissingFileError: (a ConfigError) nothing is bound to it, or no file is there.
    """
    from raysl.distributed import rank

    file = bound(files, name)
    if file is None:
        raise MissingFileError(f"{name}: no file is bound to this name: pass --root {name}=FILE, {what}")
    if not file.is_file():
        said = f"{name}: there is no file {file.name} where --root {name}=FILE points"
        raise MissingFileError(said, unfit=[rank()])
    return file
