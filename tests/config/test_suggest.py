"""The nearest valid name."""

from __future__ import annotations

import pytest

from raysl.config.suggest import near_name, nearest


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("temprature", "temperature"),
        ("infonce", "InfoNCE"),
        ("TCLR", "recipes/tclr"),
        ("simclrr", "recipes/simclr"),
        ("recipes/simcl", "recipes/simclr"),
        ("zzz", None),
        ("", None),
    ],
)
def test_letter_case_and_folders_do_not_hide_what_was_meant(name: str, near: str | None) -> None:
    assert near_name(name, ["temperature", "InfoNCE", "recipes/tclr", "recipes/simclr"]) == near


def test_a_name_in_another_case_is_suggested_before_one_that_is_spelt_nearly_so() -> None:
    assert near_name("ic", ["IC+LL", "IC"]) == "IC"


def test_without_a_near_one_all_are_named() -> None:
    assert nearest("zzz", ["b", "a"]) == " (valid: a, b)"
    assert nearest("zzz", []) == ""
