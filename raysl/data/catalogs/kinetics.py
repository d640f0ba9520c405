"""The Kinetics sets (Kay et al. 2017; Carreira et al. 2018), read from their official CSV lists as published.

Layout: the lists in the root or in ``root/annotations/``: ``train.csv`` and ``val.csv`` (or ``validate.csv``), also
with the names of the set before them (``kinetics-400_val.csv``, mmaction2's ``kinetics_val.csv``); one of them may be
absent. The clips ``ID_START_END.mp4``, with both times in seconds and six digits, are anywhere below the root: flat, in
class folders, in split folders (``train``, ``videos_train``). Files re-encoded to another suffix are found by their
stem. Of several copies of a clip one is taken (`raysl.data.catalogs.listed.Files`): not an empty one, the mirror's
replacement of a broken one, the listed suffix, the fewest folders; ``raysl data check`` counts and lists the others.

The validation list is the catalog's split ``test``, as all papers evaluate on it; the official test list, which has no
labels for Kinetics-400, is not read. Many clips have gone from YouTube, so an incomplete set is the normal case: absent
files are counted and named in the catalog's ``missing`` (``raysl data check`` prints them).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from raysl.config.options import option
from raysl.data.catalog import Catalog, CatalogReader, Video
from raysl.data.catalogs.files import check_root, child, entries_of, folded
from raysl.data.catalogs.listed import Entry, ListedOptions, anywhere, chosen_classes, listed_catalog, own_lists
from raysl.errors import DataError

_VALIDATION = ("val", "validate", "validation")
_LISTS = {"train": ("train",), "test": _VALIDATION}
"""From the catalog's split to its names in the official lists, in their file names and their column ``split``."""
_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_CLIP = re.compile(r"(.+)_\d{6}_\d{6}")
_SECONDS = re.compile(r"(\d+)(\.0+)?")


class KineticsOptions(ListedOptions):
    """Which classes; absent files are the normal case."""

    allow_missing: bool = option(
        True,
        doc="continue without listed clips whose files are absent, and count them; false: refuse them",
        source="ours: clips go from YouTube",
        identity=False,
    )


class KineticsReader(CatalogReader):
    """Reads the lists; classes in alphabetical order, videos by class and clip name.

    Args:
        size: classes of the set, 400 or 600: lists with another number are refused.
    """

    has_lists = True

    def __init__(self, options: KineticsOptions, size: int) -> None:
        self.options = options
        self.size = size
        self.name = f"kinetics{size}"

    def read(self, root: Path) -> Catalog:
        check_root(root, self.name)
        listed = self._entries(self.lists or root)
        official = sorted({entry.class_name for entry in listed})
        if len(official) != self.size:
            raise DataError(
                f"{self.name}: the lists below {root} name {len(official)} classes, not {self.size}; give the official "
                f"lists of {self.name}, and in `classes` those to use if it is a part"
            )
        classes = chosen_classes(self.options, official, self.name)
        chosen = set(classes)
        return listed_catalog(
            self.name,
            root,
            classes,
            [entry for entry in listed if entry.class_name in chosen],
            anywhere(root),
            allow_missing=self.options.allow_missing,
            looked="all folders for ID_START_END",
        )

    def recording(self, video: Video) -> str | None:
        """The YouTube id."""
        found = _CLIP.fullmatch(PurePosixPath(video.path).stem)
        return None if found is None else found[1]

    def _entries(self, root: Path) -> list[Entry]:
        """The rows of both lists, by class and clip name."""
        entries: dict[str, Entry] = {}
        files = {split: self._find_list(root, split) for split in _LISTS}
        if not any(files.values()):
            raise DataError(
                f"{self.name}: {root} has neither train.csv nor val.csv (looked there and in annotations/)"
                f"{own_lists(root)}; put the official lists into the root, or give their folder: "
                f"--root {self.name}-lists=PATH"
            )
        for split, file in files.items():
            for number, entry in self._read_list(file, split) if file is not None else ():
                if entry.stem in entries:
                    raise DataError(
                        f"{self.name}: {file}, line {number}: clip {entry.stem} was listed before, for "
                        f"{entries[entry.stem].split}; keep one of the rows"
                    )
                entries[entry.stem] = entry
        return sorted(entries.values(), key=lambda entry: (entry.class_name, entry.stem))

    def _find_list(self, root: Path, split: str) -> Path | None:
        sets = (self.name, f"kinetics-{self.size}", f"kinetics_{self.size}", "kinetics")
        prefixes = ("", *(f"{name}_" for name in sets))
        names = [f"{prefix}{part}.csv" for prefix in prefixes for part in _LISTS[split]]
        places = [root, *([place] if (place := child(root, ("annotations",))) is not None and place.is_dir() else [])]
        files = [place / entry.name for place in places for entry in entries_of(place, place.name)]
        found = [file for file in files if folded(file.name) in names and file.is_file()]
        if len(found) > 1:
            raise DataError(f"{self.name}: several lists for {split}: {', '.join(map(str, found))}; keep one of them")
        return found[0] if found else None

    def _read_list(self, file: Path, split: str) -> Iterator[tuple[int, Entry]]:
        """The rows with their line numbers."""
        try:
            with file.open(newline="", encoding="utf-8-sig") as opened:
                rows = csv.DictReader(opened, strict=True)
                absent = [column for column in _COLUMNS if column not in (rows.fieldnames or ())]
                if absent:
                    raise DataError(
                        f"{self.name}: {file} has no column {' and no column '.join(absent)}; give the official list"
                    )
                for row in rows:
                    yield rows.line_num, _parse(row, split, f"{self.name}: {file}, line {rows.line_num}")
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{self.name}: the list {file} cannot be read ({error}); give the official one") from error


def _parse(row: dict[str, str | None], split: str, where: str) -> Entry:
    label, clip, start, end, called = ((row[column] or "").strip() for column in _COLUMNS)
    if called not in _LISTS[split]:
        raise DataError(f"{where}: split {called!r} in the list of split {_LISTS[split][0]!r}; give the official list")
    times = [_SECONDS.fullmatch(time) for time in (start, end)]
    if not label or not clip or "/" in clip or times[0] is None or times[1] is None:
        raise DataError(f"{where}: {','.join(map(str, row.values()))} is not {','.join(_COLUMNS)}; correct the row")
    first, last = int(times[0][1]), int(times[1][1])
    return Entry(label, f"{clip}_{first:06d}_{last:06d}", ".mp4", split)
