"""`raysl fidelity`: the page is written, and checked against what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from raysl.commands.fidelity import write_fidelity
from raysl.commands.terminal import PlainConsole
from raysl.errors import ConfigError
from tests.search_spaces.shipped import SEARCH_SPACES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One study beside all recipes."""
    study = tmp_path / "search_spaces" / "sstl" / "table5_memory.yaml"
    study.parent.mkdir(parents=True)
    study.write_text((SEARCH_SPACES / "sstl" / "table5_memory.yaml").read_text())
    (tmp_path / "search_spaces" / "recipes").symlink_to(SEARCH_SPACES / "recipes")
    return tmp_path / "search_spaces"


def test_what_is_written_is_what_is_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, console = folder.parent / "fidelity.md", PlainConsole()
    assert not write_fidelity(folder, page, console, check=True)
    assert "differs: run raysl fidelity" in capsys.readouterr().out
    assert write_fidelity(folder, page, console, check=False)
    assert "| SSTL | " in page.read_text()
    assert "| 5 of 5 | sstl/table5_memory |" in page.read_text()
    assert write_fidelity(folder, page, console, check=True)
    page.write_text(page.read_text().replace("As printed", "as Printed").replace("literal", "litteral"))
    assert not write_fidelity(folder, page, console, check=True)


def test_without_a_folder_it_is_of_what_raysl_ships_wherever_it_is_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raysl.config.shipped.shipped_folder", lambda: folder)
    (folder.parent / "elsewhere").mkdir()
    monkeypatch.chdir(folder.parent / "elsewhere")
    assert write_fidelity(None, Path("page.md"), PlainConsole(), check=False)
    assert "| 5 of 5 | sstl/table5_memory |" in Path("page.md").read_text()


def test_a_folder_that_is_not_there_is_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        write_fidelity(folder, folder / "gone" / "fidelity.md", PlainConsole(), check=False)
