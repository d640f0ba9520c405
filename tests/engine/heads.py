"""A Ray of its own for tests that submit jobs: beside other Rays of the machine, and ended without `ray stop`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engine.processes import below

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
WITHOUT_RAY = "import sys; sys.modules['ray'] = None; from raysl.cli import main; main()"
PORTS = (
    "port",
    "dashboard-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "metrics-export-port",
    "runtime-env-agent-port",
    "ray-client-server-port",
    "node-manager-port",
    "object-manager-port",
)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@dataclass(frozen=True)
class Command:
    """A command of raysl under work.

    Attributes:
        log: what it has said.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def until(self, reached: Callable[[], object], seconds: float = 180) -> None:
        """Waits for something that it brings about."""
        ends = time.monotonic() + seconds
        while not reached():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < ends, self.log.read_text()
            time.sleep(0.2)

    def until_said(self, text: str, seconds: float = 180) -> None:
        self.until(lambda: text in self.log.read_text(), seconds)

    def ended(self, seconds: float = 200) -> tuple[int, str]:
        """Its exit status, and all that it said."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        assert self.process.poll() is not None, self.log.read_text()
        return self.process.returncode, self.log.read_text()


@dataclass(frozen=True)
class Head:
    """A running cluster of one node.

    Attributes:
        address: of the cluster, as `--address` takes it.
        dashboard: where jobs are submitted.
        environment: of whoever talks to it.
        folder: Ray's own files.
    """

    address: str
    dashboard: str
    environment: Mapping[str, str]
    folder: Path

    def job(self, action: str, *arguments: str | Path) -> subprocess.Popen[str]:
        """`ray job ACTION ...`, as a user types it in the checkout."""
        command = [BIN / "ray", "job", action, "--address", self.dashboard, *arguments]
        return subprocess.Popen(
            command, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def raysl(
        self, *arguments: str | Path, cwd: Path, without_ray: bool = False, within: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """A command of raysl on a machine that knows no address of a Ray.

        Args:
            without_ray: Ray cannot be imported there.
            within: as of `node`.
        """
        start = ["-c", WITHOUT_RAY] if without_ray else ["-m", "raysl"]
        return self._run([*start, *map(str, arguments)], cwd, within)

    @contextmanager
    def running(self, *arguments: str | Path) -> Iterator[Command]:
        """As `raysl`, in the head's folder, beside the body; it is ended with it."""
        log = self.folder / "command.log"
        environment = {**self.environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        with log.open("w") as file:
            words = [sys.executable, "-m", "raysl", *map(str, arguments)]
            process = subprocess.Popen(words, env=environment, cwd=self.folder, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield Command(process, log)
        finally:
            end(process)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Runs a program in the checkout."""
        return self._run(["-c", code], ROOT)

    def _run(self, arguments: Sequence[str], cwd: Path, within: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, "PYTHONPATH": str(ROOT)}
        command = [*within, sys.executable, *arguments]
        return subprocess.run(
            command, env=environment, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
        )


def said(process: subprocess.Popen[str], seconds: float = 400) -> tuple[int, str]:
    """Exit status and output of a command, once it has ended."""
    output, _ = process.communicate(timeout=seconds)
    return process.returncode, output


@contextmanager
def head(environment: Mapping[str, str], *options: str, port: int | None = None) -> Iterator[Head]:
    """Starts a Ray with free ports, and ends what it started.

    Args:
        environment: beside this process's.
        options: of `ray start --head`.
        port: of the cluster; a free one where None.
    """
    folder = Path(tempfile.mkdtemp(prefix="rj-", dir="/tmp"))  # short, for Ray's sockets
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True)) | ({} if port is None else {"port": port})
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    known = {name: value for name, value in os.environ.items() if name not in ("RAY_ADDRESS", "PYTHONPATH")}
    given = {**known, "RAY_USAGE_STATS_ENABLED": "0", "PATH": path, "HOME": str(folder), **environment}
    (folder / ".ray").mkdir()
    (folder / ".ray" / "auth_token").write_text(uuid.uuid4().hex)  # as `ray get-auth-token --generate` does
    arguments = [f"--{name}={port}" for name, port in ports.items()]
    command = [str(BIN / "ray"), "start", "--head", "--block", *arguments, f"--temp-dir={folder}/r", *options]
    log = folder / "head.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, env=given, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        _wait(process, log)
        address = f"127.0.0.1:{ports['port']}"
        yield Head(address, f"http://127.0.0.1:{ports['dashboard-port']}", given, folder)
    finally:
        end(process)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def node(head: Head, name: str, *options: str, within: Sequence[str] = ()) -> Iterator[None]:
    """A further node of the cluster, on this machine; in the end it goes as if its machine did.

    Args:
        name: of its log file in the head's folder.
        options: of `ray start`.
        within: a command that starts the command given to it, as `unshare` does.
    """
    log = head.folder / f"{name}.log"
    command = [*within, str(BIN / "ray"), "start", f"--address={head.address}", "--block", *options]
    with log.open("w") as file:
        process = subprocess.Popen(
            command, env=head.environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait(process, log)
        yield
    finally:
        end(process, patience=0.0)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + 120
    while "Ray runtime started" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < ends, log.read_text()
        time.sleep(0.5)


def end(process: subprocess.Popen[Any], patience: float = 20.0) -> None:
    """Asks a process that started a Ray to end, and kills what is left of all that it started after so many seconds."""
    started = [pid for pid, _ in below(process.pid)]
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    for pid in [*started, process.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def submitted(
    head: Head, entry: Sequence[str], environment: Mapping[str, object], *options: str
) -> subprocess.Popen[str]:
    """`ray job submit --working-dir . -- ENTRY`"""
    runtime = json.dumps(environment)
    return head.job("submit", "--working-dir", ".", "--runtime-env-json", runtime, *options, "--", *entry)
