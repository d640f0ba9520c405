"""``docs/results.md``: every checked-in report of a store, in short, on one page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from raysl.reports.markdown import results_table
from raysl.reports.published import order_of_rows
from raysl.reports.statistics import LEVEL
from raysl.reports.table import Difference, Table
from raysl.reports.text import HOLE, difference_text, escaped, grid, marks_text, p_text, sample_text
from raysl.reports.words import decided_in_words

INTRODUCTION = """# Results

Written by `raysl results` from the reports below `reports/` and the stores beside them; a test holds it to what these
give. Not to be edited: sentences under *Reading* are in `reading.md` beside a report, and take their figures from its
table.

Numbers are percent: mean ± half-width of the 95 % interval over seeds (number of seeds). A difference to the baseline
is decided (✓) where the corrected p of the paired t-test over seeds is below 0.05. Test videos that were cut from one
recording are flipped and left out together. Lines in italics are no networks that were trained: the most frequent
class, the mean colour of a clip, and a map of where it moves; each report says more. Nothing here was computed at a
paper's own size: compare rows with one another, never with published numbers.
"""
MOST_COLUMNS = 3
"""A table of more columns is written with its rows across."""


@dataclass(frozen=True)
class StudyResult:
    """What the page says of one report.

    Attributes:
        link: the report's folder, from the page.
        name: of that folder below all reports.
        command: that computes it again.
        settings: what all its rows have in common, in a line.
        origin: commits, machines and versions that computed it, a line each.
        reading: sentences that were written for it, filled; empty without any.
    """

    table: Table
    link: str
    name: str
    command: str
    settings: str
    origin: tuple[str, ...]
    reading: str = ""


@dataclass(frozen=True)
class OtherReport:
    """A report that is made from something else than a store, which the page names alone."""

    link: str
    title: str


def results_page(results: Sequence[StudyResult], others: Sequence[OtherReport]) -> str:
    """The page as Markdown.

    Args:
        results: in the page's order.
        others: in the page's order.
    """
    blocks = [INTRODUCTION.rstrip(), _contents(results)]
    for result in results:
        blocks += _study(result)
    if others:
        listed = [f"- [{escaped(one.title)}]({quote(one.link)})" for one in others]
        blocks += ["## Other measurements", "\n".join(listed)]
    return "\n\n".join(blocks) + "\n"


def _contents(results: Sequence[StudyResult]) -> str:
    lines = []
    for one in results:
        source = one.table.source
        seeds = sorted({len(row.cells) for row in source.rows})
        found = _differences(one.table)
        decided = f"{sum(difference.decided for _, _, difference in found)} of {one.table.family}"
        lines.append(
            [
                f"[{escaped(source.title)}](#{_anchor(one.name)})",
                source.scale,
                str(len(source.rows)),
                " to ".join(str(number) for number in dict.fromkeys((seeds[0], seeds[-1]))),
                decided,
            ]
        )
    return grid(["study", "scale", "rows", "seeds", "differences decided over seeds"], lines, left=2)


def _anchor(name: str) -> str:
    return name.replace("/", "-")


def _study(result: StudyResult) -> Iterator[str]:
    table, source = result.table, result.table.source
    yield f'<a id="{_anchor(result.name)}"></a>'
    yield f"## {escaped(source.title)}"
    yield f"{result.settings}\n\nReport: [{result.name}]({quote(result.link)}/table.md)."
    yield results_table(table) if len(table.shown) <= MOST_COLUMNS else _across(table)
    if listed := [*(f"- [{letter}] {escaped(text)}" for letter, text in table.footnotes)]:
        yield "\n".join(listed)
    if table.has_differences:
        yield from _verdicts(table)
    if result.reading:
        yield f"**Reading.** {result.reading.strip()}"
    yield from order_of_rows(table)
    # Tests of documents run what is not marked so.
    yield f"<!-- needs: {'data' if '=FOLDER' in result.command else 'time'} -->\n```\n{result.command}\n```"
    yield "\n".join(f"- {line}" for line in result.origin)


def _across(table: Table) -> str:
    """A line for each column, and rows and references across."""
    source = table.source
    headings = [
        "",
        *(escaped(row.name) + marks_text(row.marks) for row in table.rows),
        *(f"*{escaped(one.name)}*" for one in source.references),
    ]
    lines = []
    for position in table.shown:
        column = source.columns[position]
        values = [sample_text(row.entries[position].sample) for row in table.rows]
        known = [one.values.get(column.key) for one in source.references]
        values += [HOLE if value is None else f"{value:.1f}" for value in known]
        lines.append([escaped(column.heading), *values])
    return grid(headings, lines)


def _differences(table: Table) -> list[tuple[str, int, Difference]]:
    return [
        (row.name, position, difference)
        for row in table.rows
        for position in table.shown
        if (difference := row.entries[position].difference) is not None
    ]


def _verdicts(table: Table) -> Iterator[str]:
    """What is decided over seeds, what over test videos alone, and what is not, of differences to the baseline."""
    baseline = escaped(str(table.source.baseline))
    if decided := decided_in_words(table):
        yield f"Decided over seeds, against {baseline}:"
        yield decided
    over_videos, open_ = dict[str, list[str]](), dict[str, list[str]]()
    for name, position, difference in _differences(table):
        if not difference.decided and not difference.same:
            where = over_videos if _over_videos(difference) else open_
            where.setdefault(name, []).append(f"{escaped(table.source.columns[position].heading)} {_short(difference)}")
    for what, found in (("Decided over test videos alone, of these networks", over_videos), ("Not decided", open_)):
        if found:
            yield f"{what}, against {baseline} (points; p over seeds, over test videos):"
            yield "\n".join(f"- {escaped(name)}: {'; '.join(said)}" for name, said in found.items())


def _over_videos(difference: Difference) -> bool:
    videos = difference.videos
    return videos is not None and videos.p_adjusted is not None and videos.p_adjusted < LEVEL


def _short(difference: Difference) -> str:
    """``+6.1 [+2.0, +10.2] (0.140, 0.005)``"""
    videos = None if difference.videos is None else difference.videos.p_adjusted
    return f"{difference_text(difference.sample)} ({p_text(difference.p_adjusted)}, {p_text(videos)})"
