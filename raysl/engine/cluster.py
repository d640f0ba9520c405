"""The Ray cluster that cells run on: one started on this machine, or one that is already running."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import ray
from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR
from ray.job_config import JobConfig

import raysl
from raysl.config.sections import TrainingOptions
from raysl.engine.access import check_dashboard, token_variables
from raysl.engine.offer import await_autoscaler, offer, shown, silent_nodes
from raysl.engine.progress.ray_messages import ray_messages_as_notes
from raysl.errors import ConfigError, RayslError
from raysl.machine import find_interpreter, short_folder, temporary_folder
from raysl.signals import handlers_restored
from raysl.work.workers import WorkerOptions

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    # The controller takes one report a poll; at its default of 2 s every second report waits for it.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    # All trials may wait for nodes at once: Tune's own limit is fixed by the CPUs at the start.
    "TUNE_MAX_PENDING_TRIALS_PG": "100000",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Set unless the user has set them; Ray reads them in the driver and passes them on to the processes it starts."""


LONGEST_FOLDER = 40
"""Bytes of the folder for temporary files, below which Ray and trials make sockets."""
_AS_IT_FITS = WorkerOptions()


@dataclass(frozen=True)
class Cluster:
    """Where cells run, and what each of their workers gets.

    Attributes:
        node: id of this process's node.
        on_gpu: workers compute on GPUs.
        own: started here, and stopped at the end.
        folder: of this machine, for temporary files; removed at the end.
        tune_dir: folder or bucket in which Tune's own files are kept.
        dashboard: address of Ray's dashboard, if there is one.
    """

    node: str
    on_gpu: bool
    own: bool
    options: WorkerOptions
    folder: str = ""
    tune_dir: str | None = None
    dashboard: str = ""

    @property
    def kind(self) -> str:
        return "GPU" if self.on_gpu else "CPU"

    def bundle(self, training: TrainingOptions, size: int) -> dict[str, float]:
        """What each of ``size`` workers requests; CPUs for all loader processes only if a node has them.

        Loader processes are an estimate of what is good, and a smaller machine computes the same. Where they choose
        themselves, a GPU's worker requests its share of a node's CPUs, and one without a GPU requests one CPU: there
        several cells at once are faster.
        """
        workers = training.planned_loader_workers
        if training.loader_workers == "auto" and self.on_gpu:
            workers = self._cpus_of_gpus() - 1
        bundle = self.options.bundle(self.on_gpu, workers)
        if self.options.cpus is None and bundle["CPU"] > 1:
            largest = max((one.resources.get("CPU", 0.0) for one in offer().types), default=0.0)
            bundle["CPU"] = max(1.0, min(bundle["CPU"], largest // size if self.own else largest))
        return bundle

    def _cpus_of_gpus(self) -> int:
        """A worker's share of the CPUs of a node with GPUs, by its share of those; at least 1."""
        nodes = [one.resources for one in offer().types if one.resources.get("GPU", 0.0) > 0]
        shares = [one.get("CPU", 0.0) * min(1.0, self.options.gpus / one["GPU"]) for one in nodes]
        return max(1, int(min(shares, default=1.0)))

    def at_once(self, training: TrainingOptions, size: int) -> int:
        """How many cells of ``size`` workers fit at the same time on the nodes that there are or can be; at least 1."""
        return max(1, offer().fitting(self.bundle(training, size), self.options.labels) // size)

    def check(self, training: TrainingOptions, size: int, title: str) -> None:
        """Refuses a cell that would wait for resources for ever.

        Raises:
            RayslError: naming the cell, what it requests, and what comes nearest.
        """
        bundle = self.bundle(training, size)
        reason = offer(without=silent_nodes()).never(bundle, size, self.options.labels)
        if reason is None:
            return
        asked = f"each worker asks for {shown(bundle)}"
        if size > 1:
            asked = f"training.workers is {size}, and {asked}"
        hints = "lower --gpus-per-worker or --cpus-per-worker, or join a larger cluster with --address"
        if size > 1:
            hints = f"lower training.workers (--set training.workers=1; the result stays the same cell), {hints}"
        if self.options.device == "gpu" and not offer().most("GPU"):
            hints = "leave --device gpu out, or join a cluster with GPUs"
        raise RayslError(f"{title}: {asked}, but {reason}; {hints}")


@contextmanager
def cluster(
    address: str | None = None,
    options: WorkerOptions = _AS_IT_FITS,
    *,
    cpus: int | None = None,
    dashboard: bool = False,
    tune_dir: str | None = None,
) -> Iterator[Cluster]:
    """Joins the Ray cluster at ``address``, or the one this process is in already, or starts one and stops it at the
    end.

    Args:
        address: of a running cluster (``auto``, ``HOST:6379``, ``ray://HOST:10001``).
        options: what a worker gets.
        cpus: of our own Ray; None: the CPUs that this process may use.
        dashboard: of our own Ray; it takes 2 s to start.
        tune_dir: folder or bucket in which Tune's own files are kept.

    Raises:
        RayslError: there is no cluster at the address, or it is blank.
    """
    _refuse_blank(address)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    given = address or os.environ.get("RAY_ADDRESS") or None  # empty counts as unset, as in Ray
    own = given is None and not ray.is_initialized()
    joined = given is not None and not ray.is_initialized()
    usable, board = cpus or len(os.sched_getaffinity(0)), ""
    with _folder() as folder, ray_messages_as_notes(tune_dir is not None):
        try:
            with handlers_restored():
                if own:
                    board = _start(usable, dashboard)
                elif joined:
                    board = _join(str(given), "" if address else " (RAY_ADDRESS)")
                    await_autoscaler()
            yield replace(_described(own, folder, options), tune_dir=tune_dir, dashboard=board)
        finally:
            if own or joined:
                ray.shutdown()


def _refuse_blank(address: str | None) -> None:
    """Refuses an empty address: an unset variable, as in ``--address "$HEAD"``, does not mean this machine."""
    variable = os.environ.get("RAY_ADDRESS", "")
    if address is not None and not address.strip():
        raise ConfigError("--address is empty: give HOST:PORT of a Ray cluster, or leave it out to start one here")
    if variable and not variable.strip():
        raise ConfigError(f"RAY_ADDRESS is {variable!r}: set it to HOST:PORT of a Ray cluster, or unset it")


@contextmanager
def _folder() -> Iterator[str]:
    """A folder that is removed after the processes that write to it have ended.

    Trials make sockets in a subfolder, so its path is short.
    """
    folder = tempfile.mkdtemp(prefix="raysl-tune-", dir=short_folder(LONGEST_FOLDER))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(cpus: int, dashboard: bool) -> str:
    """Starts a Ray of our own; the address of its dashboard, if it has one.

    Raises:
        RayslError: it does not start on this machine.
    """
    folder = short_folder(LONGEST_FOLDER)
    if dashboard:
        check_dashboard()
    try:
        with _set(
            _interpreter_variables() | token_variables()
        ):  # its processes have them; this one may join another Ray later
            context = ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=dashboard,
                log_to_driver=False,
                logging_level=logging.ERROR,
                job_config=_OurPaths(),
                _temp_dir=None if str(folder) == temporary_folder() else f"{folder}/raysl-ray-{os.getuid()}",
            )
    except Exception as error:  # Ray raises plain ones too
        reason = (str(error).strip().splitlines() or [""])[0]
        raise RayslError(
            f"Ray cannot be started on this machine ({type(error).__name__}: {reason}): compute without it (--local), "
            "or join a cluster that runs (--address)"
        ) from error
    return str(context.dashboard_url or "") if dashboard else ""


@contextmanager
def _set(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


SEEN = """
import os, sys
from importlib.util import find_spec
found = {name: find_spec(name) for name in ("ray", "torch")}
places = {name: one and one.origin and os.path.realpath(one.origin) for name, one in found.items()}
seen = f"Python {sys.version_info[0]}.{sys.version_info[1]}, " + ", ".join(f"{n} {p}" for n, p in places.items())
"""


def _interpreter_variables() -> dict[str, str]:
    """What Ray's processes need so that their interpreter finds the packages of this one.

    Launchers may add folders to the path of this process only, or hide the interpreter, or take its name.

    Raises:
        RayslError: the interpreter does not run, is another Python, or does not find them.
    """
    find_interpreter()
    here: dict[str, str] = {}
    exec(SEEN, here)
    paths = [str(Path(folder).absolute()) for folder in sys.path if folder]
    given: list[dict[str, str]] = [{}, {"PYTHONPATH": os.pathsep.join(paths)}]
    there: list[str] = []
    for variables in given:
        there.append(_seen(os.environ | variables))
        if there[-1] == here["seen"]:
            return variables
    raise RayslError(
        f"Ray starts its processes with {sys.executable}, which does not find this process's packages ({there[0]}; "
        f"here {here['seen']}): start raysl with the interpreter that it is installed for (/path/to/python -m raysl), "
        "or compute without Ray (--local)"
    )


def _seen(environment: dict[str, str]) -> str:
    """What `SEEN` prints in another process."""
    # Not in the working folder, from which no process of Ray imports.
    command = [sys.executable, "-P", "-c", f"{SEEN}\nprint(seen)"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ((done.stdout.strip() or done.stderr.strip()).splitlines() or ["it prints nothing"])[-1]


class _OurPaths(JobConfig):
    """Makes workers import raysl from where this process did, and from the working folder only what this process may.

    Ray puts the working folder first on their path. A folder ``raysl`` there, for instance a checkout's parent, would
    then be taken for the package, and ``raysl/results`` for its results.
    """

    def __init__(self) -> None:
        # Each is put before the earlier ones.
        here = [str(Path.cwd())] if {"", str(Path.cwd())} & set(sys.path) else []
        super().__init__(_py_driver_sys_path=[*here, str(Path(raysl.__file__).parents[1])])

    def _runtime_env_has_working_dir(self) -> bool:
        return True  # this keeps Ray from adding folders


def _join(address: str, whence: str) -> str:
    """Joins it; the address of its dashboard, if it has one."""
    variables = {name: os.environ[name] for name in ENVIRONMENT}
    if "://" not in address and ":" in address:  # next to another Ray here, processes do not find their own
        variables["RAY_ADDRESS"] = address
    of_job = json.loads(os.environ.get(RAY_JOB_CONFIG_JSON_ENV_VAR, "{}")).get("runtime_env", {}).get("env_vars", {})
    try:
        _check_listening(address)
        context = ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            # The job may have set the same variables already, and Ray refuses to set them twice.
            runtime_env={"env_vars": {name: value for name, value in variables.items() if name not in of_job}},
            job_config=_OurPaths(),
        )
    except (OSError, ValueError, RuntimeError) as error:
        hint = "start one with: ray start --head"
        if whence:
            hint = f"{hint}, or unset RAY_ADDRESS to use one of this machine's own"
        if "Version mismatch" in str(error):
            versions = " ".join(str(error).split())
            raise RayslError(
                f"the Ray cluster at {address!r}{whence} cannot be joined from here: {versions}. Install the same "
                "versions on both: constraints.txt has those of raysl"
            ) from error
        if "Authentication" in f"{error} {error.__cause__}":
            # Ray looks for a token only if it finds the cluster itself.
            hint = "it requires a token: set RAY_AUTH_MODE=token, or pass --address auto on one of its nodes"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RayslError(f"there is no Ray cluster to join at {address!r}{whence} ({reason}); {hint}") from error
    return str(context.dashboard_url or "")


def _check_listening(address: str) -> None:
    """Checks the address first: Ray itself would try for many minutes before giving up.

    Raises:
        OSError: nothing listens at ``HOST:PORT``.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _described(own: bool, folder: str, options: WorkerOptions) -> Cluster:
    on_gpu = options.device == "gpu" or (options.device == "auto" and offer().most("GPU") > 0)
    return Cluster(ray.get_runtime_context().get_node_id(), on_gpu, own, options, folder)
