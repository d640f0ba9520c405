"""What ``raysl data check`` says: every video of a data set as it really is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from raysl.data.source import VideoSource

BAR = 40
NAMED = 20
"""Absent videos that the report names: of Kinetics a hundred thousand may be."""


@dataclass(frozen=True)
class CheckReport:
    """The state of a data set.

    Attributes:
        name: of the catalog.
        splits: split to number of videos.
        readable: number of videos that decode.
        short: path to (decoded, claimed) frames, where the header claims more.
        long: the same, where it claims fewer (and anything at all).
        decord_disagrees: readable videos that PyAV has to read.
        unreadable: path to reason.
        missing: listed videos whose files are absent.
        lengths: frames of each readable video, sorted.
        histogram: (first, last) length to the number of videos; powers of two.
        resize: short side in pixels for which the cache is reckoned.
        cache_bytes: what all readable videos take in the cache.
        cached: readable videos that are in it.
        span: frames that a clip needs, where it was asked.
        too_short: path to frames, of readable videos below the span.
    """

    name: str
    splits: dict[str, int]
    readable: int
    short: dict[str, tuple[int, int]]
    long: dict[str, tuple[int, int]]
    decord_disagrees: tuple[str, ...]
    unreadable: dict[str, str]
    missing: tuple[str, ...]
    lengths: tuple[int, ...]
    histogram: dict[tuple[int, int], int]
    resize: int
    cache_bytes: int
    cached: int
    span: int | None
    too_short: dict[str, int]

    def text(self) -> str:
        """The report as plain text; every unreadable or too short video is named, and the first `NAMED` absent ones."""
        videos = sum(self.splits.values())
        splits = ", ".join(f"{name} {count}" for name, count in self.splits.items())
        lines = [
            f"data set {self.name}: {videos} videos ({splits})",
            f"readable               {self.readable}",
            f"short of their header  {len(self.short)}",
            f"longer than it         {len(self.long)}",
            f"decord disagrees       {len(self.decord_disagrees)} (these are read with PyAV)",
            f"unreadable             {len(self.unreadable)}",
            f"listed but absent      {len(self.missing)}",
        ]
        if self.span is not None:
            lines.append(f"below {self.span:>4} frames      {len(self.too_short)}")
        lines.append(
            f"cache at {self.resize} pixels    {self.cache_bytes / 1e9:.2f} GB for all, {self.cached} videos are in it"
        )
        lines += self._histogram_lines()
        lines += _listed("unreadable", self.unreadable)
        lines += _listed(
            "short", {path: f"{found} of {claimed} frames" for path, (found, claimed) in self.short.items()}
        )
        lines += _listed("too short", {path: f"{frames} frames" for path, frames in self.too_short.items()})
        lines += _listed("decord disagrees", dict.fromkeys(self.decord_disagrees, ""))
        lines += _listed("absent", dict.fromkeys(self.missing[:NAMED], ""))
        if len(self.missing) > NAMED:
            lines.append(f"  and {len(self.missing) - NAMED} more: --missing FILE writes all names")
        return "\n".join(lines)

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


def check_catalog(source: VideoSource, *, span: int | None = None) -> CheckReport:
    """Reports a data set whose manifest says all there is to say.

    Args:
        source: opened, best with ``fill=False``.
        span: frames of video that a clip covers (``ClipOptions.span``); None: no video is called too short.
    """
    rows = source.manifest.rows
    readable = [row for row in rows if row.error is None]
    lengths = tuple(sorted(row.frames for row in readable))
    claimed = {row.path: (row.frames, row.header_frames) for row in readable if row.header_frames}
    return CheckReport(
        name=source.catalog.name,
        splits=dict(Counter(video.split for video in source.catalog.videos)),
        readable=len(readable),
        short={path: pair for path, pair in claimed.items() if pair[0] < pair[1]},
        long={path: pair for path, pair in claimed.items() if pair[0] > pair[1]},
        decord_disagrees=tuple(row.path for row in readable if not row.decord_agrees),
        unreadable=source.manifest.unreadable(),
        missing=source.catalog.missing,
        lengths=lengths,
        histogram=_histogram(lengths),
        resize=source.cache.resize,
        cache_bytes=sum(source.cache.bytes_of(row) for row in readable),
        cached=sum(source.cache.holds(row) for row in readable),
        span=span,
        too_short={row.path: row.frames for row in readable if span is not None and row.frames < span},
    )


def _histogram(lengths: tuple[int, ...]) -> dict[tuple[int, int], int]:
    bins = Counter(length.bit_length() - 1 for length in lengths)
    return {
        (2**power, 2 ** (power + 1) - 1): bins[power]
        for power in range(min(bins, default=0), max(bins, default=-1) + 1)
    }


def _listed(heading: str, entries: dict[str, str]) -> list[str]:
    if not entries:
        return []
    return [f"{heading}:"] + [f"  {path}{': ' if reason else ''}{reason}" for path, reason in entries.items()]
