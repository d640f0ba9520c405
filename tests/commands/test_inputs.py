"""What several commands are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.commands.inputs import find_places
from raysl.errors import ConfigError


def test_roots_are_kept_as_they_were_typed(tmp_path: Path) -> None:
    places = find_places([f"Mine={tmp_path}", f"my=set={tmp_path}"], tmp_path)
    assert places.given == ("Mine", "my")
    assert places.roots["mine"] == tmp_path


@pytest.mark.parametrize(
    ("roots", "message"),
    [
        (["ucf101"], "write --root NAME=PATH"),
        (["=x"], "write --root NAME=PATH"),
        (["a="], "write --root NAME=PATH"),
        (["a=/x", "b=/x", "a=/y"], "--root a is given twice, as /x and /y"),
    ],
)
def test_bad_roots_are_refused(roots: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        find_places(roots, tmp_path)
