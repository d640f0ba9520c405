"""A study: one YAML file, loaded with its scale and overrides into rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from raysl.config.document import STUDY_KEYS, load_document, overrides_tree
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.resolve import check_options, resolve
from raysl.config.scale import AS_WRITTEN, Scale, load_scale
from raysl.config.sections import Seed
from raysl.config.shipped import FOLDER, shipped_path, shipped_studies
from raysl.config.suggest import beginning_or_near, near_name, nearest
from raysl.config.tree import merge
from raysl.config.yaml_reader import Tree
from raysl.errors import ConfigError
from raysl.planning.all_rows import refuse_equal, resolve_rows, with_row_overrides
from raysl.planning.data_sets import check_names
from raysl.planning.designs import read_design
from raysl.planning.differences import AppliedChanges, applied_changes, reference_row, report_name
from raysl.planning.load_search import load_search
from raysl.planning.reproduction import PublishedOptions, find_match
from raysl.planning.rows import Row, evaluated_options
from raysl.planning.search import Search
from raysl.planning.trivial import TRIVIAL, trivial_rows
from raysl.planning.written import check_axes, check_columns, check_study, root_names
from raysl.published import Match
from raysl.results.search_folder import SearchTrial, best_trials


class Reference(Options):
    """A line below the table that is no cell: a trivial baseline, with the origin of its numbers."""

    name: str = option(doc="name of the line", source="per study")
    values: dict[str, float] = option(doc="from column (linear/ucf101:top1) to percent", source="per study")
    note: str = option("", doc="where the numbers come from", source="per study")


class StudyOptions(Options):
    """The keys of a study that are not of a cell."""

    title: str = option(doc="heading of the report", source="per study")
    reproduces: str | None = option(None, doc="id of the published table or figure", source="per study")
    published: PublishedOptions | None = option(
        None, doc="which rows and columns of the published table are the study's", source="per study"
    )
    design: Literal["rows", "grid", "one_factor", "leave_one_out", "add_one_in", "search"] = option(
        "rows", doc="how cells follow from the study", source="ours"
    )
    rows: dict[str, Any] = option(
        {},
        doc="from row name to its changes; with another design: rows before the design's own",
        source="per study",
    )
    axes: dict[str, Any] | None = option(
        None,
        doc="keys of a grid or of one factor, with their values; of a search, with distributions",
        source="per study",
    )
    parts: Any = option(None, doc="what leave_one_out takes away, or add_one_in adds, one by one", source="per study")
    core: str | dict[str, Any] | None = option(
        None,
        doc="what add_one_in adds to: a row, or what it changes; null: the base without the parts",
        source="per study",
    )
    search: dict[str, Any] | None = option(
        None, doc="settings of a design of the kind `search`", source="see its fields"
    )
    baseline: str | None = option(None, doc="row that differences are taken against", source="per study")
    seeds: tuple[Seed, ...] = option(
        (0, 1, 2),
        doc="every row is trained once with each; paired across rows",
        unit=NO_UNIT,
        source="ours: three by default",
        min_length=1,
    )
    evaluations: tuple[str, ...] = option(doc="PROTOCOL/DATASET, e.g. linear/ucf101", source="per study", min_length=1)
    columns: tuple[str, ...] | None = option(
        None, doc="LABEL or LABEL:METRIC in the table's order; null: all headline metrics", source="per study"
    )
    reference: tuple[Any, ...] = option((), doc="lines below the table that are no cells", source="per study")
    trivial: bool = option(
        True,
        doc="whether the results of mean colours and motion maps are below the table, for real videos",
        source="ours",
    )
    figures: tuple[str, ...] = option(
        (), doc="import paths of figures in other packages, drawn if they apply to the study", source="per study"
    )
    scales: dict[str, Any] = option({}, doc="this study's changes to named scales", source="per study")


@dataclass(frozen=True)
class Study:
    """A study at one scale.

    Attributes:
        name: see `study_name`; names its report.
        path: the file.
        scale: the scale's name.
        published: the match of its rows and columns (as `column` gives them) with the table that it reproduces, or
            None.
        search: of a study with ``design: search``; its best configurations become rows once they are known
            (`with_best`).
        root_names: what ``--root`` may bind for it, at any scale.
        report_name: the folder of its report at this scale and with these overrides.
        given: what the scale and ``--set`` changed of its baseline.
        levels: of a grid: row to axis to the name of its value.
        trivial: rows of backbones without weights, below the table (`raysl.planning.trivial`).
    """

    name: str
    path: Path
    scale: str
    options: StudyOptions
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    references: tuple[Reference, ...]
    published: Match | None = None
    search: Search | None = None
    root_names: frozenset[str] = frozenset()
    report_name: str = ""
    given: AppliedChanges = field(default_factory=AppliedChanges)
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    trivial: tuple[Row, ...] = ()

    def column(self, written: str) -> str:
        """``LABEL`` or ``LABEL:METRIC`` as the study writes it, with the data set that the scale substitutes."""
        label, colon, metric = written.partition(":")
        own_row = self.search.base if self.search is not None else self.rows[0]
        evaluations = zip(self.options.evaluations, own_row.evaluations, strict=True)
        labels = {own: evaluation.label for own, evaluation in evaluations}
        return f"{labels.get(label, label)}{colon}{metric}"


def with_best(study: Study, trials: Sequence[SearchTrial]) -> Study:
    """The study with the best configurations of its search, trained at full length, as rows ``best 1`` and so on.

    Args:
        trials: of its search; all must have ended.
    """
    if study.search is None:
        return study
    best = best_trials(list(trials), study.search.options.best)
    rows = tuple(study.search.row(trial.point, f"best {rank}") for rank, trial in enumerate(best, 1))
    own = study.rows[: len(study.options.rows)]  # not those of an earlier call
    return replace(study, rows=(*own, *rows))


def study_name(path: Path) -> str:
    """``cvrl/table9`` for ``.../search_spaces/cvrl/table9.yaml``; for a file elsewhere its name without suffix."""
    parts = path.resolve().with_suffix("").parts
    folders = [position for position, part in enumerate(parts[:-1]) if part == FOLDER]
    return "/".join(parts[folders[-1] + 1 :]) if folders else path.stem


def load_study(path: Path, scale: str | None = None, overrides: list[str] | None = None) -> Study:
    """Loads a study with all of its rows.

    Args:
        path: the YAML file.
        scale: name or file of a scale; None or ``paper``: as written.
        overrides: ``section.key=value``, overriding everything else.

    Raises:
        ConfigError: one error naming file, line and key.
    """
    written = load_document(path)
    given = overrides_tree(overrides or [])
    study_keys = [key for key in given.data if key in STUDY_KEYS or key == "datasets"]
    if "base" in given.data:
        raise given.error(("base",), "a study extends its base before --set is applied: change it in the file")
    laid = {key: given.data[key] for key in study_keys if key != "rows"}
    document = merge(written, Tree(laid, given.origins))
    check_options(StudyOptions, document, (), {"design": document.data.get("design", "rows")})
    check_axes(document)
    design = read_design(document)
    design = design.over(with_row_overrides(design.document, given))
    document = design.document
    rest = Tree({key: value for key, value in given.data.items() if key not in study_keys}, given.origins)
    options = _options(document)
    document.data["evaluations"] = options.evaluations
    chosen = load_scale(scale, path, options.scales, document)
    design = design.over(_with_data_sets(document, chosen))
    document = design.document
    check_names(document)
    check_study(document, options, chosen, path, rest)
    rest = evaluated_options(rest, document)
    rows = resolve_rows(design, chosen, rest)
    baseline = design.check(rows, chosen, rest)
    options = options.model_copy(update={"baseline": options.baseline or baseline})
    refuse_equal(document, rows, scale or "paper", chosen, given)
    for row in rows:
        if options.trivial and row.name in TRIVIAL:
            said = "is the name of a line below the table: rename the row, or write trivial: false"
            raise document.error(("rows", row.name), f"{row.name!r} {said}")
    references = tuple(
        resolve(Reference, document, ("reference", str(position)), data=line)
        for position, line in enumerate(options.reference)
    )
    seeds = chosen.seeds or options.seeds
    search = load_search(document, seeds, chosen, rest, given) if options.design == "search" else None
    check_columns(document, options, rows if search is None else [*rows, search.base])
    found = find_match(
        document, options.reproduces, options.published, options.rows, options.columns or options.evaluations
    )
    first = reference_row(rows or ((search.base,) if search is not None else ()), options.baseline)
    study = Study(
        name=study_name(path),
        path=path,
        scale=scale or "paper",
        options=options,
        rows=rows,
        seeds=seeds,
        references=references,
        search=search,
        root_names=root_names(document, rows if search is None else [*rows, search.base]),
        report_name=report_name(study_name(path), None if chosen is AS_WRITTEN else scale, given),
        given=applied_changes(design, first, chosen, written, overrides or []),
        levels={name: point.levels for name, point in design.points.items() if point.levels},
        trivial=trivial_rows(first) if options.trivial and first is not None else (),
    )
    if found is None:
        return study
    columns = {study.column(written): name for written, name in found.columns.items()}
    return replace(study, published=replace(found, columns=columns))


def _with_data_sets(document: Tree, scale: Scale) -> Tree:
    """The document with the data sets that the scale names; those of the study win."""
    own, added = document.data.get("datasets") or {}, scale.data_sets()
    origins = {path: origin for path, origin in added.origins.items() if path[1:2] and path[1] not in own}
    data = {**document.data, "datasets": {**added.data["datasets"], **own}}
    return Tree(data, {**origins, **document.origins})


def _options(document: Tree) -> StudyOptions:
    if not is_study(document):
        raise document.error(
            (), "has no rows, and no design that makes any: it is a recipe to extend, not a study to run"
        )
    keys = {key: value for key, value in document.data.items() if key in STUDY_KEYS}
    options = resolve(StudyOptions, Tree(_row_names_as_text(keys, document), document.origins))
    if options.design == "search" and options.reproduces is not None:
        raise document.error(("reproduces",), "a search reproduces no table: its rows are its results")
    taken = [name for name in options.rows if name.startswith("best ")]
    if options.design == "search" and taken:
        raise document.error(("rows", taken[0]), "rows of a search cannot be called 'best ...': those are its results")
    found_later = options.design == "search" and re.fullmatch(r"best [1-9]\d*", options.baseline or "")
    if options.baseline is not None and options.baseline not in options.rows and not found_later:
        raise document.error(
            ("baseline",), f"there is no row {options.baseline!r}{nearest(options.baseline, options.rows)}"
        )
    if len(set(options.seeds)) != len(options.seeds):
        raise document.error(("seeds",), f"a seed is given twice: {list(options.seeds)}")
    for position, label in enumerate(options.evaluations):
        if label in options.evaluations[:position]:
            raise document.error(("evaluations", str(position)), f"{label!r} is given twice")
    return options


def _row_names_as_text(keys: Mapping[str, Any], document: Tree) -> dict[str, Any]:
    """The keys of a study in which rows named by a number, true or null are text: ``baseline: 0.10``."""
    rows = keys.get("rows") or {}

    def text(value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [text(item, (*path, str(position))) for position, item in enumerate(value)]
        if isinstance(value, Mapping):
            return {key: text(item, (*path, key)) for key, item in value.items()}
        written = document.text(path, value)
        return written if written in rows else value

    result = {key: text(value, (key,)) if key == "baseline" else value for key, value in keys.items()}
    published = keys.get("published")
    if isinstance(published, Mapping):
        pairs = {
            key: text(published[key], ("published", key)) for key in ("unscored", "unscored_in") if key in published
        }
        result["published"] = {**published, **pairs}
    return result


def find_studies(paths: list[Path]) -> list[Path]:
    """The study files among ``paths``; a folder means all files with rows, or of a search, below it.

    A path that does not exist may be the name of a study that raysl ships (``taco/table1_single_tasks``), or of a
    folder of them (``taco``).

    Raises:
        ConfigError: a path that does not exist and is no such name; a folder without a study.
    """
    found: list[Path] = []
    for given in paths:
        path = existing(given)
        if path.is_dir():
            files = [file for file in sorted(path.rglob("*.yaml")) if _is_study_file(file)]
            if not files:
                raise ConfigError(f"{path}: there is no study (a YAML file with rows or axes) below this folder")
            found.extend(files)
        else:
            found.append(path)
    return found


def existing(given: Path) -> Path:
    """The path itself, or, if it does not exist, the file or folder that raysl ships under this name.

    Raises:
        ConfigError: neither; the nearest is suggested.
    """
    if given.is_dir() or given.is_file():
        return given
    shipped = shipped_path(given.as_posix())
    if shipped is not None:
        return shipped
    written = given.as_posix()
    name = written.removeprefix(f"{FOLDER}/").removesuffix(".yaml")
    # Without suffixes: all files end alike, which makes any two of them near.
    beside = {file.with_suffix("").as_posix(): file.as_posix() for file in given.parent.glob("*.yaml")}
    close = near_name(written.removesuffix(".yaml"), beside)
    near = beginning_or_near(name, shipped_studies()) if close is None else f" (did you mean {beside[close]!r}?)"
    raise ConfigError(
        f"{given}: there is no such file or folder, nor a study of raysl's of this name{near}; raysl studies lists "
        "those that there are"
    )


def _is_study_file(file: Path) -> bool:
    if file.parent.name == "scales":
        return False
    return is_study(load_document(file))


def is_study(document: Tree) -> bool:
    """Whether a file is a study: one without rows, axes or parts is a recipe to extend."""
    return bool(document.data.get("rows")) or document.data.get("design", "rows") != "rows"
