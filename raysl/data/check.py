"""The report of ``raysl data check``: the actual state of every video of a data set."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len

from raysl.data.account import account
from raysl.data.cache_need import cache_need
from raysl.data.catalog import Catalog, Video
from raysl.data.decode import decoder_for
from raysl.data.decode_decord import is_installed
from raysl.data.decode_pyav import STOPS
from raysl.data.decode_torchcodec import versions
from raysl.data.manifest_types import ManifestRow
from raysl.data.source import VideoSource
from raysl.errors import DataError, printable

BAR = 40
NAMED = 20
"""Videos that the report names of each kind: a hundred thousand of Kinetics may be absent."""
FOLDS_SHOWN = 12
"""Folds with a column in the table of classes; for more it gives the smallest and the largest."""
COLUMNS = ("path", "class", "split", "group", "fold", "frames", "damaged", "readable", "reason", "notes", "fingerprint")


@dataclass(frozen=True)
class CheckReport:
    """The state of a data set.

    Attributes:
        name: of the catalog.
        splits: from split (or fold, see `check_catalog`) to number of videos.
        classes: one line for each class, below a heading: its videos and groups in each split.
        groups: number of groups; 0 without groups.
        across: videos of equal content in different splits, as ``path (split)``.
        readable: number of videos that decode.
        short: from path to (decoded, claimed) frames, if the header claims more.
        long: the same, if it claims fewer (but more than 0).
        decord_disagrees: readable videos that PyAV has to read.
        torchcodec: number of readable videos that torchcodec reads here.
        unreadable: from path to reason.
        damaged: from path to the number of frames that the decoder had to patch, of readable videos.
        notes: from kind to the readable videos that needed special reading, as ``path: what it is``.
        missing: listed videos whose files are absent.
        lengths: frames of each readable video, sorted.
        histogram: from (first, last) length to the number of videos; powers of two.
        resize: short side in pixels for which the cache size is computed.
        cache_bytes: size of all readable videos in the cache.
        cached: readable videos that are in it.
        cache_share: of the readable videos that it may hold; 0 to 1.
        span: frames that a clip needs; None: not checked.
        too_short: from path to frames, of readable videos below the span.
        account: of everything below the root, as lines of text (`raysl.data.account`).
    """

    name: str
    splits: dict[str, int]
    classes: tuple[str, ...]
    groups: int
    across: tuple[str, ...]
    readable: int
    short: dict[str, tuple[int, int]]
    long: dict[str, tuple[int, int]]
    decord_disagrees: tuple[str, ...]
    torchcodec: int
    unreadable: dict[str, str]
    damaged: dict[str, int]
    notes: dict[str, dict[str, str]]
    missing: tuple[str, ...]
    lengths: tuple[int, ...]
    histogram: dict[tuple[int, int], int]
    resize: int
    cache_bytes: int
    cached: int
    cache_share: float
    span: int | None
    too_short: dict[str, int]
    account: tuple[str, ...] = ()

    def text(self) -> str:
        """The report as plain text; the first `NAMED` videos of each kind of defect are named."""
        videos = sum(self.splits.values())
        splits = ", ".join(f"{name} {count}" for name, count in self.splits.items())
        groups = f", {self.groups} groups" if self.groups else ""
        lines = [
            f"data set {printable(self.name)}: {videos} videos ({splits}){groups}",
            f"readable               {self.readable}",
            f"short of their header  {len(self.short)}",
            f"longer than it         {len(self.long)}",
            f"decord disagrees       {len(self.decord_disagrees)} (these are read with PyAV)"
            if is_installed()
            else "decord                 not installed: PyAV reads every video",
            *([f"torchcodec reads       {self.torchcodec} (the others: decord, or PyAV)"] if versions() else []),
            f"with damaged frames    {len(self.damaged)} (these are used)",
            f"unreadable             {len(self.unreadable)}{self._in_part()}",
            f"listed but absent      {len(self.missing)}",
            f"equal, in two splits   {len(self.across)}",
        ]
        if self.span is not None:
            lines.append(f"below {self.span:>4} frames      {len(self.too_short)}")
        lines += [f"{kind}: {len(noted)}" for kind, noted in self.notes.items()]
        lines.append(f"cache at {self.resize} pixels    {self.cache_text()}")
        lines += self._histogram_lines()
        lines += self.classes
        short = {path: f"{found} of {claimed} frames" for path, (found, claimed) in self.short.items()}
        lines += _listed("unreadable", self.unreadable)
        lines += _listed("with damaged frames", {path: f"{count} frames" for path, count in self.damaged.items()})
        for kind, noted in self.notes.items():
            lines += _listed(kind, noted)
        lines += _listed("equal contents in two splits", dict.fromkeys(self.across, ""))
        lines += _listed("short", short)
        lines += _listed("too short", {path: f"{frames} frames" for path, frames in self.too_short.items()})
        if is_installed():
            lines += _listed("decord disagrees", dict.fromkeys(self.decord_disagrees, ""))
        lines += _listed("absent", dict.fromkeys(self.missing, ""), file="--missing")
        lines += self.account
        return "\n".join(lines)

    def cache_text(self) -> str:
        """What all readable videos take in the cache, and how many of them are in it; what it may hold, if not all."""
        text = f"{self.cache_bytes / 1e9:.2f} GB for all, {self.cached} videos are in it"
        if self.cache_share == 1:
            return text
        return (
            f"{text}; it may hold {100 * self.cache_share:.0f} % (--cache-gigabytes), and the others are decoded at "
            "every step: raysl data prepare makes copies that decode faster"
        )

    def _in_part(self) -> str:
        count = sum(reason.startswith(STOPS) for reason in self.unreadable.values())
        return f" ({count} of them decode in part, and are left out)" if count else ""

    def _histogram_lines(self) -> list[str]:
        if not self.lengths:
            return []
        most = max(self.histogram.values())
        middle = self.lengths[len(self.lengths) // 2]
        head = f"lengths: {self.lengths[0]} to {self.lengths[-1]} frames, median {middle}, all {sum(self.lengths)}"
        return [head] + [
            f"  {first:>6}-{last:<6} {count:>7} {'#' * max(1, round(BAR * count / most))}"
            for (first, last), count in self.histogram.items()
        ]


def check_catalog(source: VideoSource, *, span: int | None = None, by_fold: bool = False) -> CheckReport:
    """Reports on a data set from its manifest.

    Args:
        source: opened, best with ``fill=False``.
        span: frames of video that a clip covers (``ClipOptions.span``); None: no video is too short.
        by_fold: count videos by the fold in which they are tested, instead of by the splits of the fold that was
            opened.
    """
    rows = source.manifest.rows
    sides = [_side(video, by_fold) for video in source.catalog.videos]
    readable = [row for row in rows if row.error is None]
    lengths = tuple(sorted(row.frames for row in readable))
    claimed = {row.path: (row.frames, row.header_frames) for row in readable if row.header_frames}
    return CheckReport(
        name=source.catalog.name,
        splits={side: sides.count(side) for side in sorted(set(sides), key=_order)},
        classes=tuple(_class_lines(source.catalog, sides)),
        groups=len({video.group for video in source.catalog.videos} - {None}),
        across=_across(source, sides),
        readable=len(readable),
        short={path: pair for path, pair in claimed.items() if pair[0] < pair[1]},
        long={path: pair for path, pair in claimed.items() if pair[0] > pair[1]},
        decord_disagrees=tuple(row.path for row in readable if not row.decord_agrees),
        torchcodec=sum(decoder_for(row) == "torchcodec" for row in readable),
        unreadable=source.manifest.unreadable(),
        damaged={row.path: row.damaged for row in readable if row.damaged},
        notes=_notes(readable),
        missing=source.catalog.missing,
        lengths=lengths,
        histogram=_histogram(lengths),
        resize=source.cache.resize,
        cache_bytes=sum(source.cache.bytes_of(row) for row in readable),
        cached=sum(source.cache.holds(row) for row in readable),
        cache_share=cache_need(source.catalog, source.root, source.cache, source.manifest).share,
        span=span,
        too_short={row.path: row.frames for row in readable if span is not None and row.frames < span},
        account=tuple(account(source.root, source.catalog)),
    )


def _notes(rows: Sequence[ManifestRow]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        for note in row.notes:
            kind, _, rest = note.partition(": ")
            found.setdefault(kind, {})[row.path] = rest
    return dict(sorted(found.items()))


def _histogram(lengths: tuple[int, ...]) -> dict[tuple[int, int], int]:
    bins = Counter(length.bit_length() - 1 for length in lengths)
    return {
        (2**power, 2 ** (power + 1) - 1): bins[power]
        for power in range(min(bins, default=0), max(bins, default=-1) + 1)
    }


def _side(video: Video, by_fold: bool) -> str:
    return f"fold {video.fold}" if by_fold else video.split


def _order(side: str) -> tuple[bool, int, str]:
    """Training first, folds by number."""
    return side != "train", len(side), side


def _class_lines(catalog: Catalog, sides: Sequence[str]) -> list[str]:
    """For each class the videos, or boxes of people, on each side, and the groups if there are any."""
    names, many = sorted(set(sides), key=_order), len(set(sides)) > FOLDS_SHOWN
    grouped = [] if all(video.group is None for video in catalog.videos) else ["groups"] if many else names
    lines = [
        ["class (boxes)" if catalog.annotated else "class", *(["smallest fold", "largest fold"] if many else names)]
    ]
    lines[0] += grouped if many else [f"groups {name}" for name in grouped]
    held: dict[int | None, list[tuple[str, Video]]] = defaultdict(list)
    for side, video in zip(sides, catalog.videos, strict=True):
        held[video.label].append((side, video))
    for frame in catalog.annotated:
        for action in (own for person in frame.people for own in person.actions):
            held[action].append((sides[frame.video], catalog.videos[frame.video]))
    for label, class_name in enumerate(catalog.classes):
        own = held[label]
        videos = [sum(side == name for side, _ in own) for name in names]
        groups = [len({video.group for side, video in own if many or side == name}) for name in grouped]
        lines.append([printable(class_name), *map(str, [*([min(videos), max(videos)] if many else videos), *groups])])
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    shown = [
        "  ".join(
            [
                first + " " * (widths[0] - cell_len(first)),
                *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
            ]
        )
        for first, *rest in lines
    ]
    return shown if catalog.classes else []


def _across(source: VideoSource, sides: Sequence[str]) -> tuple[str, ...]:
    """Readable videos with content that is also in another split, equal ones next to each other."""
    same: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(source.manifest.rows):
        if row.error is None:
            same[row.fingerprint].append(index)
    found = [indices for indices in same.values() if len({sides[index] for index in indices}) > 1]
    return tuple(f"{source.catalog.videos[index].path} ({sides[index]})" for indices in found for index in indices)


def write_videos(source: VideoSource, file: Path, *, by_fold: bool = False) -> None:
    """Writes one line per video, with the columns `COLUMNS`; the split is empty with ``by_fold``.

    Raises:
        DataError: the file cannot be written.
    """
    catalog = source.catalog
    try:
        with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as opened:
            table = csv.writer(opened, lineterminator="\n")
            table.writerow(COLUMNS)
            for video, row in zip(catalog.videos, source.manifest.rows, strict=True):
                label = "" if video.label is None else catalog.classes[video.label]
                split = "" if by_fold else video.split
                said = (row.frames, row.damaged, "yes" if row.error is None else "no", row.error or "")
                state = (*said, "; ".join(row.notes), row.fingerprint)
                table.writerow((video.path, label, split, video.group or "", video.fold or "", *state))
    except OSError as error:
        raise DataError(f"--videos {file}: cannot be written: {error.strerror}") from error


def _listed(heading: str, entries: dict[str, str], file: str = "--videos") -> list[str]:
    if not entries:
        return []
    named = [
        f"  {printable(path)}{': ' if reason else ''}{printable(reason)}"
        for path, reason in list(entries.items())[:NAMED]
    ]
    more = len(entries) - len(named)
    return [f"{heading}:", *named] + ([f"  and {more} more: {file} FILE has all"] if more else [])
