"""raysl, Python, and the packages that raysl asks for: whether they are there, and of a version that is asked for."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from raysl import __version__
from raysl.commands.doctor.finding import DoctorOptions, Finding, first_line

IMPORTED = ("torch", "torchvision", "pytorchvideo", "numpy", "pandas", "pyarrow", "scipy", "sklearn")
"""Packages with parts of their own making, which can be installed and yet not be loaded; decoders and Ray have lines of
their own."""
NAMES = {"sklearn": "scikit-learn"}


def commit(_: DoctorOptions) -> Iterator[Finding]:
    """raysl's version and commit."""
    from raysl.training.provenance import git_state

    git = git_state()
    text = f"{__version__}, commit {str(git['commit'])[:10]}{' with changes' if git['dirty'] else ''}"
    yield Finding("raysl", "ok", text, values={"version": __version__, **git})


def versions(_: DoctorOptions) -> Iterator[Finding]:
    """Python, and every package that is asked for."""
    asked = _asked()
    yield _python(asked)
    yield from requirements(metadata.requires("raysl") or [] if asked is not None else [])
    yield from loaded()


def _asked() -> metadata.PackageMetadata | None:
    try:
        return metadata.metadata("raysl")
    except metadata.PackageNotFoundError:
        return None


def _python(asked: metadata.PackageMetadata | None) -> Finding:
    version, wanted = (
        platform.python_version(),
        asked["Requires-Python"] if asked is not None and "Requires-Python" in asked else "",
    )
    values = {"version": version, "asked": wanted, "build": platform.python_implementation()}
    if asked is None:
        advice = "pip install -e . in the checkout, so that the versions of packages can be compared with raysl's"
        return Finding("Python", "warning", f"{version}; raysl itself is not installed", advice, values)
    if not SpecifierSet(wanted).contains(version, prereleases=True):
        advice = f"make an environment of Python {wanted}"
        return Finding("Python", "failed", f"{version}, where raysl asks for {wanted}", advice, values)
    return Finding("Python", "ok", version, values=values)


def requirements(lines: list[str]) -> list[Finding]:
    """A line for all packages that are as asked for, one for each that is not, one for those of extras.

    Args:
        lines: as package metadata has them, e.g. ``torch<2.16,>=2.15`` or ``optuna>=4.0; extra == "search"``.
    """
    found, fine, extras = list[Finding](), dict[str, str](), dict[str, str]()
    for line in lines:
        one = Requirement(line)
        needed = one.marker is None or one.marker.evaluate({"extra": ""})
        version = _version(one.name)
        if not needed:
            extras[one.name] = version or "absent"
        elif version is None:
            found.append(Finding(one.name, "failed", "not installed", f"pip install '{one.name}{one.specifier}'"))
        elif not one.specifier.contains(version, prereleases=True):
            text, values = f"{version}, where raysl asks for {one.specifier}", {"version": version}
            found.append(Finding(one.name, "warning", text, f"pip install '{one.name}{one.specifier}'", values))
        else:
            fine[one.name] = version
    if fine:
        found.append(Finding("packages", "ok", ", ".join(f"{name} {one}" for name, one in fine.items()), values=fine))
    present = {name: one for name, one in extras.items() if name in ("optuna", "boto3", "google-auth")}
    if present:
        found.append(
            Finding("extras", "ok", ", ".join(f"{name} {one}" for name, one in present.items()), values=present)
        )
    return found


def loaded() -> Iterator[Finding]:
    """One line for each package that is installed and cannot be imported; none where all can."""
    for name in IMPORTED:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001  (libraries that do not fit each other raise what they like)
            advice = f"install it anew: pip install --force-reinstall --no-deps {NAMES.get(name, name)}"
            yield Finding(name, "failed", f"cannot be imported: {type(error).__name__}: {first_line(error)}", advice)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
