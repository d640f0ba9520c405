"""`raysl data check`: the state of a data set, before anything is trained on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.progress import Progress

from raysl.commands.terminal import PlainConsole
from raysl.config.cell import Slot
from raysl.config.component import Chosen
from raysl.config.document import overrides_tree
from raysl.config.identity import resolved
from raysl.config.resolve import choose
from raysl.config.suggest import nearest
from raysl.config.tree import merge
from raysl.config.yaml_reader import Origin, Tree
from raysl.data.account import write_account
from raysl.data.check import check_catalog, write_videos
from raysl.data.places import Places, used_names
from raysl.data.prepare_folder import prepared, prepared_line
from raysl.data.source import open_source
from raysl.errors import ConfigError, DataError
from raysl.planning.folds import folds_of
from raysl.planning.study import existing, load_study


def chosen_set(name: str, options: list[str], study: Path | None, scale: str | None) -> Chosen:
    """A data set by its reader's name (``ucf101/2``), or by the name that a study gives it (``mine``, ``mine/2``).

    Args:
        options: of the data set, overriding the study's.

    Raises:
        ConfigError: unknown data set or option, or none of the study's.
    """
    written = {"name": name}
    root_name = None
    if study is not None:
        known = _sets_of(study, scale)
        found = name if name in known else name.partition("/")[0]
        if found not in known:
            raise ConfigError(f"{study} reads no data set {name!r}{nearest(name, known)}")
        variant = name.removeprefix(found)
        preset = known[found].component.variant
        extra = preset(variant[1:]) if variant and preset is not None else {}
        written = {**resolved(known[found].options), **extra, "name": known[found].name}
        root_name = known[found].root_name
    origin = "data set" if study is None else f"{study}: data set {name}"
    tree = merge(Tree(written, {(): Origin(origin)}), overrides_tree(options))
    return replace(choose(Slot("data set"), tree.data, tree, ()), root_name=root_name)


def _sets_of(study: Path, scale: str | None) -> dict[str, Chosen]:
    """A study's data sets, by the names that roots are bound to; if several have one name, the first row's."""
    loaded = load_study(existing(study), scale)
    rows = list(loaded.rows) + ([loaded.search.base] if loaded.search is not None else [])
    sets = [data for row in rows for data in (row.cell.data, *(one.data for one in row.evaluations))]
    sets += [loaded.search.data] if loaded.search is not None else []
    return {data.bound_name: data for data in reversed(sets)}


def clip_span(study: Path, scale: str | None) -> int:
    """Frames of video that a study's longest clip covers: of a shorter video its frames are repeated.

    Raises:
        ConfigError: as `load_study` does.
    """
    loaded = load_study(existing(study), scale)
    rows = loaded.rows if loaded.search is None else (*loaded.rows, loaded.search.base)
    return max(row.cell.clip.span for row in rows)


def print_check(
    data: Chosen,
    places: Places,
    resize: int,
    processes: int | None,
    console: PlainConsole,
    *,
    missing: Path | None = None,
    videos: Path | None = None,
    account: Path | None = None,
    span: int | None = None,
) -> None:
    """Decodes every video that was not decoded before and prints the report.

    Args:
        missing: file for the names of listed videos without a file, one per line.
        videos: CSV file with one line per video.
        account: file for the account of everything below the root, with all names.
        span: frames of video that a clip covers (`clip_span`); shorter videos are counted and named.

    Raises:
        ConfigError: a root was given for a name that is not the data set's.
        DataError: no root, lists that cannot be read, or a file that cannot be written.
    """
    names = used_names([data])
    for name in places.unused(names):
        raise ConfigError(f"--root {name}: this data set has another name{nearest(name, names)}")
    folds = folds_of(data)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("reading videos", total=None)
        source = open_source(
            folds[0],
            places,
            resize=resize,
            processes=processes,
            fill=False,
            compare=True,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    by_fold = len(folds) > 1
    if missing is not None:
        try:
            missing.write_text(
                "".join(f"{name}\n" for name in source.catalog.missing), encoding="utf-8", errors="surrogateescape"
            )
        except OSError as error:
            raise DataError(f"--missing {missing}: cannot be written: {error.strerror}") from error
        console.print(f"{len(source.catalog.missing)} absent videos: named in {missing}")
    if videos is not None:
        write_videos(source, videos, by_fold=by_fold)
        console.print(f"{len(source.catalog.videos)} videos: listed in {videos}")
    if account is not None:
        write_account(source.root, source.catalog, account)
        console.print(f"what lies below the root: written to {account}")
    about = prepared(source.root)
    if about is not None:
        console.print(prepared_line(about))
    report = check_catalog(source, span=span, by_fold=by_fold)
    if data.bound_name != data.name:
        report = replace(report, name=f"{data.bound_name}, read by {data.name}")
    console.print_lines(report.text())
