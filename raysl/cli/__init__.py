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
from raysl.cli import documents, results, runs, studies
from raysl.commands.terminal import never_fail_to_encode, unwritable_output
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
for command in (
    studies.plan,
    studies.studies,
    studies.new,
    studies.calibrate,
    runs.run,
    runs.status,
    results.report,
    results.compare,
    runs.tensorboard,
    results.export,
    results.export_backbone,
    results.embed,
    results.carry,
    runs.doctor,
    runs.job_env,
    documents.fidelity,
    documents.show,
    documents.reference,
    documents.results,
    studies.schema,
):
    app.command()(command)
data_app.command()(runs.check)
data_app.command()(runs.prepare)


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
