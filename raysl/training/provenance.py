"""Where a result comes from: code, packages, hardware, data. No host name, user or path of the machine."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raysl import __version__

if TYPE_CHECKING:
    import torch

PACKAGES = (
    "torch",
    "torchvision",
    "pytorchvideo",
    "decord",
    "av",
    "ray",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
)
CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_tile", "amx_bf16")


COMMIT = "RAYSL_COMMIT"
"""Environment variable with the commit, for a copy of raysl without ``.git``, as jobs on clusters have."""

DIRTY = "-dirty"
"""Suffix of that commit if files differ from it, as in ``git describe --dirty``."""

ARCHIVED = ".git_archival.txt"
"""File with the commit in a ``git archive``, and in the ``.zip`` files of a hosting service."""

UNKNOWN = "unknown"

MOST_CHANGES = 2**18
"""Bytes of a diff that are kept (ours: more is another program)."""


def git_state(checkout: Path | None = None) -> dict[str, Any]:
    """Commit of raysl's checkout and whether files differ from it.

    If it does not run from a checkout: the commit in ``RAYSL_COMMIT``, which is not checked, or that of the archive, or
    of pip's installation, or ``unknown``.
    """
    folder = checkout or Path(__file__).resolve().parents[2]
    commit = _git(folder, "rev-parse", "HEAD") if (folder / ".git").exists() else None
    if commit is None:
        given = os.environ.get(COMMIT) or _archived(folder) or _installed(folder) or UNKNOWN
        return {"commit": given.removesuffix(DIRTY), "dirty": given.endswith(DIRTY) or None}
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def code_changes(checkout: Path | None = None) -> bytes:
    """What differs from the commit in the package, as ``git diff`` prints it; empty where nothing does.

    Of the package alone, whose code computes: what a person changed beside it (notes, studies, settings with keys) is
    nobody's business. New files that git does not know are not in it. At most `MOST_CHANGES` bytes; then a last line
    says how many there were.
    """
    folder = checkout or Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return b""
    command = ["git", "-C", str(folder), "diff", "--no-ext-diff", "--no-color", "HEAD", "--", "raysl"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    diff = done.stdout if done.returncode == 0 else b""
    cut = b"" if len(diff) <= MOST_CHANGES else f"\n# cut: the whole has {len(diff)} bytes\n".encode()
    return diff[:MOST_CHANGES] + cut


def _archived(folder: Path) -> str | None:
    """None also if git has not filled in the file."""
    file = folder / ARCHIVED
    commit = file.read_text().partition("node:")[2].strip() if file.is_file() else ""
    return commit if commit.isalnum() else None


def _installed(folder: Path) -> str | None:
    """The commit that ``pip install git+https://...`` installed (PEP 610)."""
    try:
        package = metadata.distribution("raysl")
    except metadata.PackageNotFoundError:
        return None
    if Path(str(package.locate_file(""))).resolve() != folder.resolve():
        return None
    source = json.loads(package.read_text("direct_url.json") or "{}")
    return str(source.get("vcs_info", {}).get("commit_id", "")) or None


def _git(folder: Path, *arguments: str) -> str | None:
    """None if git is not installed, takes too long or refuses (a checkout owned by another user)."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def package_versions() -> dict[str, str]:
    """From name to version; ``absent`` for a package that is not installed."""
    others = {name: _version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "raysl": __version__, **others}


@cache
def _version(package: str) -> str:
    """Looked up once per process: imported modules stay, whatever is installed meanwhile."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def hardware(device: torch.device) -> dict[str, Any]:
    """CPU model, the flags that decide on bfloat16, CPUs this process may run on, and the GPU's name."""
    import torch

    model, flags = _cpu_information()
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": model,
        "cpu_flags": [flag for flag in CPU_FLAGS if flag in flags],
        "cpus": len(os.sched_getaffinity(0)),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    }


def _cpu_information(path: Path = Path("/proc/cpuinfo")) -> tuple[str, set[str]]:
    model, flags = platform.processor() or "unknown", set[str]()
    if not path.exists():
        return model, flags
    for line in path.read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
        elif key.strip() in ("flags", "Features"):
            flags = set(value.split())
    return model, flags
