"""`raysl doctor`: whether this machine can run raysl, one line for each thing that has kept somebody from it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable, Iterator

from raysl.commands.doctor.finding import DoctorOptions, Finding, first_line
from raysl.commands.terminal import PlainConsole

__all__ = ["DoctorOptions", "Finding", "examine", "print_doctor"]


CHECKS: tuple[tuple[str, str, str], ...] = (
    ("raysl", "packages", "commit"),
    ("packages", "packages", "versions"),
    ("platform", "machine", "platform_found"),
    ("cores", "machine", "cores"),
    ("memory", "machine", "memory"),
    ("shared memory", "machine", "shared_memory"),
    ("open files", "machine", "open_files"),
    ("processes", "machine", "processes"),
    ("output", "machine", "output"),
    ("GPU", "devices", "gpus"),
    ("Ray", "devices", "ray_found"),
    ("decoders", "decoders", "decoders"),
    ("roots", "folders", "roots"),
    ("cache", "folders", "cache"),
    ("store", "folders", "store"),
)
"""Topic, module of this folder, function. A module is imported by its check, which may be what finds it broken."""


def examine(options: DoctorOptions) -> Iterator[Finding]:
    """Looks at one thing after the other; a check that breaks is a finding that failed, and the others go on."""
    for topic, module, function in CHECKS:
        try:
            check: Callable[[DoctorOptions], Iterable[Finding]]
            check = getattr(importlib.import_module(f"{__name__}.{module}"), function)
            yield from check(options)
        except Exception as error:  # noqa: BLE001  (what a broken installation raises cannot be listed; it is said)
            yield Finding(topic, "failed", f"{type(error).__name__}: {first_line(error)}")


def print_doctor(options: DoctorOptions, console: PlainConsole, *, as_json: bool = False) -> int:
    """Prints a line for each finding, or all of them as one JSON object; how many failed."""
    findings = []
    for finding in examine(options):
        findings.append(finding)
        if not as_json:
            console.print(f"{finding.state:8} {finding.topic:14} {finding.text}")
            if finding.advice:
                console.print(f"{'':23} -> {finding.advice}")
    counts = {state: sum(one.state == state for one in findings) for state in ("failed", "warning")}
    if as_json:
        console.print_lines(json.dumps({**counts, "findings": [one.as_json() for one in findings]}, indent=1))
    else:
        console.print(f"{counts['failed']} failed, {counts['warning']} warnings")
    return counts["failed"]
