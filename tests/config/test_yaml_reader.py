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


NAMES = ["0.1", "0.10", "1", "1.0", "1e-3", "true", "null", "~", "2024-01-01", "0x10", "16", "yes"]


@pytest.mark.parametrize("text", [f"rows: {{{', '.join(f'{name}: {{}}' for name in NAMES)}}}"])
def test_keys_are_read_as_they_are_written(text: str) -> None:
    assert list(parse_tree(text, "f.yaml").data["rows"]) == NAMES
    nested = "axes: {a: {choice: {0.1: x, 0.10: y}}}\nbase: &base {1: a, 1.0: b}\nover: {<<: *base, 1: c}\n"
    data = parse_tree(nested, "f.yaml").data
    assert data["axes"] == {"a": {"choice": {"0.1": "x", "0.10": "y"}}}
    assert data["over"] == {"1": "c", "1.0": "b"}
    assert parse_value("{0.10: 1}") == {"0.10": 1}


def test_a_key_that_is_quoted_once_and_bare_once_is_written_twice() -> None:
    with pytest.raises(ConfigError, match=r"f\.yaml:1: rows\.0\.10: this key is written twice"):
        parse_tree("rows: {0.10: {}, '0.10': {}}", "f.yaml")


def test_values_keep_the_characters_that_they_were_written_with() -> None:
    tree = parse_tree("baseline: 0.10\npairs: [1.0, true, '2']\n", "f.yaml")
    assert tree.text(("baseline",), tree.data["baseline"]) == "0.10"
    assert [tree.text(("pairs", str(at)), value) for at, value in enumerate(tree.data["pairs"])] == ["1.0", "true", "2"]
    assert str(tree.where(("pairs", "1"))) == "f.yaml:2"


def test_merged_keys_are_found_where_they_were_written() -> None:
    tree = parse_tree("a: &a\n  x: 1\n  y: {z: 2}\nb:\n  <<: *a\n  y: 3\n", "f.yaml")
    assert tree.data["b"] == {"x": 1, "y": 3}
    assert str(tree.where(("b", "x"))) == "f.yaml:2"
    assert str(tree.where(("b", "y"))) == "f.yaml:6"
    assert ("b", "y", "z") not in tree.origins


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", r"f\.yaml:1: not valid YAML"),
        ("- 1\n- 2\n", "a mapping of keys is expected"),
        ("a:\n\tb: 1", r"f\.yaml:2: not valid YAML: .*the line begins with a tab: indent with spaces"),
        ("a: 1\n b: 2", r"f\.yaml:2: not valid YAML: .*check its indentation"),
        ("a: &a {b: *a}", r"f\.yaml:1: a\.b: an alias"),
        ("? [1, 2]\n: 3", "cannot be a key"),
        ('a: {"": 3}', r"a: a key is empty"),
        ("a: {<<: 3}", r"a\.<<: only mappings can be merged"),
        ("a: !!set {b}", "is not supported"),
        (f"a: {'[' * 2000}{']' * 2000}", r"^f\.yaml: lists or mappings are nested hundreds deep$"),
        (f"a: 1\nb: [{'9' * 5000}]", r"f\.yaml:2: b\.0: a number of thousands of digits"),
        ("a: \0", r"^f\.yaml: not valid YAML: unacceptable character #x0000: special [a-z ]+: check that every"),
    ],
)
def test_what_is_no_mapping_or_no_yaml_is_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_tree(text, "f.yaml")


def test_aliases_of_aliases_without_an_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raysl.config.yaml_reader.MOST_VALUES", 1000)
    doubled = "".join(f"a{level + 1}: &a{level + 1} [*a{level}, *a{level}]\n" for level in range(40))
    with pytest.raises(ConfigError, match=r"f\.yaml:\d+: a\d+[\d.]*: more than 1000 values"):
        parse_tree(f"a0: &a0 [1]\n{doubled}", "f.yaml")


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read"):
        read_tree(tmp_path / "absent.yaml")
