"""Laying configurations over one another."""

from __future__ import annotations

from raysl.config.tree import expand, get, merge
from raysl.config.yaml_reader import Origin, Tree, parse_tree


def test_mappings_merge_and_anything_else_replaces() -> None:
    base = Tree({"a": {"b": 1, "c": [1, 2]}, "d": 1})
    over = Tree({"a": {"c": [3]}, "d": None})
    assert merge(base, over).data == {"a": {"b": 1, "c": [3]}, "d": None}
    assert base.data == {"a": {"b": 1, "c": [1, 2]}, "d": 1}


def test_another_component_replaces_the_options_of_the_old_one() -> None:
    base = Tree({"backbone": {"name": "r3d_18", "width": 0.5}})
    assert merge(base, Tree({"backbone": {"name": "c3d"}})).data == {"backbone": {"name": "c3d"}}
    same = merge(base, Tree({"backbone": {"name": "r3d_18", "depth": 2}}))
    assert same.data == {"backbone": {"name": "r3d_18", "width": 0.5, "depth": 2}}


def test_options_laid_on_a_component_written_as_text() -> None:
    merged = merge(Tree({"data": "synthetic/large"}), Tree({"data": {"classes": 4}}))
    assert merged.data == {"data": {"name": "synthetic/large", "classes": 4}}


def test_options_laid_on_a_word_that_is_no_component_replace_it() -> None:
    base = Tree({"projector": "shared"})
    assert merge(base, Tree({"projector": {"output_dim": 64}})).data == {"projector": {"output_dim": 64}}
    assert merge(Tree({"projector": {"output_dim": 64}}), base).data == {"projector": "shared"}


def test_dotted_keys_of_a_row_expand_and_keep_their_lines() -> None:
    document = parse_tree(
        "rows:\n  x:\n    objective.local_local: null\n    clip.size: 56\n    clip.frames: 8\n", "f.yaml"
    )
    row = expand(document.data["rows"]["x"], document.origins, ("rows", "x"))
    assert row.data == {"objective": {"local_local": None}, "clip": {"size": 56, "frames": 8}}
    assert str(row.where(("clip", "frames"))) == "f.yaml:5"


def test_get_of_an_absent_path_is_none() -> None:
    assert get({"a": {"b": 1}}, ("a", "b")) == 1
    assert get({"a": {"b": 1}}, ("a", "b", "c")) is None


def test_a_combination_is_refused_where_the_last_of_its_keys_was_written_also_where_that_is_an_empty_mapping() -> None:
    origins = {("clip", "frames"): Origin("study", 4), ("objective",): Origin("study", 9)}
    tree = Tree({"clip": {"frames": 8}, "objective": {"global_local": {}}}, origins)
    key, message = ("objective", "global_local"), "objective.global_local: 4 clips do not divide 1; change clip.frames"
    assert str(tree.misfit(key, message)) == f"study:4: {message}"
    tree.origins[key] = Origin("study", 11)
    assert str(tree.misfit(key, message)) == f"study:11: {message}"
