"""The errors for users. Each message names the file, key, video or cell, and what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


class RayslError(Exception):
    """Base of every error that raysl raises on purpose; the command line prints it without a traceback."""


class ConfigError(RayslError):
    """A study, recipe, scale or override that cannot be used as written."""


class DataError(RayslError):
    """A data set, list or video that cannot be read."""


class StorageError(RayslError):
    """A results store that cannot be opened, read or written."""


class ObstructedError(StorageError):
    """One object of a store that the user must repair: no right to read or write it, or a folder instead of it."""


class StoreLostError(StorageError):
    """Nothing can be stored any more: the disk is full or read-only, or the bucket does not answer.

    Anything else that a run tried would fail too, so it stops; the next run continues from what is stored.
    """


class NodeFault(RayslError):  # noqa: N818  (of the machine, not of the program)
    """Something that a machine could not do this time: an absent root, a file that could not be read, a full disk.

    It is not a property of the cell: it is noted and shown, never stored as a result, and the next run tries again.

    Args:
        may_pass: trying again soon may help: memory ran out, or a file that could be read before could not be now.
        unfit: ranks whose machine lacks the data, so that another machine may succeed.
    """

    def __init__(self, message: str, may_pass: bool = False, unfit: Iterable[int] = ()) -> None:
        super().__init__(message)
        self.may_pass, self.unfit = may_pass, frozenset(unfit)

    def __reduce__(self) -> tuple[type[NodeFault], tuple[str, bool, frozenset[int]]]:
        return type(self), (str(self), self.may_pass, self.unfit)


class MissingFileError(ConfigError, NodeFault):
    """A file that a configuration names and that this machine does not have."""


class MissingPackageError(ConfigError, NodeFault):
    """A package that a component imports and that this machine does not have."""


class LeftError(RayslError):
    """Training was ended from outside. It saved a checkpoint, and resumes from it when it is run again."""


DECIDED_BY = "decided_by"
"""Key in the details of a `CellFailure`: options that caused it and are in no id, with their values. With another value
of one of them the cell is computed again."""


class CellFailure(RayslError):  # noqa: N818  (a result of the cell, not a fault of the program)
    """A deterministic failure of one cell: stored as its result and never retried automatically.

    Args:
        reason: one sentence for the table's footnote.
        details: values worth keeping (step, last good losses); JSON-serialisable.
    """

    def __init__(self, reason: str, details: dict[str, object] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details or {}

    def __reduce__(self) -> tuple[type[CellFailure], tuple[str, dict[str, object]]]:
        return CellFailure, (self.reason, self.details)


JOINERS = {"\u200c", "\u200d", *map(chr, range(0xE0020, 0xE0080))}
"""Invisible characters that belong to text: the joiners of Persian and of emoji, the letters of regional flags."""


def printable(text: str) -> str:
    r"""User text (names, titles, paths, reasons) as one line that a terminal shows literally.

    Characters that move a cursor, turn the direction of writing, end a line or cannot be encoded are escaped: ``\x1b``,
    ``\n``, ``\u202e``; bytes of a file name that are no text as ``\xe9``.
    """
    if text.isprintable():  # then it has none of these
        return text
    return "".join(character if _is_shown(character) else _escaped(character) for character in text)


def _is_shown(character: str) -> bool:
    return (
        (character.isascii() and character.isprintable())
        or character in JOINERS
        or (unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of an undecodable file name (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
