"""What a check finds, here and in a Python of other limits, environment or packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

FINDINGS = """
import json, sys
from importlib import import_module
{first}
from raysl.commands.doctor.finding import DoctorOptions
module, function = {check!r}.split(".")
found = getattr(import_module("raysl.commands.doctor." + module), function)(DoctorOptions())
print(json.dumps([one.as_json() for one in found]))
"""


def found_elsewhere(check: str, first: str = "", **environment: str) -> list[Mapping[str, Any]]:
    """The findings of a check (``machine.open_files``) in a process of its own, after the statements of ``first``."""
    done = subprocess.run(
        [sys.executable, "-c", FINDINGS.format(first=first, check=check)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    findings: list[Mapping[str, Any]] = json.loads(done.stdout)
    return findings
