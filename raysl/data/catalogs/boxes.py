"""Reads AVA's lists: boxes of people in single frames, their actions, and a person detector's boxes.

All times are seconds of the whole film, as the lists have them; boxes are (left, top, right, bottom), shares of the
frame.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from raysl.data.catalog import Person
from raysl.data.catalogs.files import child
from raysl.errors import DataError

ACTIONS = 80
"""Ids of AVA's actions go from 1 to this; those that are not in the list of classes are not evaluated."""

Time = tuple[str, float]
"""A film's name, and a second of it."""
Box = tuple[float, float, float, float]


@dataclass
class Moment:
    """The boxes of one frame.

    ``where`` is file and line of its first box.
    """

    split: str
    where: str
    people: dict[tuple[str, Box], list[int]] = field(default_factory=dict)
    detected: list[Person] = field(default_factory=list)

    def persons(self) -> tuple[Person, ...]:
        """The annotated people, in the order of the list."""
        return tuple(Person(box, tuple(sorted(actions))) for (_, box), actions in self.people.items())


@dataclass
class BoxLists:
    """The lists below one folder.

    Attributes:
        classes: names of the evaluated actions, by their ids.
        moments: by film and second, without the excluded ones.
        excluded: annotated or detected frames in the list of excluded ones.
        not_evaluated: boxes' actions that are no class, by their ids.
    """

    name: str
    folder: Path
    hint: str
    classes: dict[int, str] = field(default_factory=dict)
    moments: dict[Time, Moment] = field(default_factory=dict)
    excluded: set[Time] = field(default_factory=set)
    not_evaluated: Counter[int] = field(default_factory=Counter)

    def file(self, name: str) -> Path:
        """A list by its name, in any letter case."""
        return child(self.folder, [name]) or self.folder / name

    def read_classes(self, name: str) -> None:
        """The list of actions (pbtxt): blocks of ``name: "..."`` and ``id: N``.

        Raises:
            DataError: it is absent, or has something else.
        """
        file = self.file(name)
        blocks = re.findall(r"(?:item|label)\s*\{([^}]*)\}", self._text(file))
        for number, block in enumerate(blocks, start=1):
            called, id_ = re.search(r'\bname:\s*"([^"]+)"', block), re.search(r"\b(?:label_)?id:\s*(\d+)", block)
            if called is None or id_ is None or not 1 <= int(id_[1]) <= ACTIONS:
                raise DataError(
                    f"{self.name}: {file.name}, entry {number}: {block.strip()!r} has not both a name and an id from 1 "
                    f"to {ACTIONS}; {self.hint}"
                )
            if int(id_[1]) in self.classes or called[1] in self.classes.values():
                raise DataError(f"{self.name}: {file.name}, entry {number}: {called[1]} was listed before; {self.hint}")
            self.classes[int(id_[1])] = called[1]
        if len(self.classes) < 2:
            raise DataError(f"{self.name}: {file} has {len(self.classes)} actions; {self.hint}")
        self.classes = dict(sorted(self.classes.items()))

    def read_excluded(self, name: str) -> set[Time]:
        """Rows of film and second."""
        return {self._time(row, where) for row, where in self._rows(self.file(name), 2)}

    def read_people(self, name: str, split: str, excluded: set[Time]) -> None:
        """Rows of film, second, box, action and person.

        Raises:
            DataError: naming file and line.
        """
        labels = {id_: label for label, id_ in enumerate(self.classes)}
        for row, where in self._rows(self.file(name), 8):
            time, box = self._time(row, where), self._box(row, where)
            if not row[6].isdigit() or not 1 <= int(row[6]) <= ACTIONS:
                raise DataError(f"{where}: the action {row[6]!r} is none of 1 to {ACTIONS}; {self.hint}")
            moment = self._moment(time, split, where, excluded)
            if moment is None:
                continue
            actions = moment.people.setdefault((row[7], box), [])
            if int(row[6]) in labels:
                actions.append(labels[int(row[6])])
            else:
                self.not_evaluated[int(row[6])] += 1

    def read_detected(self, name: str, split: str, excluded: set[Time]) -> None:
        """Rows of film, second, box, an ignored action, and the detector's score (SlowFast's files).

        Raises:
            DataError: naming file and line.
        """
        for row, where in self._rows(self.file(name), 8):
            time, box = self._time(row, where), self._box(row, where)
            score = _number(row[7])
            if score is None or not 0 <= score <= 1:
                raise DataError(f"{where}: the score {row[7]!r} of the box is no number from 0 to 1; {self.hint}")
            if (moment := self._moment(time, split, where, excluded)) is not None:
                moment.detected.append(Person(box, (), score))

    def _moment(self, time: Time, split: str, where: str, excluded: set[Time]) -> Moment | None:
        if time in excluded:
            self.excluded.add(time)
            return None
        return self.moments.setdefault(time, Moment(split, where))

    def _time(self, row: list[str], where: str) -> Time:
        second = _number(row[1])
        if not row[0] or "/" in row[0] or second is None or second < 0:
            raise DataError(f"{where}: {','.join(row[:2])!r} is no film and second of it; {self.hint}")
        return row[0], second

    def _box(self, row: list[str], where: str) -> Box:
        found = [number for text in row[2:6] if (number := _number(text)) is not None]
        if len(found) != 4:
            raise DataError(f"{where}: {','.join(row[2:6])!r} are not four numbers; {self.hint}")
        left, top, right, bottom = found
        if min(found) < 0 or max(found) > 1:
            raise DataError(f"{where}: the box {','.join(row[2:6])} is outside the frame, 0 to 1; correct the row")
        if left >= right or top >= bottom:
            raise DataError(
                f"{where}: the box {','.join(row[2:6])} is empty: left must be less than right, and top less than "
                "bottom; correct the row"
            )
        return left, top, right, bottom

    def _rows(self, file: Path, columns: int) -> Iterator[tuple[list[str], str]]:
        """The rows, each with file and line."""
        reader = csv.reader(self._text(file).splitlines(), strict=True)
        try:
            for row in reader:
                where = f"{self.name}: {file.name}, line {reader.line_num}"
                if len(row) != columns:
                    raise DataError(f"{where}: {','.join(row)!r} has {len(row)} columns, not {columns}; {self.hint}")
                yield [text.strip() for text in row], where
        except csv.Error as error:
            raise DataError(f"{self.name}: the list {file} cannot be read ({error}); {self.hint}") from error

    def _text(self, file: Path) -> str:
        try:
            return file.read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            raise DataError(f"{self.name}: the list {file} is absent; {self.hint}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self.name}: the list {file} cannot be read ({error}); {self.hint}") from error


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d*)?([eE][-+]?\d+)?|-?\.\d+", text) else None
