"""The option ``--format``."""

from __future__ import annotations

import pytest

from raysl.errors import ConfigError
from raysl.reports.formats import DEFAULT_FORMATS, FORMATS, VARIABLE, read_formats


def test_formats_are_read_in_any_order_and_case() -> None:
    assert read_formats("csv, MD,csv") == ("md", "csv")
    assert set(DEFAULT_FORMATS) <= set(FORMATS)


def test_a_variable_takes_the_place_of_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "csv")
    assert (read_formats(), read_formats("md")) == (("csv",), ("md",))
    monkeypatch.setenv(VARIABLE, "pdf")
    with pytest.raises(ConfigError, match=r"RAYSL_FORMAT pdf: 'pdf' is no format"):
        read_formats()
    monkeypatch.delenv(VARIABLE)
    assert read_formats() == DEFAULT_FORMATS


@pytest.mark.parametrize(
    ("text", "wrong"), [("md,pgn", "'pgn' is no format .did you mean 'png'"), ("", "''"), ("md,", "''")]
)
def test_an_unknown_format_is_one_error_that_lists_those_there_are(text: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=rf"--format {text}: {wrong}.*; give some of md,csv,latex,html,svg,png"):
        read_formats(text)
