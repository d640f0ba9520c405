"""The fenced blocks of the documents, and the commands in them.

A block of commands that no mark stands before is run by a test, as it is. A mark is a comment in the line above it:

- ``<!-- run: --local --scale smoke -->``: run with these options added, to each command that has them;
- ``<!-- needs: WHAT -->``: not run, only read. `NEEDS` has what may be lacking.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDS = {
    "cluster": "several machines, or a Ray that others started",
    "cloud": "an account, a bucket, or the network",
    "data": "a data set that is not rendered here",
    "gpu": "a GPU",
    "time": "minutes; what it does is tested elsewhere",
    "study": "stands for any study: STUDY, CELL and the like are for the reader to replace",
}
PROGRAMS = re.compile(
    r"(raysl|make|python|pip|git|ray|torchrun|tensorboard|mkdocs|aws|gcloud|kubectl|helm|docker|sbatch|scancel|cd|export)$"
)
"""A block without a language that begins a line with one of these is one of commands."""
UNMARKED = {"docs/results.md": "data, time", "docs/tutorial.md": "time"}
"""What commands without a mark need on pages of which one is generated, the other run by a test of its own."""
SHELLS = frozenset({"bash", "console", "sh", "shell"})
_FENCE = re.compile(r"^( *)(`{3,})([^\n`]*)\n(.*?)^\1\2`*[ ]*$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!--\s*(run|needs):\s*(.*?)\s*-->\s*\Z")
_HEREDOC = re.compile(r"<<-?\s*'?(\w+)'?")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: its file, from the repository's root.
        line: of the fence.
        language: what stands behind the fence; empty without.
        mark, value: ``run`` or ``needs`` and what follows; empty without.
    """

    page: str
    line: int
    language: str
    text: str
    mark: str = ""
    value: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """Each command as its words; none where the block is something else."""
        if self.language not in SHELLS and not (self.language == "" and _begins_a_command(self.text)):
            return []
        variables: dict[str, str] = {}
        return [words for line in _lines(self.text) for words in _split(line, variables)]


def pages() -> list[str]:
    """README, CONTRIBUTING and all of docs/, from the repository's root."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return ["README.md", "CONTRIBUTING.md", *(page.relative_to(ROOT).as_posix() for page in found)]


def blocks(page: str, text: str | None = None) -> list[Block]:
    """The fenced blocks of a page, or of the text that is given as its."""
    text = (ROOT / page).read_text(encoding="utf-8") if text is None else text
    found = []
    unmarked = ("needs", UNMARKED[page]) if page in UNMARKED else ("", "")
    for fence in _FENCE.finditer(text):
        before, indent = text[: fence.start()], fence[1]
        body = "".join(line.removeprefix(indent) for line in fence[4].splitlines(keepends=True))
        mark, value = match.groups() if (match := _MARK.search(before)) else unmarked
        found.append(Block(page, before.count("\n") + 1, fence[3].strip(), body, mark, value))
    return found


def _begins_a_command(text: str) -> bool:
    for line in text.splitlines():
        words = [word for word in line.removeprefix("$ ").split() if not re.match(r"\w+=", word)]
        if words and PROGRAMS.match(words[0].removeprefix(".venv/bin/")):
            return True
    return False


def _lines(text: str) -> Iterator[str]:
    """Whole commands: continued lines joined, prompts taken off, output and the text of here-documents left out."""
    prompt = any(line.startswith("$ ") for line in text.splitlines())
    waiting, until = "", ""
    for line in text.splitlines():
        if until:
            until = "" if line.strip() == until else until
            continue
        if prompt and not waiting and not line.startswith("$ "):
            continue
        waiting += line.removeprefix("$ ") if not waiting else line
        if waiting.endswith("\\"):
            waiting = waiting[:-1] + " "
        elif _whole(waiting):
            if here := _HEREDOC.search(waiting):
                until = here[1]
            yield waiting
            waiting = ""
        else:
            waiting += "\n"


def _whole(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:  # a quotation that goes on in the next line
        return False
    return True


def _split(line: str, variables: dict[str, str]) -> Iterator[list[str]]:
    """The simple commands of a line; ``NAME=value`` is kept for later lines of the block, ``$NAME`` replaced by it.

    A redirection stays: its sign is a word, the file the next one.
    """
    for name, value in variables.items():
        line = re.sub(rf"\${name}\b", value, line)
    for inner in re.findall(r"\$\(([^()]*)\)", line):
        yield from _split(inner, {})
    line = re.sub(r"\$\([^()]*\)", "OUTPUT", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;"):
            yield from _named(words, variables)
            words = []
        else:
            words.append(word)


def _named(words: list[str], variables: dict[str, str]) -> Iterator[list[str]]:
    while words and (named := re.fullmatch(r"([A-Za-z_]\w*)=(.*)", words[0], re.DOTALL)):
        if len(words) == 1:
            variables[named[1]] = named[2]
        words = words[1:]
    if words:
        yield [words[0].removeprefix(".venv/bin/"), *words[1:]]
