"""Numbers as in YAML 1.2, duplicate keys refused, lines remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.config.yaml_reader import parse_tree, parse_value, read_tree
from raysl.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-6", 1e-6),
        ("1.0e-6", 1e-6),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("12", 12),
        ("010", 10),
        ("0x10", 16),
        ("true", True),
        ("null", None),
        ("~", None),
        (".inf", float("inf")),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
        ("1e", "1e"),
        ("'1e-6'", "1e-6"),
        ("[1, 2e-3]", [1, 2e-3]),
    ],
)
def test_values_are_read_as_in_yaml_1_2(text: str, value: object) -> None:
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_a_duplicate_key_names_file_both_lines_and_key() -> None:
    with pytest.raises(
        ConfigError, match=r"study\.yaml:4: training\.epochs: this key is written twice \(first on line 2\)"
    ):
        parse_tree("training:\n  epochs: 1\n  batch_size: 2\n  epochs: 3\n", "study.yaml")


def test_lines_of_nested_keys_are_remembered() -> None:
    tree = parse_tree("a:\n  b:\n    c: 1\nrows:\n  x: {y: 2}\n", "f.yaml")
    assert str(tree.where(("a", "b", "c"))) == "f.yaml:3"
    assert str(tree.where(("rows", "x", "y"))) == "f.yaml:5"
    assert str(tree.where(("a", "b", "unknown"))) == "f.yaml:2"


def test_number_keys_become_text_and_other_keys_are_refused() -> None:
    assert parse_tree("rows: {0.1: {}, 2: {}}", "f.yaml").data == {"rows": {"0.1": {}, "2": {}}}
    with pytest.raises(ConfigError, match="put it in quotes"):
        parse_tree("rows: {true: {}}", "f.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", r"f\.yaml:1: not valid YAML"),
        ("- 1\n- 2\n", "a mapping of keys is expected"),
        ("a:\n\tb: 1", "not valid"),
    ],
)
def test_what_is_no_mapping_or_no_yaml_is_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_tree(text, "f.yaml")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read"):
        read_tree(tmp_path / "absent.yaml")
