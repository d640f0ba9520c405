"""Answers to test videos, kept small: a report has those of every evaluation in memory at once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

Value = TypeVar("Value")

CODES = (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32))
"""Types of `array`, and how many values each can tell apart."""


class PerVideo(Mapping[str, Value]):
    """From test video to a value, as a dict; made by `Answers.per_video`.

    Args:
        places: from video to its place among the codes.
        values: by code.
        codes: one for each place.
    """

    __slots__ = ("_codes", "_places", "_values")

    def __init__(self, places: Mapping[str, int], values: Sequence[Value], codes: Sequence[int]) -> None:
        self._places, self._values, self._codes = places, values, codes

    def __getitem__(self, video: str) -> Value:
        return self._values[self._codes[self._places[video]]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, video: object) -> bool:
        return video in self._places


@dataclass
class Answers:
    """What evaluations have in common, kept once: their test sets, and every different answer.

    An evaluation then takes two or three bytes a video; dicts of its own took some two hundred. Threads may share it.
    """

    _places: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)
    _codes: dict[tuple[type, Any], int] = field(default_factory=dict)
    _values: list[Any] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def places(self, videos: Iterable[str]) -> Mapping[str, int]:
        """From video to its place in this order."""
        key = tuple(videos)
        with self._lock:
            if key not in self._places:
                self._places[key] = {video: place for place, video in enumerate(key)}
            return self._places[key]

    def per_video(self, places: Mapping[str, int], values: Iterable[Value]) -> Mapping[str, Value]:
        """From video to its value.

        Args:
            values: hashable, one for each place.
        """
        with self._lock:
            codes = [self._code(value) for value in values]
            kind = next(kind for kind, most in CODES if max(codes, default=0) < most)
        return PerVideo(places, self._values, array(kind, codes))

    def _code(self, value: Any) -> int:
        key = (type(value), value)  # True, 1 and Fraction(1) are equal
        code = self._codes.get(key)
        if code is None:
            code = self._codes[key] = len(self._values)
            self._values.append(value)
        return code
