"""Packages and decoders: those that are here, those that are not, and those of another version."""

from __future__ import annotations

import pytest

from raysl.commands.doctor.decoders import decoders
from raysl.commands.doctor.finding import DoctorOptions
from raysl.commands.doctor.packages import requirements, versions
from tests.commands.doctor.looked import found_elsewhere


def test_what_is_installed_here_is_as_raysl_asks_for() -> None:
    found = {one.topic: one for one in versions(DoctorOptions())}
    assert {one.state for one in found.values()} == {"ok"}, found
    assert {"torch", "decord", "av", "ray", "numpy"} <= set(found["packages"].values)


def test_absent_and_other_versions() -> None:
    absent, other, fine = requirements(["no-such-package>=1.2", "numpy<0.1", "av>=1", 'boto3>=9; extra == "s3"'])[:3]
    assert (absent.topic, absent.state, absent.advice) == (
        "no-such-package",
        "failed",
        "pip install 'no-such-package>=1.2'",
    )
    assert (other.topic, other.state) == ("numpy", "warning")
    assert list(fine.values) == ["av"], "what an extra asks for is not missed"


def test_each_decoder_gives_back_what_was_drawn() -> None:
    found = {one.topic: one for one in decoders(DoctorOptions())}
    extra = found.pop("torchcodec", None)  # its FFmpeg may be absent
    assert extra is None or extra.state == "ok" or "cannot be loaded" in extra.text
    assert {topic: one.state for topic, one in found.items()} == {"PyAV": "ok", "decord": "ok"}, found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "states"),
    [("decord", {"PyAV": "ok", "decord": "warning"}), ("av", {"PyAV": "failed", "decord": "warning"})],
)
def test_a_decoder_that_is_not_installed(package: str, states: dict[str, str]) -> None:
    found = found_elsewhere("decoders.decoders", f"sys.modules[{package!r}] = None")
    assert {one["topic"]: one["state"] for one in found if one["topic"] != "torchcodec"} == states, found
    (advised,) = (one for one in found if one["advice"] and one["topic"] != "torchcodec")
    assert advised["advice"].replace("'", "").startswith(f"pip install {package}")
