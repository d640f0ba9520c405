"""What is said of a machine: here, under small limits, and of control groups as their files have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.cgroup import Limits, cgroup_limits
from raysl.commands.doctor.finding import DoctorOptions
from raysl.commands.doctor.machine import cores, judged_cores, judged_memory, judged_platform, memory, shared_memory
from tests.commands.doctor.looked import found_elsewhere


@pytest.mark.parametrize(("limit", "state"), [(1024, "warning"), (4096, "ok")])
def test_a_small_limit_on_open_files(limit: int, state: str) -> None:
    lower = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit}))"
    (found,) = found_elsewhere("machine.open_files", lower)
    assert (found["state"], found["values"]) == (state, {"soft": limit, "hard": limit})
    assert ("ulimit -n" in found["advice"]) == (state == "warning")


def test_output_that_is_not_utf8() -> None:
    (found,) = found_elsewhere("machine.output", PYTHONIOENCODING="ascii")
    assert found["state"] == "warning"
    assert "PYTHONUTF8" in found["advice"]


def test_processes_have_no_room_for_their_sockets(tmp_path: Path) -> None:
    """As on a cluster whose batch system names a folder that is gone, and where no other may be written."""
    lost = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc/nowhere']"
    (found,) = found_elsewhere("machine.processes", lost)
    assert found["state"] == "failed"
    assert "TMPDIR" in found["text"]


@pytest.mark.parametrize(
    ("system", "processor", "state"),
    [
        ("Linux", "x86_64", "ok"),
        ("Linux", "aarch64", "warning"),
        ("Darwin", "arm64", "failed"),
        ("Darwin", "x86_64", "failed"),
        ("Windows", "AMD64", "failed"),
    ],
)
def test_platforms(system: str, processor: str, state: str) -> None:
    assert judged_platform(system, processor, "").state == state


def test_this_machine_has_cores_memory_and_shared_memory() -> None:
    for check in (cores, memory, shared_memory):
        (found,) = check(DoctorOptions())
        assert found.values, found
        assert all(value is None or value > 0 for value in found.values.values()), found


def test_fewer_seconds_of_cpu_than_cpus_are_said_with_a_way_out() -> None:
    assert judged_cores(2, 2, Limits(cpus=2.0)).state == "ok"
    found = judged_cores(64, 64, Limits(cpus=2.5))
    assert found.state == "warning"
    assert "taskset -c 0-1" in found.advice


def test_memory_is_what_the_container_has_left() -> None:
    assert judged_memory(64 * 10**9, 32 * 10**9, Limits()).state == "ok"
    found = judged_memory(64 * 10**9, 32 * 10**9, Limits(memory=8 * 10**9, memory_used=5 * 10**9))
    assert (found.state, found.values["available"]) == ("warning", 3 * 10**9)


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_version_2_counts_the_groups_above_too(tmp_path: Path) -> None:
    top, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("0::/slurm/job_7/step\n")
    write(top / "slurm" / "job_7" / "step", cpu__max="max 100000", memory__max="max", memory__current="5")
    write(top / "slurm" / "job_7", cpu__max="150000 100000", memory__max="8000000000", memory__current="3000000000")
    write(top / "slurm", cpu__max="6400000 100000", memory__max="64000000000", memory__current="4000000000")
    assert cgroup_limits(top, own) == Limits(1.5, 8_000_000_000, 3_000_000_000)


def test_version_1_writes_no_limit_as_a_large_number_or_minus_one(tmp_path: Path) -> None:
    top, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n")
    limits = {"memory__limit_in_bytes": "9223372036854771712", "memory__usage_in_bytes": "1"}
    write(top / "memory", **limits)
    write(top / "cpu,cpuacct", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert cgroup_limits(top, own) == Limits()
    write(top / "memory" / "docker" / "abc", memory__limit_in_bytes="2000000000", memory__usage_in_bytes="7")
    write(top / "cpu,cpuacct" / "docker" / "abc", cpu__cfs_quota_us="50000", cpu__cfs_period_us="100000")
    assert cgroup_limits(top, own) == Limits(0.5, 2_000_000_000, 7)


def test_no_control_groups(tmp_path: Path) -> None:
    assert cgroup_limits(tmp_path / "nothing", tmp_path / "own") == Limits()
