"""Every command of the documents is what the command line takes; those without a mark are run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.rendered import moving_square, write_video
from tests.docs.blocks import NEEDS, ROOT, Block, blocks, pages
from tests.docs.cli import PLACEHOLDER, check, find_command, options_of
from tests.test_cli import raysl

BLOCKS = {page: [block for block in blocks(page) if block.commands] for page in pages()}
WITH_COMMANDS = [page for page, found in BLOCKS.items() if found]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all pages use: a store, a cache, a folder of videos."""
    folder = tmp_path_factory.mktemp("shared")
    for name in ("results", "cache"):
        (folder / name).mkdir()
    for seed, name in enumerate(("juggling", "lunges", "rowing")):
        for number in range(8):
            write_video(folder / "my_videos" / name / f"{number}.mp4", moving_square(40, seed=8 * seed + number))
    return folder


@pytest.fixture
def clone(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a fresh clone, with one of videos: the working folder of a page's commands."""
    for name in ("search_spaces", "clusters", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("results", "my_videos"):
        (tmp_path / name).symlink_to(shared / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSL_CACHE", str(shared / "cache"))
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("RAYSL_FORMAT", "md")
    return tmp_path


def write_files(page: str) -> None:
    """The YAML of a page that begins with the name of its file, ``# my_study.yaml``, is that file."""
    for block in blocks(page):
        if block.language == "yaml" and (named := re.match(r"# (\S+\.yaml)$", block.text, re.MULTILINE)):
            Path(named[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(named[1]).write_text(block.text)


def made_by(page: str) -> set[str]:
    """The files that commands of the page make, or that stand for a study of the reader's."""
    made = {word for block in BLOCKS[page] if "study" in block.value for words in block.commands for word in words}
    for words in (words for block in BLOCKS[page] for words in block.commands):
        if words[:2] == ["raysl", "new"]:
            made.add(words[2])
        if ">" in words:
            made.add(words[words.index(">") + 1])
    return made


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_a_block_says_what_it_needs(page: str) -> None:
    for block in BLOCKS[page]:
        needs = set(re.split(r",\s*", block.value)) if block.mark == "needs" else set()
        assert needs <= set(NEEDS), f"{block}: needs: {sorted(needs - set(NEEDS))}; there are {', '.join(NEEDS)}"
        if block.mark != "needs":
            for words in block.commands:
                assert words[0] in {"raysl", "python", "torchrun"}, (
                    f"{block}: no test runs {words[0]}: <!-- needs: ... -->"
                )
                open_ = [word for word in words if PLACEHOLDER.search(word)]
                assert not open_, f"{block}: {open_} are for a reader to replace: <!-- needs: ... -->"


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_commands_are_what_the_command_line_takes(page: str, clone: Path) -> None:
    write_files(page)
    for block in BLOCKS[page]:
        for words in block.commands:
            try:
                check(words, made_by(page))
            except Exception as error:
                raise AssertionError(f"{block}: {' '.join(words)}: {error}") from error


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in WITH_COMMANDS if any(block.mark != "needs" for block in BLOCKS[page])]
)
def test_commands_without_a_mark_run(page: str, clone: Path) -> None:
    write_files(page)
    for block in BLOCKS[page]:
        if block.mark != "needs":
            for words in block.commands:
                run(block, words)


def run(block: Block, words: list[str]) -> None:
    """Runs one command; that of a mark's options which it has and was not given are added."""
    output = words[words.index(">") + 1] if ">" in words else None
    words = words[: words.index(">")] if output else words
    if words[0] == "raysl":
        done = raysl(*words[1:], *added(block, words))
        code, said, error = done.returncode, done.stdout, done.stderr
    else:
        program = {"python": [], "torchrun": ["-m", "torch.distributed.run"]}[words[0]]
        finished = subprocess.run(
            [sys.executable, *program, *words[1:]], env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        code, said, error = finished.returncode, finished.stdout, finished.stderr
    assert code == 0, f"{block}: {' '.join(words)}\n{said}{error}"
    if output:
        Path(output).write_text(said)


def added(block: Block, words: list[str]) -> Iterator[str]:
    """The options of ``<!-- run: --local --scale smoke -->`` for one command."""
    if block.mark != "run":
        return
    command, given = find_command(words[1:])
    for option in re.findall(r"--\S+(?: (?!--)\S+)*", block.value):
        name = option.split()[0]
        if name in options_of(command) and name not in given:
            yield from option.split()


@pytest.mark.parametrize("page", pages())
def test_commands_in_sentences_have_their_options(page: str) -> None:
    """`raysl run --retry-failed` in the middle of a sentence."""
    text = re.sub(r"^( *)```.*?^\1```", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`(raysl [a-z][^`]*)`", text):
        words = span.split()
        try:
            command, rest = find_command(words[1:])
        except AssertionError as error:
            raise AssertionError(f"{page}: `{span}`: {error}") from error
        unknown = {word.partition("=")[0] for word in rest if word.startswith("--")} - options_of(command)
        assert not unknown, f"{page}: `{span}`: no option {unknown}"
        if words[1] == "show" and not any(PLACEHOLDER.search(word) for word in rest):
            assert raysl(*words[1:]).returncode == 0, f"{page}: `{span}`"


NAMED = re.compile(r"`((?:raysl|tests|docs|search_spaces|benchmarks|clusters)/[\w./-]*|[\w/]+\.py)`")
WOULD_BE = re.compile(r"raysl/evaluation/protocols/nearest_mean\.py|\w+_lab/\w+\.py|test_\w+\.py")
"""What a guide names as the place of a file of its reader's, or in a package of the reader's own."""


@pytest.mark.parametrize("page", [page for page in pages() if page != "docs/fidelity.md"])
def test_files_that_are_named_are_there(page: str) -> None:
    """Code may be named by the end of its path; packages of the guides are below tests/."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in NAMED.findall(text):
        there = (ROOT / name).exists() or any(any((ROOT / top).rglob(name)) for top in ("raysl", "tests"))
        assert there or WOULD_BE.fullmatch(name), f"{page} names {name}, which is not there"


def test_a_misspelt_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for wrong, said in {
        "raysl rum quickstart": "no command raysl rum",
        "raysl run quickstart --locale": "No such option: --locale",
        "raysl run quickstrat": "quickstrat",
        "raysl run quickstart --scale lapotp": "lapotp",
        "raysl run quickstart --set training.epohcs=2": "epohcs",
        "raysl plan quickstart --root folder=x": "--root folder",
        "raysl plan quickstart --show-cell simclr": "no row simclr",
        "make demos": "Makefile has no",
        "python benchmarks/loaders.py": "no benchmarks/loaders.py",
        "python benchmarks/loader.py --fats": "no option --fats",
        "ray job submit --working-dir . -- raysl run quickstart --adress x": "--adress",
    }.items():
        (block,) = blocks("page.md", f"```\n{wrong}\n```\n")
        (words,) = block.commands
        with pytest.raises(Exception, match=re.escape(said)):
            check(words, set())


def test_blocks_are_read_as_a_shell_reads_them() -> None:
    text = (
        "<!-- needs: cloud -->\n```console\n$ raysl plan a \\\n    --cost   # why\n6 cells\n$ raysl run a > b\n```\n"
        '1. x\n   <!-- run: --local -->\n   ```\n   OPTIONS="--scale smoke"\n'
        "   raysl run a $OPTIONS && make demo\n   ```\n"
        "```\ntable: 1\n```\n"
    )
    first, second, third = blocks("page.md", text)
    assert (first.mark, first.value, first.line) == ("needs", "cloud", 2)
    assert first.commands == [["raysl", "plan", "a", "--cost"], ["raysl", "run", "a", ">", "b"]]
    assert (second.mark, second.value) == ("run", "--local")
    assert second.commands == [["raysl", "run", "a", "--scale", "smoke"], ["make", "demo"]]
    assert third.commands == []
    assert list(added(second, ["raysl", "run", "a"])) == ["--local"]
    assert list(added(second, ["raysl", "plan", "a"])) == []
    assert list(added(second, ["raysl", "run", "a", "--local"])) == []
