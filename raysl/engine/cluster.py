"""The Ray cluster that cells run on: one of our own on this machine, or one that is there already."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import ray
from ray.job_config import JobConfig

import raysl
from raysl.errors import RayslError
from raysl.machine import find_interpreter, short_folder, temporary_folder
from raysl.signals import handlers_kept

SPARE_CPUS = 1
"""What our own Ray declares beyond the machine's CPUs, for actors that only wait: two workers of one CPU each beside
their waiting trial would else never fit on two CPUs."""

WAITING_CPUS = 0.01
"""What an actor that only waits for others asks for; Ray refuses a trial that asks for nothing."""

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    # The controller takes one report a poll; at its default of 2 s every second report waits for it.
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Set where the user has not set them; Ray reads them in the driver, and hands them on to the processes it starts."""


LONGEST_FOLDER = 40
"""Bytes of the folder for temporary files, below which Ray and trials make sockets."""
DASHBOARD_VARIABLE = "RAY_API_SERVER_ADDRESS"
"""Where Ray's processes look for the dashboard before they look for a Ray."""


@dataclass(frozen=True)
class Cluster:
    """What cells may use.

    Attributes:
        cpus, gpus: of all nodes, without our own spare CPU.
        node_cpus: by id of the nodes that are alive and have any, this machine's first where it is one of them.
        own: started here, and stopped when it is left.
        folder: of this machine, for temporary files; removed when the cluster is left.
    """

    cpus: int
    gpus: int
    node_cpus: dict[str, int]
    own: bool
    folder: str = ""

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(self.node_cpus)

    @property
    def kind(self) -> str:
        """What a worker occupies: ``CPU``, or ``GPU`` where the cluster has any."""
        return "GPU" if self.gpus else "CPU"

    def at_once(self, workers: int) -> int:
        """How many cells of so many workers fit beside each other; 0 where not even one does."""
        if self.gpus:
            return min(self.gpus, self.cpus) // workers
        if self.own or workers == 1:
            return self.cpus // workers
        return int(self.cpus // (workers + WAITING_CPUS))

    def check_workers(self, workers: int, title: str) -> None:
        """Refuses a cell that would wait for ever.

        Raises:
            RayslError: naming the cell and what there is.
        """
        if self.at_once(workers):
            return
        have = f"{self.cpus} CPU" + ("s" if self.cpus != 1 else "")
        have += f" and {self.gpus} GPU" + ("s" if self.gpus != 1 else "") if self.gpus else ""
        beside = "" if self.own or self.gpus or workers > self.cpus else f", and {WAITING_CPUS} CPU beside them"
        raise RayslError(
            f"{title}: training.workers is {workers}, and each worker needs a {self.kind} of its own{beside}, but the "
            f"cluster has {have}: lower it (--set training.workers={max(self.at_once_most(), 1)}; the result stays the "
            "same cell), or join a larger cluster with --address"
        )

    def at_once_most(self) -> int:
        """The most workers that one cell can have."""
        most = min(self.gpus, self.cpus) if self.gpus else self.cpus
        while most > 1 and not self.at_once(most):
            most -= 1
        return most


@contextmanager
def cluster(address: str | None = None, *, cpus: int | None = None, dashboard: bool = False) -> Iterator[Cluster]:
    """Joins the Ray at ``address``, or the one this process is in already, or starts one and stops it at the end.

    Args:
        address: of a running cluster (``auto``, ``HOST:6379``, ``ray://HOST:10001``).
        cpus: of our own Ray; the CPUs that this process may use where None.
        dashboard: started with our own Ray. Train frees the workers of a trial that was stopped from outside through
            it, so cells of several workers need it; it takes 2 s.

    Raises:
        RayslError: there is no cluster at the address.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    given = address or os.environ.get("RAY_ADDRESS") or None  # set and empty is not set, as Ray has it
    own = given is None and not ray.is_initialized()
    joined = given is not None and not ray.is_initialized()
    usable = cpus or len(os.sched_getaffinity(0))
    with _folder() as folder:
        try:
            with handlers_kept():
                if own:
                    _start(usable + SPARE_CPUS, dashboard)
                elif joined:
                    _join(str(given))
            yield _described(own, folder)
        finally:
            if own or joined:
                ray.shutdown()


@contextmanager
def _folder() -> Iterator[str]:
    """Removed after the processes that write to it have ended.

    Those of trials make sockets below it, in a folder of their own: its path is short.
    """
    folder = tempfile.mkdtemp(prefix="raysl-tune-", dir=short_folder(LONGEST_FOLDER))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(cpus: int, dashboard: bool) -> None:
    """A Ray of our own, whose processes know its dashboard by address: beside another Ray on this machine they cannot
    find it by themselves, and the CPUs of a trial that was stopped from outside would never be freed.

    Raises:
        RayslError: it does not start on this machine.
    """
    port = _free_port() if dashboard else None
    variables = _interpreter_variables() | _token_variables()
    if port is not None:
        variables[DASHBOARD_VARIABLE] = f"http://127.0.0.1:{port}"
    folder = short_folder(LONGEST_FOLDER)
    try:
        with _set(variables):  # its processes have them; ours may meet another Ray
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=dashboard,
                dashboard_port=port,
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
    """What Ray's processes need so that the interpreter, which they are started with, finds the packages of this one.

    Launchers put folders on this process's path alone, hide the interpreter, or are given its name.

    Raises:
        RayslError: it does not run, is another Python, or does not find them.
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
        f"Ray starts its processes with {sys.executable}, which does not find what this process runs with ({there[0]}; "
        f"here {here['seen']}): start raysl with the interpreter that it is installed for (/path/to/python -m raysl), "
        "or compute without Ray (--local)"
    )


def _seen(environment: dict[str, str]) -> str:
    """What `SEEN` says in another process."""
    command = [sys.executable, "-c", f"{SEEN}\nprint(seen)"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        return error.strerror or type(error).__name__
    return ((done.stdout.strip() or done.stderr.strip()).splitlines() or ["it says nothing"])[-1]


@cache
def _own_token() -> str:
    """One a process, since Ray keeps the first that it reads."""
    return secrets.token_hex(32)


def _token_variables() -> dict[str, str]:
    """A token for a Ray of our own where the user has none, and no home that Ray could keep a new one in."""
    given = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if given or os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return {}
    file = Path.home() / ".ray" / "auth_token"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent) as probe:
            probe.write(b"0" * 64)
            probe.flush()
        kept = not file.exists() or os.access(file, os.R_OK)
    except OSError:
        kept = file.is_file() and os.access(file, os.R_OK)
    return {} if kept else {"RAY_AUTH_TOKEN": _own_token()}


class _OurPaths(JobConfig):
    """Has workers import raysl from where this process did, and from the working folder only what this process may.

    Ray puts the working folder first on their path. A folder ``raysl`` there, as above a checkout, would then be the
    package, and ``raysl/results`` its results.
    """

    def __init__(self) -> None:
        # Each goes before those that are given before it.
        here = [str(Path.cwd())] if {"", str(Path.cwd())} & set(sys.path) else []
        super().__init__(_py_driver_sys_path=[*here, str(Path(raysl.__file__).parents[1])])

    def _runtime_env_has_working_dir(self) -> bool:
        return True  # which is what keeps Ray from adding folders of its own


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _join(address: str) -> None:
    variables = {name: os.environ[name] for name in ENVIRONMENT}
    if "://" not in address and ":" in address:  # as in `_start`, where several Rays are on one machine
        variables["RAY_ADDRESS"] = address
    try:
        _check_listening(address)
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": variables},
            job_config=_OurPaths(),
        )
    except (OSError, ValueError, RuntimeError) as error:
        hint = "start one with: ray start --head"
        if "Authentication" in f"{error} {error.__cause__}":
            # Ray looks for a token by itself only where it finds the cluster by itself.
            hint = "it asks for a token: set RAY_AUTH_MODE=token, or give --address auto on one of its nodes"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RayslError(f"there is no Ray cluster to join at {address!r} ({reason}); {hint}") from error


def _check_listening(address: str) -> None:
    """Ray itself tries for many minutes before it gives an address up.

    Raises:
        OSError: nobody listens at ``HOST:PORT``.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _described(own: bool, folder: str) -> Cluster:
    nodes: list[dict[str, Any]] = cast(Any, ray).nodes()
    alive = [node for node in nodes if node["Alive"]]
    here = ray.get_runtime_context().get_node_id()
    alive.sort(key=lambda node: node["NodeID"] != here)
    spare = SPARE_CPUS if own else 0
    cpus = {node["NodeID"]: int(node["Resources"].get("CPU", 0)) - spare for node in alive}
    gpus = sum(int(node["Resources"].get("GPU", 0)) for node in alive)
    return Cluster(sum(cpus.values()), gpus, {node: count for node, count in cpus.items() if count > 0}, own, folder)
