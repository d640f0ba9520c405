"""What the cells of a cluster say, put together in one actor; here the class itself, without Ray."""

from __future__ import annotations

import asyncio

import pytest

from raysl.engine.progress.board import Board


def test_a_stage_begins_where_it_changes_and_not_where_it_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 20.0, 3600.0, 3605.0])
    monkeypatch.setattr("raysl.engine.progress.board.time.time", lambda: next(clock))
    board = Board()

    async def say() -> list[tuple[str, float | None]]:
        said = []
        for stage in ("starting", "pretraining", "evaluating", "evaluating"):
            await board.post("cell", stage=stage)
            one = (await board.read()).cells["cell"]
            said.append((one.stage, one.staged))
        return said

    assert asyncio.run(say()) == [
        ("starting", None),
        ("pretraining", 20.0),
        ("evaluating", 3600.0),
        ("evaluating", 3600.0),
    ]
