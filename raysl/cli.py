"""The command line: ``raysl plan | calibrate | run | status | report | compare | data | export | embed | ...``."""

from __future__ import annotations

import atexit
import gc
import sys
from pathlib import Path
from signal import Signals
from typing import Annotated

import typer

from raysl import __version__
from raysl.commands.terminal import PlainConsole, is_utf8, never_fail_to_encode, unwritable_output
from raysl.errors import ConfigError, RayslError, printable
from raysl.signals import ended_by_signals, received

app = typer.Typer(
    help="Ablation engine for self-supervised video representation learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
data_app = typer.Typer(help="Look at data sets before anything is trained on them.", no_args_is_help=True)
app.add_typer(data_app, name="data")


def _folder(text: str) -> Path:
    """An empty path would be the working folder: that of ``--cache "$SCRATCH"`` where nothing set it."""
    if not text.strip():
        raise ConfigError("--cache is empty: give a folder, or leave it out")
    return Path(text)


Studies = Annotated[
    list[Path],
    typer.Argument(help="Study files, folders of them, or names that raysl studies lists.", show_default=False),
]
Scale = Annotated[str | None, typer.Option(help="Cost, not science: smoke, laptop, paper, or a file.")]
Set = Annotated[list[str], typer.Option("--set", help="section.key=value, laid over everything else; repeatable.")]
Roots = Annotated[list[str], typer.Option("--root", help="NAME=PATH of a data set or a weights file; repeatable.")]
Storage = Annotated[str, typer.Option(help="Results store: a folder, s3://bucket/path or gs://bucket/path.")]
Cache = Annotated[
    Path | None, typer.Option(help="Folder for decoded frames on this node.", parser=_folder, metavar="PATH")
]
Device = Annotated[str, typer.Option(help="cpu, gpu, or auto: the GPU where this machine has one.")]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="PyTorch threads of a worker; default: the CPUs that it asks Ray for, 1 and its loader processes.",
        show_default=False,
    ),
]
Reports = Annotated[str, typer.Option(help="Reports are written to a folder below this one; s3://… and gs://… too.")]

CellName = Annotated[
    str,
    typer.Argument(metavar="CELL", help="Folder name in the store, id or beginning of it, or title (study/row/seed0)."),
]
CellStudies = Annotated[
    list[Path], typer.Option("--study", help="Study whose titles are meant; default: those that the store has kept.")
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Of md, csv, latex, html, svg and png (figures); default: RAYSL_FORMAT, or all but html.",
        show_default=False,
    ),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"raysl {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print raysl's version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass  # the option does all


@app.command()
def plan(
    studies: Studies,
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    show_cell: Annotated[str | None, typer.Option(metavar="ROW", help="Print this row's resolved cell.")] = None,
    try_step: Annotated[
        bool, typer.Option(help="Take one real step of every distinct cell, and evaluate a few videos.")
    ] = False,
    cost: Annotated[
        bool, typer.Option("--cost", help="Steps, clips, bytes, and time by what raysl calibrate measured.")
    ] = False,
    storage: Annotated[
        str | None, typer.Option(help="With --cost: a results store, whose cells are free.", show_default=False)
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="With --cost: cells at once; default 1.", show_default=False)
    ] = None,
    price_per_hour: Annotated[
        float | None, typer.Option(help="With --cost: of one worker, in any currency.", show_default=False)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="With --cost: as raysl calibrate was given it.", show_default=False)
    ] = None,
    threads: Threads = None,
    hardware: Annotated[
        str | None,
        typer.Option(help="With --cost: part of the name of the machine whose times to use.", show_default=False),
    ] = None,
) -> None:
    """List the cells of studies with their ids; nothing is computed."""
    from raysl.commands.inputs import load_studies, places_for
    from raysl.commands.plan import print_plan, print_roots, try_steps
    from raysl.commands.plan import show_cell as show

    only_cost = {
        "--storage": storage,
        "--width": width,
        "--price-per-hour": price_per_hour,
        "--device": device,
        "--threads": threads,
        "--hardware": hardware,
    }
    given = [name for name, value in only_cost.items() if value is not None]
    if given and not cost:
        raise ConfigError(f"{given[0]}: is read with --cost alone")
    planned = load_studies(studies, scale, set_)
    if show_cell is not None:
        print(show(planned, show_cell, in_ascii=not is_utf8()), end="")
        return
    places = places_for(planned, root, cache)
    console = PlainConsole()
    print_plan(planned, places, console)
    print_roots(planned, places, console)
    if cost:
        from raysl.commands.cost import CostOptions, print_cost
        from raysl.planning.calibration import device_of, find_calibration
        from raysl.planning.cost import Estimates, KnownData
        from raysl.results import open as open_store

        calibration = find_calibration(places, device_of(device or "auto"), hardware)
        options = CostOptions(storage, width or 1, price_per_hour)
        data = KnownData(places, None if storage is None else open_store(storage))
        print_cost(planned, places, calibration, Estimates(data, threads), options, console)
    if try_step and try_steps(planned, places, console):
        raise typer.Exit(1)


@app.command()
def studies(
    names: Annotated[
        list[Path] | None,
        typer.Argument(help="Of studies or folders of them; all that raysl ships without.", show_default=False),
    ] = None,
    scale: Scale = None,
) -> None:
    """List studies with their paper, table, cells and trainings; the first column is what other commands take."""
    from raysl.commands.studies import print_studies

    print_studies(names or [], scale, PlainConsole())


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The study to write: NAME.yaml.", show_default=False)],
    recipe: Annotated[
        str, typer.Option("--from", metavar="RECIPE", help="As a study's base: names it.")
    ] = "recipes/simclr",
    data: Annotated[str, typer.Option(help="Data set: folder, ucf101, synthetic, ...")] = "folder",
) -> None:
    """Write a first study, with comments, that can be planned and run as it is."""
    from raysl.commands.new import print_new, write_study

    print_new(write_study(file, recipe, data), PlainConsole())


@app.command()
def calibrate(
    studies: Studies,
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    device: Device = "auto",
    threads: Threads = None,
    again: Annotated[bool, typer.Option("--again", help="Measure what is known, too.")] = False,
) -> None:
    """Measure on this machine what the studies' cells are made of, for raysl plan --cost; what is known is kept."""
    from raysl.commands.cost import calibrate_studies
    from raysl.commands.inputs import load_studies, places_for
    from raysl.planning.calibration import device_of

    planned = load_studies(studies, scale, set_)
    places = places_for(planned, root, cache)
    if calibrate_studies(planned, places, device_of(device), threads, PlainConsole(), again=again):
        raise typer.Exit(1)


@app.command()
def run(
    studies: Studies,
    scale: Scale = None,
    storage: Storage = "results",
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
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
    places, formats = places_for(planned, root, cache), read_formats(format_)
    ran = run_studies(planned, storage, places, reports, options, PlainConsole(), local=local, formats=formats)
    if ran.incomplete:
        raise typer.Exit(1)


@app.command()
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


@app.command()
def report(
    studies: Annotated[
        list[Path] | None,
        typer.Argument(help="Study files, or folders of them; with --check none: every report.", show_default=False),
    ] = None,
    scale: Scale = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Results store, as for run; default: results, with --check the store beside each report.",
            show_default=False,
        ),
    ] = None,
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    reports: Reports = "reports",
    format_: Formats = None,
    html: Annotated[
        str | None,
        typer.Option(
            help="Write one self-contained page of all studies to this file (s3://… and gs://… too), and with "
            "--format what that names besides.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a table is not what its store gives.")
    ] = False,
) -> None:
    """Write the tables and figures from what the store holds; computes nothing."""
    from raysl.commands.elsewhere import print_elsewhere
    from raysl.commands.inputs import load_studies, places_for, shelf_of
    from raysl.commands.job import refuse_lost_folders
    from raysl.commands.report import write_reports
    from raysl.reports.formats import read_formats

    formats = read_formats(format_)
    refuse_lost_folders(storage=storage or "results", reports=reports)
    planned = load_studies(studies or [], scale, set_)
    if check:
        from raysl.commands.check import check_reports

        places = places_for(planned, root, cache) if studies else None
        if check_reports(planned, storage, places, reports, PlainConsole()):
            raise typer.Exit(1)
        return
    if not studies:
        raise ConfigError("no study is given: name study files or folders of them, or check all reports with --check")
    places = places_for(planned, root, cache)
    shelf = shelf_of(planned, storage or "results", places)
    wanted = formats if html is None or format_ is not None else ()
    console = PlainConsole()
    write_reports(planned, shelf, storage or "results", reports, console, wanted, html, places)
    print_elsewhere(planned, shelf.store, console)


@app.command()
def compare(
    cells: Annotated[
        tuple[str, str],
        typer.Argument(
            metavar="CELL CELL", help="Two cells: folder names in the store, ids or beginnings of them, or titles."
        ),
    ],
    storage: Storage = "results",
    study: Annotated[
        list[Path], typer.Option(help="Study whose titles (study/row/seed0, or row/seed0) are meant; repeatable.")
    ] = [],  # noqa: B006
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    everything: Annotated[bool, typer.Option("--all", help="Show what is equal too.")] = False,
) -> None:
    """Show in which configuration and results two cells differ; reads the store alone."""
    from raysl.commands.compare import compare_cells
    from raysl.commands.inputs import load_studies
    from raysl.commands.job import refuse_lost_folders
    from raysl.results import open as open_store

    refuse_lost_folders(storage=storage)
    if not study and (scale is not None or set_):
        raise ConfigError("--scale and --set are read with --study alone")
    planned = load_studies(study, scale, set_)
    compare_cells(open_store(storage), cells, planned, PlainConsole(), everything=everything)


@app.command()
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


@app.command()
def export(
    studies: Studies,
    to: Annotated[Path, typer.Option(help="Folder for the slim store.")],
    scale: Scale = None,
    storage: Storage = "results",
    set_: Set = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
) -> None:
    """Copy the results of studies without checkpoints: what is checked in beside a report."""
    from raysl.commands.export import export_slim
    from raysl.commands.inputs import load_studies, places_for, shelf_of

    planned = load_studies(studies, scale, set_)
    export_slim(planned, shelf_of(planned, storage, places_for(planned, root, cache)), to, PlainConsole())


@app.command()
def export_backbone(
    cell: CellName,
    to: Annotated[str, typer.Option(help="Folder for weights, model card and configuration; s3://… and gs://… too.")],
    storage: Storage = "results",
    study: CellStudies = [],  # noqa: B006
    scale: Scale = None,
    set_: Set = [],  # noqa: B006
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier export wrote there.")] = False,
) -> None:
    """Write a cell's backbone as safetensors with a model card, for PyTorch code without raysl."""
    from raysl.commands.cell_results import cell_results
    from raysl.commands.export_backbone import export_backbone as write_backbone
    from raysl.commands.inputs import load_studies
    from raysl.commands.job import refuse_lost_folders
    from raysl.results import open as open_store

    refuse_lost_folders(storage=storage)
    if not study and (scale is not None or set_):
        raise ConfigError("--scale and --set are read with --study alone")
    found = cell_results(open_store(storage), cell, load_studies(study, scale, set_) if study else [])
    write_backbone(found, to, PlainConsole(), overwrite=overwrite)


@app.command()
def embed(
    cell: CellName,
    videos: Annotated[
        list[Path] | None, typer.Argument(help="Video files, and folders of them.", show_default=False)
    ] = None,
    to: Annotated[
        str, typer.Option(help="Parquet file for path, label and features of each video; s3://… and gs://… too.")
    ] = "features.parquet",
    storage: Storage = "results",
    study: CellStudies = [],  # noqa: B006
    scale: Scale = None,
    data: Annotated[
        str | None, typer.Option(help="In place of VIDEOS a data set: ucf101/1, folder, ...", show_default=False)
    ] = None,
    set_: Annotated[list[str], typer.Option("--set", help="Option of the data set: split=2; repeatable.")] = [],  # noqa: B006
    split: Annotated[list[str], typer.Option(help="Of the data set: train, test; repeatable; default: all.")] = [],  # noqa: B006
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Evaluation of the cell whose clips are taken: linear/ucf101.", show_default=False),
    ] = None,
    clips: Annotated[
        int | None, typer.Option(min=1, max=100, help="Clips a video; default: as the evaluation.", show_default=False)
    ] = None,
    device: Device = "auto",
) -> None:
    """Write features of videos under a cell's frozen backbone, as its evaluations make theirs."""
    from raysl.commands.cell_results import cell_results
    from raysl.commands.data import chosen_set
    from raysl.commands.embed import embed_videos, target_file, write_embedding
    from raysl.commands.inputs import load_studies
    from raysl.commands.job import refuse_lost_folders
    from raysl.commands.roots import find_places
    from raysl.planning.calibration import device_of
    from raysl.results import open as open_store

    refuse_lost_folders(storage=storage)
    if (data is None) == (not videos):
        raise ConfigError("give video files and folders, or a data set with --data NAME; one of the two")
    if data is None and (set_ or root):
        raise ConfigError("--set and --root are of a data set: give one with --data")
    if not study and scale is not None:
        raise ConfigError("--scale is read with --study alone")
    target_file(to)  # refuses what is no file before anything is computed
    found = cell_results(open_store(storage), cell, load_studies(study, scale, []) if study else [])
    chosen = (videos or []) if data is None else chosen_set(data, set_, None, None)
    where = find_places(root, cache)
    console, on = PlainConsole(), device_of(device)
    made = embed_videos(found, chosen, where, on, splits=split, protocol=protocol, clips=clips, console=console)
    write_embedding(made, to, console)


@app.command()
def carry(
    storage: Annotated[str, typer.Argument(help="A results store that an older version of raysl wrote.")],
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
) -> None:
    """Give an older version's results the names of this one, where they were made from the data that is here."""
    from raysl.commands.carry import carry as carry_over
    from raysl.commands.roots import find_places

    if carry_over(storage, find_places(root, cache), PlainConsole()):
        raise typer.Exit(1)


@app.command()
def doctor(
    storage: Storage = "results",
    root: Roots = [],  # noqa: B006
    cache: Cache = None,
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
    options = DoctorOptions(tuple(root), cache, storage, ray, address)
    if print_doctor(options, PlainConsole(), as_json=as_json):
        raise typer.Exit(1)


@app.command()
def job_env() -> None:
    """Print what `ray job submit --runtime-env-json "$(raysl job-env)"` hands a job: the commit, and time to stop."""
    import json

    from raysl.commands.job import job_environment

    print(json.dumps(job_environment()))


@app.command()
def fidelity(
    studies: Annotated[
        Path | None, typer.Argument(help="Folder of studies and recipes; raysl's own without.", show_default=False)
    ] = None,
    to: Annotated[Path, typer.Option(help="File to write.")] = Path("docs/fidelity.md"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where the file is not what is found.")
    ] = False,
) -> None:
    """Write what the recipes have of each paper: as printed, as released, inferred, ours, not there."""
    from raysl.commands.fidelity import write_fidelity

    if not write_fidelity(studies, to, PlainConsole(), check=check):
        raise typer.Exit(1)


@app.command()
def show(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHAT]",
            help="A kind (framework), KIND/NAME (framework/moco, framework/package.module), study, scale, or a key "
            "(training, objective.contrastive.temperature).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what a configuration can have: kinds, components, keys; with default, unit, bounds and source of each."""
    from raysl.commands.show import show_lines

    PlainConsole().print_lines("\n".join(show_lines(what)))


@app.command()
def reference(
    to: Annotated[Path, typer.Option(help="Folder to write.")] = Path("docs/reference"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a page is not what the code says.")
    ] = False,
) -> None:
    """Write the reference pages: what raysl show says of all keys and components, and these commands."""
    from raysl.commands.reference import write_reference

    if not write_reference(app, to, PlainConsole(), check=check):
        raise typer.Exit(1)


@app.command()
def results(
    documents: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Markdown files and folders of them, in which marked places quote reports; default: README.md docs.",
            show_default=False,
        ),
    ] = None,
    reports: Annotated[Path, typer.Option(help="Folder of the reports, each with its store/ beside it.")] = Path(
        "reports"
    ),
    to: Annotated[Path, typer.Option(help="File to write.")] = Path("docs/results.md"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where a file is not as found.")] = False,
) -> None:
    """Write all checked-in reports in short on one page, and what other documents quote from them."""
    from raysl.commands.results import write_results

    quoting = documents if documents is not None else [Path("README.md"), Path("docs")]
    if not write_results(reports, to, quoting, PlainConsole(), check=check):
        raise typer.Exit(1)


@app.command()
def schema(
    kind: Annotated[
        str, typer.Option(help="study (recipes too), scale, cell, or a kind of component: backbone, data-set, ...")
    ] = "study",
    to: Annotated[Path | None, typer.Option(help="File to write; printed without.")] = None,
) -> None:
    """Print the JSON schema that lets an editor complete and check what you write."""
    from raysl.commands.schema import schema_text, write_schema

    if to is None:
        print(schema_text(kind, in_ascii=not is_utf8()), end="")
        return
    write_schema(kind, to)
    print(f"written: {printable(str(to))}; in a YAML file: # yaml-language-server: $schema={printable(str(to))}")


@data_app.command()
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
    places = find_places(root, cache)
    span = None if study is None else clip_span(study, scale)
    console = PlainConsole()
    print_check(data, places, resize, processes, console, missing=missing, videos=videos, account=account, span=span)


def main() -> None:
    """Runs a command; an error that a user can mend is one line on standard error, without a traceback."""
    never_fail_to_encode()
    # Of the five seconds that a command took to start, 0.4 went into looking for garbage among modules, which stay.
    gc.set_threshold(10_000, *gc.get_threshold()[1:])
    atexit.register(_end_soon)
    with ended_by_signals():
        try:
            _check_working_folder()
            app()
        except BaseException as error:
            if isinstance(error, OSError) and (why := unwritable_output()) is not None:
                error = RayslError(f"standard output cannot be written: {why}")
            # Ray and Typer make other exceptions of an interrupt.
            if received() is None and not isinstance(error, RayslError | KeyboardInterrupt):
                raise
            sys.exit(_said(error))


def _end_soon() -> None:
    """The interpreter looks for no garbage among modules when it ends: it took two seconds after the last line.

    Not where training imported Triton, whose bindings count what they made and call it leaked.
    """
    if "triton" not in sys.modules:
        gc.freeze()


def _check_working_folder() -> None:
    try:
        Path.cwd()
    except OSError as error:
        raise RayslError("the working folder is gone: change to one that is there") from error


def _said(error: BaseException) -> int:
    """Says why a command ends, and gives its exit status."""
    signal = received() or (Signals.SIGINT if isinstance(error, KeyboardInterrupt) else None)
    if signal is None:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    what = "interrupted" if signal == Signals.SIGINT else f"ended by {signal.name}"
    print(
        f"{what}: what is done is kept, and of cells under work their last checkpoints; the same command goes on from "
        "there",
        file=sys.stderr,
    )
    return 128 + signal
