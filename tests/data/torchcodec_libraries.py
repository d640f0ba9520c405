"""FFmpeg's libraries for torchcodec in tests: those in PyAV's wheel, under the names that it looks for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_with_torchcodec(script: str, folder: Path) -> None:
    """Runs a script in a process of its own, since the system's loader reads its search path when a process starts.

    Args:
        folder: working folder, and that of the links.
    """
    if find_spec("torchcodec") is None:
        pytest.skip("torchcodec is not installed")
    libraries = list((Path(av.__file__).parents[1] / "av.libs").glob("lib*.so.*"))
    if not libraries:
        pytest.skip("PyAV was not installed from a wheel: its FFmpeg is elsewhere")
    links = folder / "libraries"
    links.mkdir()
    for library in libraries:
        name = re.fullmatch(r"(lib(?:av|sw)\w+)-\w+\.so\.(\d+)[\d.]*", library.name)
        if name:
            (links / f"{name[1]}.so.{name[2]}").symlink_to(library)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(links), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
