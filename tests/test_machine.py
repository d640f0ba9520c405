"""Processes are started from wherever a launcher, and whoever set TMPDIR, put this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import raysl
from raysl.errors import RayslError
from raysl.machine import LONGEST_SOCKET, short_folder, temporary_folder

SCRIPT = """
import multiprocessing, sys, tempfile
from multiprocessing.util import get_temp_dir
from raysl.machine import ready_for_processes

if __name__ == "__main__":
    ready_for_processes()
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        print(pool.apply(len, ("abc",)), bool(sys.executable), len(get_temp_dir()), tempfile.gettempdir())
"""


NOEXEC = [
    *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c"),
    'mount -t tmpfs -o noexec tmpfs "$TMPDIR" && ! (echo > "$TMPDIR/x" && chmod +x "$TMPDIR/x" && "$TMPDIR/x") && "$@"',
    "sh",
]
"""Before a command: ``$TMPDIR`` is mounted so that nothing in it may be executed."""
may_mount = pytest.mark.skipif(
    subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="this system lets nobody mount",
)


def started(folder: Path, command: list[str], **environment: str) -> list[str]:
    (folder / "script.py").write_text(SCRIPT)
    paths = os.pathsep.join([str(Path(raysl.__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [*command, str(folder / "script.py")],
        executable=None if command[0] in (sys.executable, NOEXEC[0]) else sys.executable,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("name", ["a name that is on no path", "/bin/false", "/proc/none/python"])
def test_an_interpreter_that_a_launcher_hid_or_misnamed_starts_processes(tmp_path: Path, name: str) -> None:
    assert started(tmp_path, [name], PATH=str(tmp_path))[:2] == ["3", "True"]


@pytest.mark.parametrize("length", [60, 90, 130])
def test_sockets_have_short_paths_and_temporary_files_stay_where_they_were_asked_for(
    tmp_path: Path, length: int
) -> None:
    folder = tmp_path / ("x" * length)
    folder.mkdir()
    count, _, sockets, files = started(tmp_path, [sys.executable], TMPDIR=str(folder))
    assert count == "3"
    assert int(sockets) + len("/listener-xxxxxxxx") <= LONGEST_SOCKET
    assert files == str(folder)


@pytest.mark.slow
def test_what_lies_in_the_working_folder_is_not_taken_for_what_processes_import(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("raise RuntimeError('of somebody else')")
    (tmp_path / "elsewhere").mkdir()
    for name in ("torch", "raysl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('of somebody else')")
    preload = SCRIPT.replace("import multiprocessing, sys,", "import multiprocessing, raysl.data.manifest_pool, sys,")
    (tmp_path / "elsewhere" / "script.py").write_text(preload)
    paths = os.pathsep.join([str(Path(raysl.__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, tmp_path / "elsewhere" / "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["3", "True"]), done.stderr


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__':\n    "])
def test_a_script_without_a_guard_is_not_begun_anew_in_its_processes(tmp_path: Path, guard: str) -> None:
    """As `multiprocessing` alone would; afterwards everything is as it was."""
    (tmp_path / "script.py").write_text(
        "import sys\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from raysl.machine import PROCESSES, ready_for_processes\n"
        "print('begun')\n"
        f"{guard}ready_for_processes(); pool = ProcessPoolExecutor(1, PROCESSES)\n"
        f"{guard[-4:]}print(pool.submit(len, 'abc').result(), __file__)\n"
    )
    paths = os.pathsep.join([str(Path(raysl.__file__).parents[1]), *filter(None, sys.path)])
    command, environment = [sys.executable, "script.py"], {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.stdout.split(), done.stderr) == (["begun", "3", str(tmp_path / "script.py")], "")


@pytest.mark.slow
def test_a_process_without_a_path_imports_the_decoders() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PATH"}
    paths = os.pathsep.join([str(Path(raysl.__file__).parents[1]), *filter(None, sys.path)])
    subprocess.run(
        [sys.executable, "-c", "import raysl.data.decode"], env={**environment, "PYTHONPATH": paths}, check=True
    )


@may_mount
def test_processes_start_where_nothing_in_the_temporary_folder_may_be_executed(tmp_path: Path) -> None:
    folder = tmp_path / "noexec"
    folder.mkdir()
    count, _, _, files = started(tmp_path, [*NOEXEC, sys.executable], TMPDIR=str(folder))
    assert (count, files) == ("3", str(folder))


@may_mount
def test_a_full_dev_shm_is_named() -> None:
    """Locks of processes are files in it."""
    fill = 'mount -t tmpfs -o size=8k none /dev/shm && (cat /dev/zero > /dev/shm/fill || exec "$@")'
    script = "from raysl.machine import ready_for_processes; ready_for_processes()"
    within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", fill, "sh"]
    done = subprocess.run(
        [*within, sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False
    )
    named = (
        "NodeFault: processes cannot be started: no lock can be made in /dev/shm (No space left on device): free some"
    )
    assert named in done.stderr


def test_a_short_folder_is_the_usual_one_or_one_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert short_folder(len(str(tmp_path))) == tmp_path
    other = short_folder(len(str(tmp_path)) - 1)
    assert other != tmp_path
    assert os.access(other, os.W_OK)
    with pytest.raises(RayslError, match=r"too long \(.*\); set TMPDIR to one of at most 3 characters"):
        short_folder(3)


def test_no_folder_for_temporary_files_says_which_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(tmp_path / "absent")])
    with pytest.raises(RayslError, match="set TMPDIR to one that can"):
        temporary_folder()
