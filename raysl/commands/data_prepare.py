"""`raysl data prepare`: copies of a data set that are cheap to decode, and what became of every video."""

from __future__ import annotations

from pathlib import Path

from rich.progress import Progress

from raysl.commands.terminal import PlainConsole
from raysl.config.component import Chosen
from raysl.config.suggest import nearest
from raysl.data.places import Places, used_names
from raysl.data.prepare import Report, prepare, size
from raysl.data.prepare_video import CopyOptions
from raysl.errors import ConfigError, printable
from raysl.planning.folds import folds_of
from raysl.planning.study import existing, load_study

NAMED = 20
"""Videos of each kind that are named; `prepared.jsonl` has all."""
DEFAULT_SIDE = 128
"""What most studies resize to (``clip.resize``)."""


def short_side_of(study: Path | None, scale: str | None, given: int | None) -> int:
    """The short side of copies: as given, or the largest that a study resizes to, so that it takes them as they are.

    Raises:
        ConfigError: as `load_study` does; an odd number.
    """
    if given is not None and given % 2:
        raise ConfigError(f"--short-side {given}: H.264 needs an even number")
    if given is not None or study is None:
        return given or DEFAULT_SIDE
    loaded = load_study(existing(study), scale)
    rows = loaded.rows if loaded.search is None else (*loaded.rows, loaded.search.base)
    largest = max(row.cell.clip.resize for row in rows)
    return largest + largest % 2


def print_prepare(
    data: Chosen, places: Places, to: Path, options: CopyOptions, processes: int | None, console: PlainConsole
) -> None:
    """Makes the copies that ``to`` lacks and prints what became of every video.

    Raises:
        ConfigError: a root was given for a name that is not the data set's.
        DataError: as `prepare` does.
    """
    names = used_names([data])
    for name in places.unused(names):
        raise ConfigError(f"--root {name}: this data set has another name{nearest(name, names)}")
    console.print(
        f"{data.bound_name}: copies with short side {options.short_side}, a keyframe every {options.keyframe_every} "
        f"frames, quality {options.quality}"
    )
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("copying videos", total=None)
        report = prepare(
            folds_of(data),
            places,
            to,
            options,
            processes=processes,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
            say=progress.console.print,
        )
    console.print_lines("\n".join(report_lines(report)))
    console.print(f"as a root of the same data set: --root {data.bound_name}={to}")


def report_lines(report: Report) -> list[str]:
    """The counts, and the first videos of each kind of defect."""
    share = f", {100 * report.bytes_out / report.bytes_in:.0f} %" if report.bytes_in else ""
    lines = [
        f"videos                 {report.videos}",
        f"written                {report.written}",
        f"kept                   {report.kept} (finished before)",
        f"unreadable             {len(report.as_they_are)} (these are copied as they are)",
        f"with damaged frames    {len(report.damaged)} (the copies have them as the decoder patched them)",
        f"lists and annotations  {report.lists} files copied",
        f"originals              {size(report.bytes_in)}",
        f"copies                 {size(report.bytes_out)}{share}",
    ]
    damaged = {path: f"{count} frames" for path, count in report.damaged.items()}
    for heading, found in (("unreadable", report.as_they_are), ("with damaged frames", damaged)):
        if found:
            lines.append(f"{heading}:")
            lines += [f"  {printable(path)}: {printable(why)}" for path, why in list(found.items())[:NAMED]]
            lines += [f"  and {len(found) - NAMED} more: prepared.jsonl has all"] if len(found) > NAMED else []
    return lines
