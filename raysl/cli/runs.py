"""Commands that run studies and follow them, on this machine or a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raysl.cli.arguments import Cache, CacheGigabytes, Formats, Reports, Roots, Scale, Set, Storage, Studies
from raysl.commands.terminal import PlainConsole
from raysl.errors import ConfigError


def run(
    studies: Studies,
    scale: Scale = None,
    storage: Storage = "results",
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    cache_gigabytes: CacheGigabytes = None,
    reports: Reports = "reports",
    format_: Formats = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; a local one is started without.")] = None,
    local: Annotated[
        bool,
        typer.Option(
            "--local", help="On this machine without Ray, cell after cell; --max-concurrent N: in N processes."
        ),
    ] = False,
    retry_failed: Annotated[bool, typer.Option(help="Compute failed cells and evaluations again.")] = False,
    max_concurrent: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Cells at a time; default: what fits.")
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, gpu, or auto: GPUs where the cluster has any or can add one.")
    ] = "auto",
    cpus_per_worker: Annotated[
        float | None,
        typer.Option(help="CPUs of a DDP worker; default: 1 and its loader processes.", show_default=False),
    ] = None,
    gpus_per_worker: Annotated[float, typer.Option(help="GPUs of a DDP worker; below 1: a share of one card.")] = 1.0,
    resource: Annotated[
        list[str], typer.Option(help="NAME=AMOUNT that a worker asks of its node beside those; repeatable.")
    ] = [],  # noqa: B006
    node_label: Annotated[list[str], typer.Option(help="NAME=VALUE that a worker's node must have; repeatable.")] = [],  # noqa: B006
    read_again: Annotated[
        bool,
        typer.Option(
            "--read-again", help="Have a node read data sets that are not on this machine, though the store has them."
        ),
    ] = False,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Start Ray's dashboard too, where Ray is started here; 2 s.")
    ] = False,
    tune_dir: Annotated[
        str | None,
        typer.Option(help="Keep Tune's own files in this folder or bucket, for Tune's tools.", show_default=False),
    ] = None,
) -> None:
    """Compute what is missing, then print and write the tables."""
    from raysl.commands.inputs import load_studies, places_for
    from raysl.commands.job import refuse_lost_folders
    from raysl.commands.run import run_studies
    from raysl.reports.formats import read_formats
    from raysl.work.run_cells import RunOptions
    from raysl.work.workers import WorkerOptions, worker_options

    workers = worker_options(device, cpus_per_worker, gpus_per_worker, resource, node_label)
    if local and address is not None:
        raise ConfigError("--local computes on this machine: leave --address out")
    if local and workers != WorkerOptions():
        raise ConfigError(
            "--local computes in this process: leave --device, --cpus-per-worker, --gpus-per-worker, --resource and "
            "--node-label out"
        )
    if local and (dashboard or tune_dir is not None or read_again):
        raise ConfigError("--local computes without Ray: leave --dashboard, --tune-dir and --read-again out")
    refuse_lost_folders(storage=storage, reports=reports)
    planned = load_studies(studies, scale, set_)
    options = RunOptions(address, retry_failed, max_concurrent, workers, dashboard, tune_dir, read_again)
    places, formats = places_for(planned, root, cache, cache_gigabytes), read_formats(format_)
    ran = run_studies(planned, storage, places, reports, options, PlainConsole(), local=local, formats=formats)
    if ran.incomplete:
        raise typer.Exit(1)


def status(
    studies: Studies,
    scale: Scale = None,
    storage: Storage = "results",
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow running cells until all have ended, or Ctrl-C.")
    ] = False,
) -> None:
    """Show which cells are done, running, failed (and why) or missing."""
    from raysl.commands.elsewhere import print_elsewhere
    from raysl.commands.inputs import load_studies, places_for, shelf_of
    from raysl.commands.job import refuse_lost_folders
    from raysl.commands.status import print_status
    from raysl.commands.status import watch as watch_cells

    refuse_lost_folders(storage=storage)
    planned = load_studies(studies, scale, set_)
    places = places_for(planned, root, cache)
    if watch:
        watch_cells(planned, lambda: shelf_of(planned, storage, places), PlainConsole())
        return
    shelf, console = shelf_of(planned, storage, places), PlainConsole()
    print_status(planned, shelf, console)
    print_elsewhere(planned, shelf.store, console)


def tensorboard(
    studies: Studies,
    to: Annotated[Path, typer.Option(help="Folder of its own; what an earlier call made there is replaced.")] = Path(
        "tensorboard"
    ),
    scale: Scale = None,
    storage: Storage = "results",
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
) -> None:
    """Link the curves of studies as STUDY/ROW/SEED, with factors and headline metrics for the HParams page."""
    from raysl.commands.inputs import load_studies, places_for, shelf_of
    from raysl.commands.tensorboard import link_runs

    planned = load_studies(studies, scale, set_)
    link_runs(planned, shelf_of(planned, storage, places_for(planned, root, cache)), to, PlainConsole())


def doctor(
    storage: Storage = "results",
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    cache_gigabytes: CacheGigabytes = None,
    ray: Annotated[bool, typer.Option("--ray", help="Start Ray, or join the cluster, and have it run a task.")] = False,
    address: Annotated[str | None, typer.Option(help="With --ray: a running Ray cluster.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that was found as JSON, for a bug report.")
    ] = False,
) -> None:
    """Say what this machine has and lacks: versions, cores, memory, GPUs, decoders, roots, disks, store."""
    from raysl.commands.doctor import DoctorOptions, print_doctor

    if address is not None and not ray:
        raise ConfigError("--address: is read with --ray alone")
    options = DoctorOptions(tuple(root), cache, storage, ray, address, cache_gigabytes)
    if print_doctor(options, PlainConsole(), as_json=as_json):
        raise typer.Exit(1)


def job_env() -> None:
    """Print what `ray job submit --runtime-env-json "$(raysl job-env)"` hands a job: the commit, and time to stop."""
    import json

    from raysl.commands.job import job_environment

    print(json.dumps(job_environment()))


def check(
    catalog: Annotated[
        str,
        typer.Argument(help="Data set: ucf101, ucf101/2, folder, synthetic/large, ...; with --study a name of its own"),
    ],
    study: Annotated[Path | None, typer.Option(help="Study whose name for the data set is meant.")] = None,
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    cache_gigabytes: CacheGigabytes = None,
    resize: Annotated[int, typer.Option(min=16, max=1024, help="Short side of cached frames, in pixels.")] = 128,
    processes: Annotated[int | None, typer.Option(min=1, max=1024, help="Default: one per CPU.")] = None,
    missing: Annotated[Path | None, typer.Option(help="File to write the names of absent videos to.")] = None,
    videos: Annotated[Path | None, typer.Option(help="CSV file to write: which video is where, and its state.")] = None,
    account: Annotated[Path | None, typer.Option(help="File to write all that lies below the root to.")] = None,
) -> None:
    """Read every video once and say what it is like; --set options of the data set, e.g. --set split=2."""
    from raysl.commands.data import chosen_set, clip_span, print_check
    from raysl.commands.roots import find_places

    if scale is not None and study is None:
        raise ConfigError("--scale: a scale is a study's: give the study with --study")
    data = chosen_set(catalog, set_, study, scale)
    places = find_places(root, cache, cache_gigabytes)
    span = None if study is None else clip_span(study, scale)
    console = PlainConsole()
    print_check(data, places, resize, processes, console, missing=missing, videos=videos, account=account, span=span)


def prepare(
    catalog: Annotated[str, typer.Argument(help="Data set: ucf101, folder, ...; with --study a name of its own")],
    to: Annotated[Path, typer.Option(help="Folder of the copies, which is then a root of the same data set.")],
    study: Annotated[Path | None, typer.Option(help="Study whose name for the data set is meant.")] = None,
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    short_side: Annotated[
        int | None,
        typer.Option(
            min=16,
            max=1024,
            help="Pixels, even; smaller videos are not enlarged; default: the most that --study resizes to, or 128.",
            show_default=False,
        ),
    ] = None,
    keyframe_every: Annotated[int, typer.Option(min=1, max=250, help="Frames from keyframe to keyframe.")] = 12,
    quality: Annotated[
        int, typer.Option(min=0, max=51, help="x264's rate factor: 0 is the best, 6 less takes twice the bytes.")
    ] = 20,
    processes: Annotated[int | None, typer.Option(min=1, max=1024, help="Default: one per CPU.")] = None,
) -> None:
    """Write small copies of a data set's videos that are cheap to decode, for sets that the frame cache cannot hold."""
    from raysl.commands.data import chosen_set
    from raysl.commands.data_prepare import print_prepare, short_side_of
    from raysl.commands.roots import find_places
    from raysl.data.prepare_video import CopyOptions

    if scale is not None and study is None:
        raise ConfigError("--scale: a scale is a study's: give the study with --study")
    data, side = chosen_set(catalog, set_, study, scale), short_side_of(study, scale, short_side)
    options = CopyOptions(side, keyframe_every, quality)
    print_prepare(data, find_places(root, cache), to, options, processes, PlainConsole())
