"""A folder of copies (`raysl data prepare`): how they were made, which of them are finished, and who works on them."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raysl.data.manifest_store import Stamp
from raysl.data.prepare_video import PART, Copied, CopyOptions
from raysl.data.shared_folder import NO_LOCKS
from raysl.errors import DataError
from raysl.notes import say_once

ABOUT = "prepared.json"
JOURNAL = "prepared.jsonl"
LOCK = "prepared.lock"
MADE_BY = "raysl data prepare"


def prepared(root: Path) -> Mapping[str, Any] | None:
    """How the copies of a root were made; None if it holds none."""
    try:
        about = json.loads((root / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # no such file, or another program's
    return about if isinstance(about, dict) and about.get("made_by") == MADE_BY else None


def prepared_line(about: Mapping[str, Any]) -> str:
    """``copies made by raysl data prepare: short side 128, a keyframe every 12 frames, quality 20``."""
    short_side, every, quality = (about[name] for name in ("short_side", "keyframe_every", "quality"))
    state = "" if about["complete"] else "; not finished: run it again"
    return (
        f"copies made by {MADE_BY}: short side {short_side}, a keyframe every {every} frames, quality {quality}{state}"
    )


def say_if_enlarged(root: Path, name: str, resize: int) -> None:
    """A note if a root's copies are smaller than the frames that are asked of it."""
    about = prepared(root)
    if about is not None and about["short_side"] < resize:
        say_once(
            f"data set {name}: its root holds copies of short side {about['short_side']}, which are enlarged to "
            f"{resize}: give the originals, or copies made with {MADE_BY} --short-side {resize}"
        )


class CopyFolder:
    """The folder that copies are written to.

    Args:
        folder: absolute.
        dataset: reader's name.
    """

    def __init__(self, folder: Path, dataset: str, options: CopyOptions) -> None:
        self.folder = folder
        self.about: dict[str, Any] = {"made_by": MADE_BY, "dataset": dataset, **asdict(options)}

    def refuse_unsafe(self, root: Path) -> None:
        """Refuses a folder whose files copies could mix with or replace, before anything is written.

        Raises:
            DataError: it is the root, in it or above it; it holds other files, or copies made otherwise; the root holds
                copies itself.
        """
        ours, theirs = self.folder.resolve(), root.resolve()
        if ours == theirs or theirs in ours.parents or ours in theirs.parents:
            raise DataError(
                f"--to {self.folder}: it is the root {root}, or one of them lies in the other; give another folder"
            )
        if prepared(root) is not None:
            raise DataError(
                f"{root} holds copies made by {MADE_BY}, and copies of copies are worse: give the originals"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise DataError(f"--to {self.folder}: it is no folder; give another one")
        there = prepared(self.folder)
        begun = {LOCK, f".{ABOUT}{PART}"}  # a call that was killed at once
        if there is None and self.folder.is_dir() and {file.name for file in self.folder.iterdir()} - begun:
            raise DataError(f"--to {self.folder}: it has other files; give a new or an empty folder")
        other = {} if there is None else {k: there.get(k) for k, v in self.about.items() if there.get(k) != v}
        if other:
            ask = ", ".join(f"{key} {value}, not {self.about[key]}" for key, value in other.items())
            raise DataError(f"--to {self.folder}: its copies were made with {ask}; give another folder, or the same")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time; what a killed one left unfinished is removed.

        Raises:
            DataError: another process writes there, or the folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise DataError(f"--to {self.folder}: it cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(descriptor)
                raise DataError(f"--to {self.folder}: another {MADE_BY} works there; wait for it") from error
        try:
            for left in self.folder.rglob(f".*{PART}"):
                left.unlink(missing_ok=True)
            yield
        except OSError as error:
            raise DataError(
                f"--to {self.folder}: it cannot be written: {error.strerror}; finished copies are kept, and the same "
                "command goes on"
            ) from error
        finally:
            os.close(descriptor)

    def finished(self) -> dict[str, tuple[Stamp, int, Copied]]:
        """From path to the original's stamp, the copy's bytes, and what is known of it; the last line counts."""
        found = {}
        try:
            lines = (self.folder / JOURNAL).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            try:
                record = json.loads(line)
                copied = Copied(**record["video"])
                found[copied.path] = (record["stamp"][0], record["stamp"][1]), record["bytes"], copied
            except (ValueError, KeyError, TypeError, IndexError):
                continue  # left unfinished by a killed process: that video is copied again
        return found

    def add(self, stamp: Stamp, size: int, copied: Copied) -> None:
        """Appends a finished copy, in one write."""
        record = {"stamp": stamp, "bytes": size, "video": asdict(copied)}
        with (self.folder / JOURNAL).open("ab") as file:
            file.write(f"\n{json.dumps(record)}\n".encode())

    def write_about(self, versions: Mapping[str, str], catalogs: Mapping[str, Any], *, complete: bool) -> None:
        """Writes how the copies are made; versions and catalogs are added to those of earlier calls.

        Args:
            versions: of the programs that make them.
            catalogs: by `data_key`, what was read.
        """
        before = prepared(self.folder) or {"versions": [], "catalogs": {}}
        known = before["versions"]
        about = {
            **self.about,
            "complete": complete,
            "versions": known + ([] if versions in known else [versions]),
            "catalogs": {**before["catalogs"], **catalogs},
        }
        part = self.folder / f".{ABOUT}{PART}"
        part.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        part.replace(self.folder / ABOUT)
