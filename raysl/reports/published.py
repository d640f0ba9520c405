"""The published numbers next to ours: a section of the Markdown report."""

from __future__ import annotations

from raysl.published import PublishedTable, paper
from raysl.reports.input import Column, Published, ReportInput
from raysl.reports.ordering import OrderedPair, Ordering
from raysl.reports.statistics import LEAST_SEEDS, Sample
from raysl.reports.table import Table
from raysl.reports.text import HOLE, difference_text, escaped, grid, sample_text

NOT_RECOVERED = "not recovered"
PROVENANCE = {
    "paper": "printed in the table",
    "paper-cross": "printed elsewhere in the papers",
    "public": "from a public source",
    "lost": "not recovered",
}


def published_section(table: Table) -> list[str]:
    """Blocks of Markdown; none if the study reproduces no table."""
    published = table.source.published
    if published is None:
        return []
    blocks = [f"## Published: {title_of(published.table)}"]
    if published.rows and published.columns:
        blocks += [_scale(table.source), _numbers(table, published), _order(table)]
        blocks += [] if (named := _named(table)) is None else [named]
    else:
        blocks.append("No row and column of this study is matched with it.")
    return [*blocks, _about(table.source, published)]


def order_of_rows(table: Table) -> list[str]:
    """What is published beside ours, and whether our rows stand in that order; no blocks where nothing is matched."""
    published = table.source.published
    if published is None or not published.rows or not published.columns:
        return []
    blocks = [f"Published beside ours: {title_of(published.table)}.", _numbers(table, published), _order(table)]
    return [*blocks, *([] if (named := _named(table)) is None else [named])]


def difference_to_published(source: ReportInput, sample: Sample, number: float | None) -> float | None:
    """Ours minus published, only at scale paper: another scale changes the numbers on purpose."""
    return None if source.scale != "paper" or sample.mean is None or number is None else sample.mean - number


def title_of(table: PublishedTable) -> str:
    """``Table 4 of TCLR, arXiv:...``"""
    origin = paper(table.paper)
    where = f"arXiv:{origin.arxiv}" if origin.arxiv else f"OpenReview {origin.openreview}"
    return f"{'Figure' if table.figure else 'Table'} {table.number} of {origin.title}, {where}"


def _scale(source: ReportInput) -> str:
    if source.scale == "paper":
        return "Ours as in the table above. Differences are our mean minus the published number."
    return (
        f"Scale {source.scale} reduces the cost, so the order of rows is compared with the published one, not numbers."
    )


def _numbers(table: Table, published: Published) -> str:
    source = table.source
    columns = [column for column in source.columns if column in published.columns]
    headings = ["row"]
    for column in columns:
        headings += [escaped(f"{column.heading}: published {published.columns[column]}"), "ours"]
        headings += ["ours - published"] if source.scale == "paper" else []
    lines = []
    for row in table.rows:
        if row.name in published.rows:
            samples = {column: entry.sample for column, entry in zip(source.columns, row.entries, strict=True)}
            cells = [_cells(source, published, row.name, column, samples[column]) for column in columns]
            lines.append([escaped(row.name), *(text for cell in cells for text in cell)])
    return grid(headings, lines)


def _cells(source: ReportInput, published: Published, row: str, column: Column, sample: Sample) -> list[str]:
    number = published.number(row, column)
    texts = [NOT_RECOVERED if number is None else str(number), sample_text(sample)]
    if source.scale == "paper":
        change = difference_to_published(source, sample, number)
        width = "" if sample.half_width is None else f" ± {sample.half_width:.1f}"
        texts.append(HOLE if change is None else f"{change:+.1f}{width}")
    return texts


def _order(table: Table) -> str:
    headings = ["order of rows", "pairs", "agree", "disagree", "undecided", "not scored", "Kendall's tau (of decided)"]
    return grid(headings, [_order_line(ordering) for ordering in table.orderings])


def _order_line(ordering: Ordering) -> list[str]:
    counts = [ordering.count(verdict) for verdict in ("agree", "disagree", "undecided", "unscored")]
    tau = HOLE if ordering.tau is None else f"{ordering.tau:+.2f}"
    tau += f" ({ordering.decided} of {ordering.decidable})"
    return [escaped(ordering.column.heading), str(len(ordering.pairs)), *(str(count) for count in counts), tau]


def _named(table: Table) -> str | None:
    """The pairs that disagree and those that are not scored, by name."""
    lines = []
    for ordering in table.orderings:
        for pair in ordering.pairs:
            where = escaped(f"{ordering.column.heading}: {pair.first} and {pair.second}")
            if pair.verdict == "disagree":
                lines.append(f"- {where} disagree: published {_published(pair)}, ours {difference_text(pair.sample)}")
            elif pair.verdict == "unscored":
                lines.append(f"- {where} not scored: {pair.reason}")
    return "\n".join(lines) or None


def _published(pair: OrderedPair) -> str:
    return HOLE if pair.published is None else f"{round(pair.published, 6):+g}"


def _about(source: ReportInput, published: Published) -> str:
    table = published.table
    lines = [f"- {table.id}: {table.heading}"]
    if table.provenance is not None:
        lines.append(f"- Provenance: {table.provenance} ({PROVENANCE[table.provenance]})")
    lines += [f"- Source: {table.source}"] if table.source else []
    if "provenance" in table.columns:
        position = table.columns.index("provenance")
        lines += [f"- Provenance of {escaped(row)}: {published.line(row)[position]}" for row in published.rows]
    lines += [f"- {note}" for note in table.notes]
    lines += [f"- {cell.cell}: {cell.value} ({cell.provenance}: {cell.source})" for cell in table.cross]
    lines += [f"- Rows that were not recovered: {table.lost_rows}"] if table.lost_rows else []
    own = [row.name for row in source.rows if row.name not in published.rows]
    lines += [f"- Rows of ours without a published one: {escaped(', '.join(own))}"] if own and published.rows else []
    missing = len(table.rows) - len(set(published.match.rows.values()))
    lines += [f"- Published rows that this study does not have: {missing}"] if missing and published.rows else []
    if published.rows and published.columns:
        lines.append(
            "- A pair of rows is decided where the 95 % interval of our difference, paired by seed, excludes zero "
            f"(below {LEAST_SEEDS} common seeds there is no interval, and nothing is decided). Each pair stands by "
            "itself, not corrected for their number: were all rows equally good, one of twenty would be decided. "
            "Kendall's tau is (agree - disagree) / (agree + disagree) over the decided pairs, whose number stands "
            "beside it; of few pairs it says little."
        )
    return "\n".join(lines)
