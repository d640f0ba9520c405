"""Details of a table: every difference to the baseline, the power of the present seeds, and the methods."""

from __future__ import annotations

from raysl.reports.over_videos import LEAST_RECORDINGS, VideoTest
from raysl.reports.power import MOST_SEEDS, effect_size, seeds_to_decide
from raysl.reports.statistics import LEVEL, Sample
from raysl.reports.table import Difference, Table
from raysl.reports.text import HOLE, difference_text, escaped, grid, marks_text, p_text, sample_text

HEADINGS = (
    "row",
    "metric",
    "difference [95 %] (seeds)",
    "p over seeds",
    "effect size",
    "seeds to decide (alone / here)",
    "95 % over test videos",
    "p over test videos",
)


def details_section(table: Table) -> list[str]:
    """Blocks of Markdown."""
    blocks = ["## Details"]
    if len(table.shown) < len(table.source.columns):
        blocks.append(_other_metrics(table))
    if table.has_differences:
        blocks.append(_differences(table))
        if table.planning:
            blocks.append(_planning(table))
    return [*blocks, _method(table)]


def _other_metrics(table: Table) -> str:
    others = [position for position in range(len(table.source.columns)) if position not in table.shown]
    headings = [escaped(table.source.columns[one].heading) + marks_text(table.column_marks[one]) for one in others]
    lines = []
    for row in table.rows:
        entries = [row.entries[position] for position in others]
        lines.append([escaped(row.name), *(sample_text(one.sample) + marks_text(one.marks) for one in entries)])
    for reference in table.source.references:
        values = (reference.values.get(table.source.columns[position].key) for position in others)
        lines.append([f"*{escaped(reference.name)}*", *(HOLE if value is None else f"{value:.1f}" for value in values)])
    return grid(["row", *headings], lines)


def _differences(table: Table) -> str:
    lines = [
        [escaped(row.name), escaped(column.heading), *_line(difference, table.first_level)]
        for row in table.rows
        for column, entry in zip(table.source.columns, row.entries, strict=True)
        if (difference := entry.difference) is not None
    ]
    return grid(HEADINGS, lines, left=2)


def _line(difference: Difference, first_level: float) -> list[str]:
    if difference.same:
        return ["same results", *[HOLE] * (len(HEADINGS) - 3)]
    sample, videos = difference.sample, difference.videos
    size = effect_size(sample)
    return [
        f"{difference_text(sample)} ({len(sample.values)})",
        p_text(difference.p_adjusted),
        HOLE if size is None else f"{size:+.2f}",
        HOLE if size is None else f"{_seeds(sample, LEVEL)} / {_seeds(sample, first_level)}",
        _interval(videos),
        p_text(None if videos is None else videos.p_adjusted),
    ]


def _seeds(sample: Sample, level: float) -> str:
    needed = seeds_to_decide(sample, level)
    if needed is None:
        return HOLE
    return f">{MOST_SEEDS}" if needed > MOST_SEEDS else str(needed)


def _interval(videos: VideoTest | None) -> str:
    if videos is None or videos.low is None or videos.high is None:
        return HOLE
    return f"[{videos.low:+.1f}, {videos.high:+.1f}]"


def _planning(table: Table) -> str:
    found = [
        f"{escaped(one.column.heading)} {_points(one.detectable)} / {_points(one.corrected)} points with {one.seeds} "
        f"seeds (standard deviation of the paired differences {one.spread:.1f}, pooled over rows)"
        for one in table.planning
    ]
    return (
        "Smallest true difference that is decided four times of five (alone / here): "
        f"{'; '.join(found)}. Seeds to decide: how many would decide a difference of the size seen as often, at the "
        "spread seen. Both of the paired t-test, two-sided (noncentral t): alone at 5 %, here at Holm's first level, "
        f"5 % over {table.family}, the most that this table asks for. The sizes and spreads of few seeds are "
        "rough, and large sizes likely too large: plan with the smallest difference that matters to you."
    )


def _points(value: float) -> str:
    """A difference in points, as text; no two percentages differ by more than 100."""
    return "over 100" if value > 100 else f"{value:.1f}"


def _method(table: Table) -> str:
    sentences = [
        "Intervals are 95 % t-intervals over seeds; with fewer than three seeds, and where all values are equal, there "
        "is none."
    ]
    if table.has_differences:
        sentences.append(
            "Differences are paired by seed. **Each interval is of its difference alone, not corrected for their "
            "number**; p-values are corrected, so an interval may exclude zero where nothing is decided. p over seeds: "
            f"paired t-test, Holm-corrected over all differences of headline metrics ({table.family} tests). Effect "
            "size: mean over standard deviation of the paired differences, corrected for few seeds (Hedges' g). p over "
            "test videos: exact sign-flip test, answers summed over seeds, Holm-corrected likewise; with its interval "
            "(jackknife) it speaks about these trained networks on other videos, not about other seeds. "
            f"{HOLE}: no test."
        )
    if any(cell.parts for row in table.source.rows for cell in row.cells):
        sentences.append("On folds the value at a seed is the mean over the folds, and every test video counts once.")
    return " ".join([*sentences, *_test_sets(table)])


def _test_sets(table: Table) -> list[str]:
    """The number of test clips, and the units of the test over videos."""
    labels: dict[str, list[str]] = {}
    for label, sizes in table.test_videos.items():
        pairs = list(zip(sizes, table.recordings[label], strict=True))
        labels.setdefault(" or ".join(_counted(clips, recordings) for clips, recordings in pairs), []).append(label)
    if not labels:
        return []
    sets = [f"{escaped(', '.join(ones))} {said}" for said, ones in labels.items()]
    text = [f"Test videos: {'; '.join(sets)}."]
    known = [recordings for found in table.recordings.values() for recordings in found]
    if table.has_differences:
        if any(one is None for one in known):
            text.append("Where it is not known which clips are of one recording, p is too small if some are.")
        if any(one is not None and one < LEAST_RECORDINGS for one in known):
            text.append(f"With fewer than {LEAST_RECORDINGS} recordings no p over test videos can be below 0.05.")
    return text


def _counted(clips: int, recordings: int | None) -> str:
    if recordings is None:
        return f"{clips} clips, taken as independent (the data set does not say which are of one recording)"
    if recordings == clips:
        return f"{clips} clips, each a recording of its own"
    return f"{clips} clips of {recordings} recordings, which are flipped and left out as wholes"
