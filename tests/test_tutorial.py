"""docs/tutorial.md: every block of it is run, in order, in one folder with a few rendered videos."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.data.rendered import moving_square, write_video
from tests.test_cli import raysl

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tutorial.md"
BLOCKS = re.findall(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert len(BLOCKS) == PAGE.read_text().count("```") // 2
    assert {language for _, language, _ in BLOCKS} == {"sh", "yaml", "python"}


@pytest.mark.slow
def test_the_tutorial_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, name in enumerate(("juggling", "lunges", "rowing")):
        for number in range(4):
            write_video(tmp_path / "my_videos" / name / f"{number}.mp4", moving_square(40, seed=4 * seed + number))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path))
    space: dict[str, Any] = {}
    for mark, language, text in BLOCKS:
        if language == "yaml":
            Path(text.split()[1]).write_text(text)
        elif language == "sh":
            for line in text.splitlines():
                done = raysl(*shlex.split(line)[1:])
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        elif mark.startswith("card: "):
            check_card(Path(mark.removeprefix("card: ")), text, space)
        else:
            exec(compile(text, str(PAGE), "exec"), space)
    printed = capsys.readouterr().out
    for said in ("('random', 'SimCLR') (0,)", "4 planned", "True ("):
        assert said in printed
    assert re.search(r"my_videos/juggling/0.mp4 is most like my_videos/\w+/\d.mp4", printed)
    assert space["run"].computed == (), "the shell's run did it"
    assert space["features"].values.shape == (12, space["backbone"].feature_dim)


def check_card(folder: Path, text: str, space: dict[str, Any]) -> None:
    """The lines are those of the card, and give what the backbone gives."""
    assert f"```python\n{text}```" in (folder / "README.md").read_text()
    clips = torch.randn(2, 3, space["clip"].frames, space["clip"].size, space["clip"].size)
    own: dict[str, Any] = {"clips": clips}
    with pytest.MonkeyPatch.context() as inside, torch.inference_mode():
        inside.chdir(folder)
        exec(text, own)
        torch.testing.assert_close(own["features"], space["backbone"](clips).mean(dim=(2, 3, 4)), rtol=1e-4, atol=1e-5)
