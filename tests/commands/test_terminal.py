"""Names, titles, paths and reasons are shown as written, by every command and in any encoding."""

from __future__ import annotations

import csv
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rich.table import Table

from raysl.commands.display import Display
from raysl.commands.terminal import PlainConsole, encodable
from raysl.errors import printable
from raysl.reports.text import escaped
from raysl.work.events import Note, Overview, Reading, Running
from tests.data.rendered import moving_square, write_video
from tests.planning.studies import STUDY, write_study
from tests.test_cli import raysl

MARKUP = "lr [bold]0.1[/bold] [/red] [@click=x] [link=y]"
EMOJI_CODE = "key:value :warning: :smile:"
FAMILY = "Ünï 日本語 👩‍👩‍👧 e\u0301"
CURSOR = "up\x1b[2A\x1b]0;title\x07 back\x08 line\r\nend\t\x9b1m \u202egnp.exe\u2066 \u2028"
NAMES = {"markup": MARKUP, "code": EMOJI_CODE, "any": FAMILY, "cursor": CURSOR}


def written_study(folder: Path, title: str = "A test") -> Path:
    """A study whose rows have the names above."""
    rows = {name: {"objective.contrastive.temperature": 0.1 + n / 10} for n, name in enumerate(NAMES.values())}
    document = {**yaml.safe_load(STUDY), "title": title, "rows": rows, "baseline": MARKUP, "seeds": [0]}
    return write_study(folder, yaml.safe_dump(document, allow_unicode=True))


def unsafe(text: str) -> set[str]:
    """Control characters and direction marks that are in a text as they are; a line's end is the command's."""
    return {one for one in text if one != "\n" and not one.isprintable() and one not in "\u200d "}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("C:\\new [x] ~%", "C:\\new [x] ~%"),
        ("a\x1b[31mb\x7f", "a\\x1b[31mb\\x7f"),
        ("\x00\t\v\f\x85", "\\x00\\t\\x0b\\x0c\\x85"),
        ("\u200emp4.\u202cx\u2067", "\\u200emp4.\\u202cx\\u2067"),
        ("نمی\u200cخواهم ก็ 👨🏽‍🚀", "نمی\u200cخواهم ก็ 👨🏽‍🚀"),
        (os.fsdecode(b"stra\xdfe.avi"), "stra\\xdfe.avi"),
        ("\ud83d", "\\ud83d"),
        ("a\u00a0b\u3000c\ufeff\u00ad", "a\u00a0b\u3000c\\ufeff\\xad"),
    ],
)
def test_what_moves_the_cursor_is_escaped_and_the_rest_as_written(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "5 ± 1 → ł 😀"),
        ("latin-1", "5 ± 1 -> \\u0142 \\U0001f600"),
        ("cp1250", "5 ± 1 -> ł \\U0001f600"),
        ("ascii", "5 +- 1 -> \\u0142 \\U0001f600"),
    ],
)
def test_what_the_output_cannot_encode_is_replaced_visibly(encoding: str, shown: str) -> None:
    assert encodable("5 ± 1 → ł 😀", encoding) == shown
    buffer = io.BytesIO()
    console = PlainConsole(file=io.TextIOWrapper(buffer, encoding=encoding, write_through=True))
    table = Table("row", title="– a title")
    table.add_row("5 ± 1 → ł 😀")
    console.print(table)
    text = buffer.getvalue().decode(encoding)
    assert shown in text
    assert ("+--" in text) == (encoding != "utf-8"), "borders that the encoding has"


def test_the_console_takes_every_string_as_text() -> None:
    out = io.StringIO()
    console = PlainConsole(file=out)
    table = Table("row", title=MARKUP, caption=EMOJI_CODE)
    for name in NAMES.values():
        table.add_row(name)
        console.print(name, style="yellow")
    console.print(table)
    console.print_lines(f"{MARKUP}\n{EMOJI_CODE}\n")
    text = out.getvalue()
    assert (text.count(MARKUP), text.count(EMOJI_CODE), text.count(FAMILY)) == (4, 4, 2)
    assert text.count(printable(CURSOR)) == 2
    assert not unsafe(text)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_shows_names_as_written(terminal: bool) -> None:
    out = io.StringIO()
    names = list(NAMES.values())
    running = tuple(Running(f"{name}/seed0", "pretraining", 1.0, None) for name in names)
    with Display(PlainConsole(file=out, force_terminal=terminal, width=500, color_system=None)) as display:
        display(Overview(1.0, 0, 0, 0, 4, running, None))
        display(Reading(MARKUP, "reading", 1, 2))
        for name in names:
            display(Note(f"data set {name}"))
    text = out.getvalue()
    for name in names:
        assert f"data set {printable(name)}" in text
        assert f"{printable(name)}/seed0" in text
    assert "\x1b[2A\x1b]0" not in text
    assert not unsafe(text) - ({"\x1b", "\r"} if terminal else set())


def test_plan_status_and_report_show_names_as_written(tmp_path: Path) -> None:
    study = written_study(tmp_path, title=f"{MARKUP} {EMOJI_CODE} {CURSOR}")
    places = ("--storage", tmp_path / "store [/x]", "--cache", tmp_path / "cache")
    reports = tmp_path / "reports [/y] :smile:"
    done = {
        "plan": raysl("plan", study, "--cache", tmp_path / "cache"),
        "status": raysl("status", study, *places),
        "report": raysl("report", study, *places, "--reports", reports),
        "export": raysl("export", study, *places, "--to", tmp_path / "slim [/z]"),
    }
    for name, one in done.items():
        assert (one.returncode, one.stderr) == (0, ""), name
        assert not unsafe(one.stdout), name
    squeezed = {name: "".join(one.stdout.split()) for name, one in done.items()}
    for name in NAMES.values():
        assert printable(name) in done["plan"].stdout, name
        assert escaped(name) in done["report"].stdout, "a report is Markdown, on a terminal too"
    assert "scalepaper]" in squeezed["plan"]
    assert "[study,scalepaper]" in squeezed["status"]
    assert str(reports / "study" / "table.md") in done["report"].stdout
    assert "slim [/z]" in done["export"].stdout
    table = (reports / "study" / "table.md").read_text()
    assert not unsafe(table)
    assert table.count(escaped(CURSOR)) >= 4, "title, results, cells, changes"
    rows = list(csv.DictReader((reports / "study" / "table.csv").open(newline="")))
    assert {row["row"] for row in rows} == set(NAMES.values()), "data is not escaped"


def test_a_resolved_cell_is_read_back_whatever_its_name_is(tmp_path: Path) -> None:
    study = written_study(tmp_path)
    assert yaml.safe_load(raysl("plan", study, "--show-cell", CURSOR).stdout)["objective"]["contrastive"]


def test_errors_are_one_line_with_names_as_written(tmp_path: Path) -> None:
    for name in NAMES.values():
        done = raysl("plan", tmp_path / name.replace("\x00", ""))
        assert done.returncode == 2
        assert printable(name) in done.stderr
        assert done.stderr.count("\n") == 1
        assert not unsafe(done.stderr)


def test_data_check_shows_names_as_written(tmp_path: Path) -> None:
    root = tmp_path / "root [x]"
    for name in ("wa[", ":tada:", "up\x1b[1A\u202d", "日本"):
        for clip in ("run] [red]", "b\n"):
            write_video(root / name / f"{clip}.mp4", moving_square(4, 16, 16, seed=len(name)))
    (root / "wa[" / "c\x1bc].mp4").write_bytes(b"")
    (root / "wa[" / "run] [red].mp4").write_bytes(b"")
    files = ("--videos", tmp_path / "videos [v].csv", "--missing", tmp_path / "missing\x1b[1A.txt")
    places = ("--root", f"folder={root}", "--cache", tmp_path / "cache")
    done = raysl("data", "check", "folder", *places, "--processes", "1", *files)
    assert (done.returncode, done.stderr) == (0, "")
    assert not unsafe(done.stdout)
    for shown in (
        "wa[/run] [red].mp4",
        r"wa[/c\x1bc].mp4",
        ":tada: ",
        r"up\x1b[1A\u202d ",
        "videos [v].csv",
        r"g\x1b[1A.t",
    ):
        assert shown in done.stdout
    rows = list(csv.DictReader((tmp_path / "videos [v].csv").open(newline="")))
    assert "up\x1b[1A\u202d/b\n.mp4" in {row["path"] for row in rows}


def test_a_root_whose_name_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"r\xf6ot")
    root.mkdir()
    done = raysl("data", "check", "folder", "--root", f"folder={root}", "--cache", tmp_path / "cache")
    assert (done.returncode, done.stdout) == (1, "")
    assert r"r\xf6ot: the name is not valid UTF-8" in done.stderr


SHOWN, REPORT = ["plan", "--show-cell", FAMILY], ["report", "--reports", "r"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "command"),
    [
        ({"PYTHONIOENCODING": "ascii"}, SHOWN),
        ({"PYTHONIOENCODING": "cp1252"}, REPORT),
        ({"LC_ALL": "C"}, REPORT),
    ],
)
def test_commands_end_well_where_output_is_not_utf8(
    variables: dict[str, str], command: list[str], tmp_path: Path
) -> None:
    study = written_study(tmp_path, title="Größe – “α” 日本")
    given = [sys.executable, "-m", "raysl", command[0], str(study), *command[1:]]
    environment = {**os.environ, **variables}
    done = subprocess.run(given, capture_output=True, env=environment, cwd=tmp_path, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    if "PYTHONIOENCODING" in variables:
        assert b"\\u65e5" in done.stdout
        done.stdout.decode(variables["PYTHONIOENCODING"])


@pytest.mark.slow
def test_an_output_that_takes_nothing_and_a_working_folder_that_is_gone_are_said(tmp_path: Path) -> None:
    study, gone = written_study(tmp_path), tmp_path / "gone"
    gone.mkdir()
    command = f"{shlex.quote(sys.executable)} -m raysl plan {shlex.quote(str(study))}"
    for given, message in (
        (f"{command} > /dev/full", "error: standard output cannot be written: No space left on device\n"),
        (
            f"cd {shlex.quote(str(gone))}; rmdir {shlex.quote(str(gone))}; {command}",
            "error: the working folder is gone",
        ),
    ):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            ["sh", "-c", given], capture_output=True, text=True, env=environment, timeout=300, check=False
        )
        assert (done.returncode, done.stderr.startswith(message)) == (1, True), done.stderr
