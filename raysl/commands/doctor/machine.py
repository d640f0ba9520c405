"""The machine: platform, cores, memory, shared memory, open files, processes, and the encoding of standard output."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from raysl.cgroup import Limits, cgroup_limits
from raysl.commands.doctor.finding import DoctorOptions, Finding, State, size
from raysl.commands.terminal import is_utf8
from raysl.errors import RayslError
from raysl.machine import ready_for_processes

LEAST_MEMORY = 4e9
"""Bytes below which a run of two cells beside each other may not fit: a process that has imported what the driver and
workers import takes nearly one gigabyte, and there are three of them beside Ray's own."""
LEAST_SHARED = 512e6
"""Bytes of shared memory below which loader processes are left out, or Ray's object store goes to the disk."""
FEW_FILES = 4096
"""Open files below which raysl keeps fewer cached videos mapped (a quarter of the limit), and a Ray of many workers may
run out of them. An idle Ray of two CPUs starts with 64."""


def platform_found(_: DoctorOptions) -> Iterator[Finding]:
    """The system and its processor."""
    yield judged_platform(platform.system(), platform.machine(), platform.platform())


def judged_platform(system: str, processor: str, whole: str) -> Finding:
    """What is known of a platform.

    Args:
        system, processor: as `platform.system` and `platform.machine` name them.
        whole: kernel and C library, for a bug report.
    """
    values = {"system": system, "machine": processor, "platform": whole}
    name = f"{system} {processor}"
    if system == "Linux" and processor in ("x86_64", "AMD64"):
        return Finding("platform", "ok", f"{name}, which raysl is tested on", values=values)
    if system == "Linux":
        advice = "PyAV decodes every video, since decord has no wheel for this processor; tell us how the tests ended"
        return Finding("platform", "warning", f"{name}: not tried", advice, values)
    if system == "Darwin":
        text = f"{name}: training does not run: os.sched_getaffinity and /proc are not there"
        return Finding("platform", "failed", text, "use Linux on x86-64, a container or a cluster", values)
    text = f"{name}: raysl does not run: it uses fcntl, resource and /proc"
    return Finding("platform", "failed", text, "use Linux on x86-64 (on Windows, in WSL 2)", values)


def cores(_: DoctorOptions) -> Iterator[Finding]:
    """CPUs that this process may run on, and the share of them that its control group allows."""
    yield judged_cores(len(os.sched_getaffinity(0)), os.cpu_count() or 1, cgroup_limits())


def judged_cores(usable: int, all_: int, limits: Limits) -> Finding:
    """What raysl takes for the number of its cores, and whether it gets as many."""
    text = f"{usable} of {all_} CPUs" if usable != all_ else f"{usable} CPUs"
    values = {"usable": usable, "all": all_, "cgroup": limits.cpus}
    if limits.cpus is None or limits.cpus >= usable:
        return Finding("cores", "ok", text, values=values)
    wanted = max(1, int(limits.cpus))
    advice = f"start raysl on as many CPUs as it is given: taskset -c 0-{wanted - 1}, or docker run --cpuset-cpus"
    text += f", and time of {limits.cpus:g} (cpu.max): as many threads as CPUs will wait for each other"
    return Finding("cores", "warning", text, advice, values)


def memory(_: DoctorOptions) -> Iterator[Finding]:
    """Memory that can still be taken: of the machine, or of the control group where that is less."""
    known = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, rest = line.split(":", 1)
        known[name] = int(rest.split()[0]) * 1024
    yield judged_memory(known["MemTotal"], known["MemAvailable"], cgroup_limits())


def judged_memory(total: int, available: int, limits: Limits) -> Finding:
    """Bytes of the machine, and what is left of them here."""
    text = f"{size(available)} free of {size(total)}"
    if limits.memory is not None and limits.memory < total:
        available = min(available, limits.memory - limits.memory_used)
        text += f"; limit of the container {size(limits.memory)}, {size(max(0, available))} left"
    values = {"total": total, "available": available, "cgroup": limits.memory}
    if available >= LEAST_MEMORY:
        return Finding("memory", "ok", text, values=values)
    return Finding("memory", "warning", text, "run one cell at a time: raysl run --local", values)


def shared_memory(_: DoctorOptions) -> Iterator[Finding]:
    """Where batches of loader processes and Ray's objects pass through."""
    folder = Path("/dev/shm")
    if not folder.is_dir():
        yield Finding("shared memory", "warning", f"there is no {folder}", "mount a tmpfs there")
        return
    usage = shutil.disk_usage(folder)
    text, values = f"{folder}: {size(usage.free)} free of {size(usage.total)}", {"free": usage.free}
    few = usage.free < LEAST_SHARED
    advice = "docker run --shm-size=4g; without it, fewer loader processes work" if few else ""
    yield Finding("shared memory", "warning" if few else "ok", text, advice, {**values, "total": usage.total})


def open_files(_: DoctorOptions) -> Iterator[Finding]:
    """The limit on open files, which raysl raises itself as far as the system allows."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    values = {"soft": soft, "hard": hard}
    if hard == resource.RLIM_INFINITY:
        yield Finding("open files", "ok", f"{soft}, which can be raised without limit", values=values)
        return
    text = f"{soft}, which can be raised to {hard}"
    advice = "ulimit -n 65536, docker run --ulimit nofile=65536, or LimitNOFILE= of a service"
    state: State = "warning" if hard < FEW_FILES else "ok"
    yield Finding("open files", state, text, "" if state == "ok" else advice, values)


def processes(_: DoctorOptions) -> Iterator[Finding]:
    """Whether processes can be started and make their locks and sockets: this starts the ones that do it."""
    try:
        ready_for_processes()
    except RayslError as error:
        yield Finding("processes", "failed", str(error))
        return
    yield Finding("processes", "ok", f"can be started with {Path(sys.executable).name}")


def output(_: DoctorOptions) -> Iterator[Finding]:
    """Whether standard output can show what raysl writes."""
    encoding = getattr(sys.stdout, "encoding", None) or "unknown"
    advice = "" if is_utf8() else "other characters are replaced: set PYTHONUTF8=1 to see them"
    yield Finding("output", "ok" if is_utf8() else "warning", encoding, advice, {"encoding": encoding})
