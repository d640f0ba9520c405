"""Options models: every configuration field with its unit, bounds and the source of its default."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticUndefined

NO_UNIT = "none"
"""The unit of a number that has none: a factor, a ratio, a seed."""


class Options(BaseModel):
    """Base of all options models: immutable, strictly typed (no ``"8"`` for 8), finite, unknown keys refused.

    Every number has both bounds (a test checks it), so that useless values are refused before they cost anything.

    ``version`` is raised when a default changes, or when the code computes something else from the options.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False)
    version: ClassVar[int] = 1

    @property
    def version_in_use(self) -> int:
        """The version of what these values compute: a model overrides it if only some values' results have changed."""
        return self.version


def option(
    default: Any = PydanticUndefined,
    *,
    doc: str,
    source: str,
    unit: str = "",
    identity: bool = True,
    **bounds: Any,
) -> Any:
    """A configuration field.

    Args:
        default: omitted for a required field.
        doc: one sentence: what it does.
        source: where the default comes from, and the place: ``printed: TaCo 3.1`` (in the paper), ``code: CVRL``
            (released with it, or closely related public code), ``inferred: ...`` (from the two), or ``ours``. Several
            are separated by ``; ``. A field without a meaningful default has ``required``, ``per recipe``, ``per
            study`` or ``see its fields``.
        unit: of a number: frames, pixels, seconds, epochs, steps, probability, share, ..., or `NO_UNIT`; empty for a
            name, a switch or a section.
        identity: False for a field that cannot change a result (log intervals, cache sizes, worker counts); it does not
            enter a cell's id.
        bounds: pydantic's ``ge``, ``gt``, ``le``, ``lt``, ``multiple_of``, ``min_length``; and ``examples`` of a
            required field, for `raysl show`.
    """
    extra: dict[str, Any] = {"unit": unit, "source": source, "identity": identity}
    return Field(default, description=doc, json_schema_extra=extra, **bounds)
