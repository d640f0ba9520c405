"""TensorBoard's files of an attempt. One that has ended never changes, so that a save writes the last one alone."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping

from raysl.training.curves import OPTIONAL

FILE_BYTES = 2**18
"""From this size on a file ends at the next save: what a long training writes grows with its length, not with the
square of it, and some 500 steps of 15 curves are one file. TensorBoard reads a folder's files by their names."""


class Events:
    """The events that are not in a file that has ended, in memory."""

    def __init__(self) -> None:
        self._begun, self._number = int(time.time()), 0
        self._file, self._new = io.BytesIO(), False

    def add(self, row: Mapping[str, float]) -> None:
        """A row of the curves in one event; columns are tags, and what was not measured has no value."""
        # Imported here: only rank 0 of a cell that trains needs it.
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        records, now = RecordWriter(self._file), time.time()
        if not self._file.tell():
            records.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        known = {
            tag: value
            for tag, value in row.items()
            if tag != "step" and not (tag.startswith(OPTIONAL) and math.isnan(value))
        }
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in known.items()]
        records.write(Event(wall_time=now, step=int(row["step"]), summary=Summary(value=values)).SerializeToString())
        self._new = True

    def unsaved(self) -> tuple[str, bytes] | None:
        """Name and whole content of the file that has new events; None if there are none."""
        if not self._new:
            return None
        name, data = f"events.out.tfevents.{self._begun:010d}.raysl.{self._number:05d}", self._file.getvalue()
        self._new = False
        if len(data) >= FILE_BYTES:
            self._file, self._number = io.BytesIO(), self._number + 1
        return name, data
