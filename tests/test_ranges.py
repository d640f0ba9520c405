"""The ranges of pyproject.toml are those that are tested: their lower bounds, and what .ci/run installs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).resolve().parents[1]
ABOUT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
ASKED = [Requirement(line) for line in (*ABOUT["dependencies"], *ABOUT["optional-dependencies"]["search"])]


def pins(file: str) -> dict[str, Version]:
    """From canonical name to version, of a file of constraints."""
    lines = [line for line in (PROJECT / file).read_text().splitlines() if not line.startswith("#")]
    pairs = [line.split("==") for line in lines]
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def lower_bound(one: Requirement) -> Version:
    (bound,) = (Version(part.version) for part in one.specifier if part.operator in (">=", "=="))
    return bound


@pytest.mark.parametrize("one", ASKED, ids=lambda one: one.name)
def test_the_lowest_version_is_the_one_that_is_tested(one: Requirement) -> None:
    assert pins("constraints-lowest.txt")[canonicalize_name(one.name)] == lower_bound(one)


@pytest.mark.parametrize("one", ASKED, ids=lambda one: one.name)
def test_the_version_that_ci_installs_is_in_the_range(one: Requirement) -> None:
    assert one.specifier.contains(pins("constraints.txt")[canonicalize_name(one.name)])


@pytest.mark.parametrize("one", ASKED, ids=lambda one: one.name)
def test_the_installation_page_has_the_range(one: Requirement) -> None:
    extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
    parts = sorted((str(part) for part in one.specifier), reverse=True)
    assert f"`{one.name}{extras}{','.join(parts)}`" in (PROJECT / "docs" / "install.md").read_text()


def test_pythons_are_listed_as_they_are_allowed() -> None:
    listed = [one.removeprefix("Programming Language :: Python :: ") for one in ABOUT["classifiers"] if "Python" in one]
    allowed = SpecifierSet(ABOUT["requires-python"])
    assert listed == [version for version in (f"3.{minor}" for minor in range(9, 20)) if allowed.contains(version)]


def test_both_files_have_the_same_test_tools() -> None:
    lowest, usual = pins("constraints-lowest.txt"), pins("constraints.txt")
    for line in ABOUT["optional-dependencies"]["test"][1:]:
        name = canonicalize_name(Requirement(line).name)
        assert lowest[name] == usual[name]
