"""The errors a user meets. Each message names the file, key, video or cell, and says what to do."""

from __future__ import annotations


class RayslError(Exception):
    """Base of every error that raysl raises on purpose; the command line prints it without a traceback."""


class ConfigError(RayslError):
    """A study, recipe, scale or override that cannot be used as written."""


class DataError(RayslError):
    """A data set, list or video that cannot be read."""


class StorageError(RayslError):
    """A results store that cannot be opened, read or written."""


class CellFailure(RayslError):  # noqa: N818  (a result of the cell, not a fault of the program)
    """A deterministic failure of one cell: stored as its result and never retried by itself.

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
