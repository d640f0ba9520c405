"""How much of the scores' variance in a search each parameter explains: Optuna's fANOVA."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from raysl.planning.search import check_optuna
from raysl.reports.figure import BLACK, COLOURS, Figure, FigureInput, lines_of, rows_drawn, tidy
from raysl.reports.figures.intervals import row_names, row_size
from raysl.reports.figures.parallel_coordinates import LOGARITHMIC, scored
from raysl.results.search_folder import SearchTrial, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from optuna.distributions import BaseDistribution

COLUMNS = ("panel", "row", "value", "trials")
LEAST_TRIALS = 8
"""The least trials: a forest of fewer is not informative."""
SEED = 0


def table(source: FigureInput) -> pd.DataFrame:
    """A line per parameter, the largest share first; in percent."""
    searched = source.table.source.searched
    trials = [] if searched is None else scored(searched)
    lines = [] if len(trials) < LEAST_TRIALS else _shares(trials)
    return tidy(
        (
            {"panel": "share of the variance", "row": name, "value": 100 * share, "trials": len(trials)}
            for name, share in lines
        ),
        COLUMNS,
    )


def _shares(trials: Sequence[SearchTrial]) -> list[tuple[str, float]]:
    """Importances of the parameters that every trial has, and that vary."""
    check_optuna()
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    names = [name for name in trials[0].point if all(name in one.point for one in trials)]
    values = {name: _encoded([one.point[name] for one in trials]) for name in names}
    values = {name: own for name, own in values.items() if len(set(own)) > 1}
    if not values or len({one.score for one in trials}) == 1:
        return []
    distributions = {name: _distribution(own) for name, own in values.items()}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    for number, one in enumerate(trials):
        params = {name: own[number] for name, own in values.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=one.score))
    found: Mapping[str, float] = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=SEED))
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _encoded(values: Sequence[Value]) -> list[Value]:
    """Numbers that span a factor by their logarithms, as the search draws them."""
    if any(isinstance(value, str | bool) for value in values):
        return [str(value) for value in values]
    numbers = [float(value) for value in values]
    if min(numbers) > 0 and max(numbers) / min(numbers) >= LOGARITHMIC:
        return [math.log(number) for number in numbers]
    return list(numbers)


def _distribution(values: Sequence[Value]) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(values[0], str):
        return CategoricalDistribution(sorted({str(value) for value in values}))
    numbers = [float(value) for value in values]
    return FloatDistribution(min(numbers), max(numbers))


def draw(data: pd.DataFrame, axes: Axes) -> None:
    rows = rows_drawn(data)
    own = data[data["row"].isin(rows)]
    axes.barh(
        [-rows.index(row) for row in own["row"]], own["value"], 0.6, color=COLOURS[5], edgecolor=BLACK, linewidth=0.5
    )
    for line in lines_of(own):
        axes.text(line.value + 1, -rows.index(line.row), f"{line.value:.0f}", va="center", fontsize=6.5)
    row_names(axes, rows, width=44, heading="share of the explained variance (%)")
    axes.set_xlim(0, 105)


FIGURE = Figure(
    title="What mattered in the search",
    caption=(
        "Optuna's fANOVA over all trials that ended with a score, those stopped early too, with a fixed seed: of each "
        "parameter by itself, made to add up to 100 %. It says what the scores went with in the values that were "
        "tried, not what would help elsewhere; of few trials it says little."
    ),
    table=table,
    draw=draw,
    size=row_size,
    order=46,
)
