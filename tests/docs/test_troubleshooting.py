"""The messages in docs/troubleshooting.md are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.messages import PAGE, is_said, messages, nearest
from tests.test_cli import raysl

MESSAGES, EXAMPLES = messages(), messages("<!-- for example -->")


@pytest.mark.parametrize("message", MESSAGES, ids=[message[:40] for message in MESSAGES])
def test_a_message_is_one_of_the_code(message: str) -> None:
    if not is_said(message):
        pytest.fail(
            f"{PAGE}: nothing in raysl says {message!r}; nearest: {nearest(message)!r} (tests/docs/messages.py)"
        )


def test_a_message_that_nobody_says_is_told() -> None:
    assert not is_said("no root was lent for the data set …")
    assert not is_said("… … …")
    assert (nearest("no such bucket or folder: it was moved") or "") not in MESSAGES


STUDY = """\
title: own
base: {base}
data: folder
rows: {{plain: {{}}, other: {row}}}
baseline: plain
evaluations: [linear/folder]
"""
BATCH = "{training.batch_size: 8}"


@pytest.mark.parametrize(
    ("base", "row", "options", "part"),
    [
        ("simclr", "{training.epohcs: 2}", "", "unknown key"),
        ("simclr", "{objective.contrastive.temperature: 0.1}", "", "is the same computation as row"),
        ("simclr", BATCH, "--root fodler=.", "nothing in these studies"),
        ("simclr", BATCH, "--try-step --root folder=/none/my_videos", "/none/my_videos"),
        ("simclr", BATCH, "--try-step --root folder=flat", "in no class folder"),
        ("simclr", BATCH, "--scale lapotp", "no such scale"),
        ("simcrl", BATCH, "", ".yaml"),
        ("simclr", BATCH, "--set training.batch_size=64", "makes the rows"),
    ],
)
def test_a_mistake_is_said_as_on_the_page(
    base: str, row: str, options: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYSL_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("RAYSL_CACHE", str(tmp_path / "cache"))
    Path("flat").mkdir()
    for name in ("a.mp4", "b.mp4"):
        Path("flat", name).write_bytes(b"")
    Path("own.yaml").write_text(STUDY.format(base=f"recipes/{base}", row=row))
    done = raysl("plan", "own.yaml", *options.split())
    (message,) = [message for message in MESSAGES + EXAMPLES if part in message]
    assert re.search(re.escape(message).replace("…", ".*"), done.stdout + done.stderr), done.stdout + done.stderr
    assert done.returncode != 0


def test_what_the_system_says_is_marked() -> None:
    assert messages("<!-- said by: the system -->") == ["Too many open files"]
    assert len(EXAMPLES) == 1, "each is made by the test above"


def test_a_store_in_a_misspelt_bucket_is_said_as_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = raysl("status", "quickstart", "--scale", "smoke", "--storage", "s3:/bucket/store")
    (message,) = [message for message in MESSAGES if "neither a folder" in message]
    assert re.search(re.escape(message).replace("…", ".*"), done.stderr), done.stderr
    assert done.returncode != 0
