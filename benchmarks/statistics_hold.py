"""What the statistics of a report promise, against simulated tables: coverage, false positives, whole recordings.

    python benchmarks/statistics_hold.py            # some two minutes; writes reports/statistics_hold/table.md
    python benchmarks/statistics_hold.py --tables 400 --report FOLDER

Numbers are made as a study's are: networks of equal or different quality answer test clips, and the report's own
functions (`raysl.reports.statistics`, `raysl.reports.over_videos`) say what they say of them. Every part has random
draws of its own, keyed by `--seed`, and no training.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from figures import Figure, print_figures
from numpy.typing import NDArray
from scipy.special import expit

from raysl.reports.over_videos import interval, sign_flip_test
from raysl.reports.statistics import LEVEL, PERCENT, Sample, describe, holm, paired
from raysl.reports.text import grid
from raysl.streams import stream

Floats = NDArray[np.float64]
ROWS, METRICS = 7, 2
"""Of a table: rows against a baseline, headline metrics of each."""
CLIPS = 193
"""Of five classes of UCF101's first test split, in 35 recordings."""
REPORT = Path(__file__).resolve().parents[1] / "reports" / "statistics_hold"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 tables of each kind, and nothing is written")
    parser.add_argument("--tables", type=int, default=10_000, help="simulated tables of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of all random draws")
    parser.add_argument("--report", type=Path, default=REPORT, help="folder of table.md")
    given = parser.parse_args()
    tables = 200 if given.quick else given.tables
    text = render(tables, given.seed)
    if not given.quick:
        given.report.mkdir(parents=True, exist_ok=True)
        (given.report / "table.md").write_text(text, encoding="utf-8")
    print(text)
    print_figures(figures(text, tables))


def figures(text: str, tables: int) -> Iterator[Figure]:
    """The furthest of all lines from what is promised, beside what so many tables may be off by (three errors)."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    error = 100 * 3 * (0.05 * 0.95 / tables) ** 0.5
    of_seeds = [row for row in rows if len(row) == len(SEEDS_HEAD) and row[0].isdigit()]
    decided = max(float(row[SEEDS_HEAD.index("decided")]) for row in of_seeds)
    yield Figure("wrongly decided tables vs 5 %", decided, 5.0 + error, "%", goal=1.0, better="less")
    held = [row for row in of_seeds if not row[1].startswith("one training")]
    for what in ("coverage, mean", "coverage, difference"):
        lowest = min(float(row[SEEDS_HEAD.index(what)]) for row in held)
        yield Figure(f"{what}, lowest vs 94 %", lowest, 94.0 - error, "%", goal=1.0)


SEEDS_NOTE = f"""
A table has {ROWS} rows against a baseline in {METRICS} metrics, so {ROWS * METRICS} differences. Coverage: how often
the 95 % interval has the true mean of a row, and the true difference. Single: how often the uncorrected p of one
difference between equally good rows is below 0.05. Any: how often a table of equally good rows has one such p or more;
decided: how often it has a difference that the report calls decided, after Holm's correction. Found: how often one
difference of twice its own spread has an uncorrected p below 0.05.
"""
VIDEOS_NOTE = """
Networks of three seeds answer clips of recordings. How hard a clip is, and which of two equally good networks it suits,
is drawn for the whole recording (and for the clip besides), or for each clip alone. Flip clips, flip recordings: how
often the exact test is below 0.05 where rows are equally good on all recordings that there are. Coverage: how often the
95 % interval has the true difference, by the jackknife over recordings, as in reports; for comparison by percentiles of
a bootstrap over recordings.
"""


def render(tables: int, seed: int) -> str:
    """The report: a table over seeds and one over test videos."""
    within = 200 * (0.05 * 0.95 / tables) ** 0.5
    about = (
        f"`python benchmarks/statistics_hold.py`: {tables} simulated tables a line, seed {seed}. Percent; what is "
        f"truly 5 or 95 is met within {within:.1f} (two standard errors)."
    )
    blocks = ["# Do the statistics of a report hold?", about]
    blocks += ["## Over seeds", grid(SEEDS_HEAD, over_seeds(tables, seed), left=2), _joined(SEEDS_NOTE)]
    blocks += ["## Over test videos", grid(VIDEOS_HEAD, over_videos(tables, seed), left=3), _joined(VIDEOS_NOTE)]
    return "\n\n".join(blocks) + "\n"


def _joined(text: str) -> str:
    return " ".join(text.split())


SEEDS_HEAD = ("seeds", "numbers", "coverage, mean", "coverage, difference", "single", "any", "decided", "found")


def over_seeds(tables: int, seed: int) -> Iterator[list[str]]:
    for seeds in (3, 5, 10):
        for name, make in NUMBERS.items():
            yield [f"{seeds}", name, *_of_seeds(make, tables, seeds, seed)]


def bell(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Accuracies as they are measured: a bell curve, of so many clips."""
    return np.round(random.normal(70, 4, shape) * CLIPS / 100) * 100 / CLIPS


def near_the_top(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return np.minimum(random.normal(96, 1.5, shape), 100.0)


def late_starts(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """One training of four begins to learn late and ends low."""
    return random.normal(75, 2, shape) - 15 * (random.random(shape) < 0.25)


NUMBERS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Floats]] = {
    "bell curve": bell,
    "near 100 %, intervals cut": near_the_top,
    "one training of four fails": late_starts,
}


def _of_seeds(
    make: Callable[[np.random.Generator, tuple[int, ...]], Floats], tables: int, seeds: int, seed: int
) -> list[str]:
    random = stream("statistics hold", seed, make.__name__, seeds)
    truth = float(make(random, (1_000_000,)).mean())
    values = make(random, (tables, METRICS, ROWS + 1, seeds))
    spread = float((values[..., 0, :] - values[..., 1, :]).std())
    means, differences, singles, some, decided, found = [], [], [], [], [], []
    for table in values:
        tested = []
        for base, *rows in table:
            means.append(_covers(describe(base, PERCENT), truth))
            tested += [paired(row, base) for row in rows]
        differences.append(_covers(tested[0], 0.0))
        p_values = [1.0 if one.all_equal else one.p for one in tested]
        singles.append(_below(p_values[0]))
        some.append(any(map(_below, p_values)))
        decided.append(any(map(_below, holm(p_values))))
        found.append(_below(describe([value + 2 * spread for value in tested[0].values]).p))
    return [_percent(one) for one in (means, differences, singles, some, decided, found)]


def _covers(sample: Sample, truth: float) -> bool:
    """Equal values have no interval; they cover the truth where they are it."""
    if sample.low is None or sample.high is None:
        return sample.mean == truth
    return sample.low <= truth <= sample.high


def _below(p: float | None) -> bool:
    return p is not None and p < LEVEL


VIDEOS_HEAD = (
    "recordings",
    "clips of each",
    "drawn for each",
    "flip clips",
    "flip recordings",
    "coverage",
    "by percentiles",
)


def over_videos(tables: int, seed: int) -> Iterator[list[str]]:
    for recordings, least, most in ((9, 3, 5), (35, 4, 7), (35, 1, 12), (100, 1, 7)):
        for name, own in (("recording", 1.0), ("clip", 0.0)):
            yield [f"{recordings}", f"{least} to {most}", name, *_of_videos(recordings, least, most, own, tables, seed)]


def _of_videos(recordings: int, least: int, most: int, own: float, tables: int, seed: int) -> list[str]:
    random = stream("statistics hold", seed, "videos", recordings, most, str(own))
    clips = random.integers(least, most + 1, recordings)
    of = np.repeat(np.arange(recordings), clips)
    bootstrap = random.multinomial(recordings, np.ones(recordings) / recordings, 400).astype(float)
    lifted = _changes(random, of, own, tables, lift=0.7)
    truth = 100 / 3 * float(lifted.sum() / lifted.size)
    by_clip, by_recording, covered, by_percentiles = [], [], [], []
    for change in _changes(random, of, own, tables, lift=0.0):
        by_clip.append(_below(sign_flip_test(change)))
        by_recording.append(_below(sign_flip_test(np.bincount(of, change).astype(np.int64))))
    for change in lifted:
        sums = np.bincount(of, change) * 100 / 3
        low, high = interval(sums, clips)
        covered.append(low is not None and high is not None and low <= truth <= high)
        drawn = np.quantile(bootstrap @ sums / (bootstrap @ clips), [0.025, 0.975])
        by_percentiles.append(bool(drawn[0] <= truth <= drawn[1]))
    return [_percent(one) for one in (by_clip, by_recording, covered, by_percentiles)]


def _changes(
    random: np.random.Generator, of: NDArray[np.int64], own: float, tables: int, lift: float
) -> NDArray[np.int64]:
    """``[tables, clips]``: right answers of a row at three seeds minus those of its baseline.

    Args:
        of: ``[clips]`` number of a clip's recording.
        own: how much recordings differ, beside clips.
        lift: of the row's logit.
    """
    recordings = int(of.max()) + 1
    hard = own * random.normal(size=(tables, recordings))[:, of] + random.normal(size=(tables, of.size))
    suits = own * random.normal(size=(tables, recordings))[:, of] + (1 - own) * random.normal(size=(tables, of.size))
    total = np.zeros((tables, of.size), dtype=np.int64)
    for _ in range(3):
        for sign in (1, -1):
            right = random.random((tables, of.size)) < expit(1 + hard + sign * (suits + lift) / 2)
            total += sign * right
    return total


def _percent(hits: list[bool]) -> str:
    return f"{100 * sum(hits) / len(hits):.1f}"


if __name__ == "__main__":
    main()
