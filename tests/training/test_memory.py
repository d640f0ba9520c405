"""Peaks of memory in what is shown and stored, and what an error of too little memory becomes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.data.source import VideoSource
from raysl.engine.cells import crew
from raysl.errors import NodeFault
from raysl.training import loop, memory
from raysl.training.curves import Curves
from raysl.training.events import Events
from raysl.training.learner import Learner
from raysl.training.memory import PEAK, naming_remedies, next_chunk, peak_columns, remedies
from raysl.training.pretrain import pretrain
from raysl.training.progress import Progress
from raysl.training.try_step import try_step
from tests.training.material import curves_of, folder_of, tiny_cell

MESSAGE = (
    "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 10.31 MiB is "
    "free. Including non-PyTorch memory, this process has 79.13 GiB memory in use. Of the allocated memory 78.51 GiB "
    "is allocated by PyTorch, and 94.93 MiB is reserved by PyTorch but unallocated."
)


def out_of_memory(*_: object, **__: object) -> None:
    raise torch.OutOfMemoryError(MESSAGE)


@pytest.mark.parametrize("attempt", ["pretrain", "try_step"])
def test_training_out_of_memory_says_what_to_do(
    attempt: str, source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Learner, "take", out_of_memory)
    cell = tiny_cell(**{"batch_norm_group": 2, "training.batch_size": 8})
    tried: dict[str, Callable[[], Any]] = {
        "pretrain": lambda: pretrain(cell, folder_of(tmp_path, cell, source), source),
        "try_step": lambda: try_step(cell, source),
    }
    with pytest.raises(
        NodeFault, match=r"out of memory: 20\.00 MiB more were asked of a GPU with 79\.15 GiB"
    ) as caught:
        tried[attempt]()
    said = str(caught.value)
    assert "10.31 MiB free" in said
    assert "set training.chunk to 4 (the same cell" in said
    assert "set training.workers to 2" in said
    assert "training.precision to auto" in said
    assert caught.value.may_pass


@pytest.mark.parametrize(
    ("group", "chunk", "expected"), [("batch", None, None), (2, None, 4), (2, 4, 2), (2, 2, None), (8, None, None)]
)
def test_the_chunk_that_is_named_is_one_that_the_cell_takes(
    group: int | str, chunk: int | None, expected: int | None
) -> None:
    given = {"batch_norm_group": group, "training.batch_size": 8}
    assert next_chunk(tiny_cell(**given, **({} if chunk is None else {"training.chunk": chunk}))) == expected
    if expected is not None:
        assert tiny_cell(**given, **{"training.chunk": expected}).training.chunk_in_use == expected


def test_remedies_are_of_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tiny_cell(**{"training.precision": "auto"})
    assert remedies(whole, trains=True)[-1].startswith("lower training.batch_size")
    assert not any("precision" in hint for hint in remedies(whole, trains=True))
    monkeypatch.setenv(memory.GPU_SHARE, "0.25")
    shared = remedies(whole, trains=False)
    assert shared == [
        "give a worker more than 0.25 of a GPU (--gpus-per-worker)",
        "lower the evaluation's clips of a video (another evaluation)",
    ]


def test_another_message_is_given_as_it_is() -> None:
    with (
        pytest.raises(NodeFault, match="an evaluation: out of memory: HIP is full: lower"),
        naming_remedies("an evaluation", tiny_cell(**{"training.precision": "auto"}), trains=False),
    ):
        raise torch.OutOfMemoryError("HIP is full. And more.")


def test_the_peak_of_a_gpu_is_in_curves_progress_and_summary(
    source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = iter([1.5, 2.5, 2.0, 1.0, 1.0, 1.0])
    monkeypatch.setattr(loop, "peak_columns", lambda device: {PEAK: next(peaks)})
    seen: list[Progress] = []
    folder = folder_of(tmp_path, tiny_cell(), source)
    summary = pretrain(tiny_cell(), folder, source, on_progress=seen.append)
    assert list(curves_of(folder)[PEAK]) == [1.5, 2.5, 2.0, 1.0, 1.0, 1.0]
    assert summary.peak_memory_gib == 2.5
    assert folder.state().progress["peak_memory_gib"] == 2.5
    assert "clips/s, 2.5 GiB of GPU memory" in seen[-1].line()


def test_there_is_none_on_the_cpu(source: VideoSource, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, tiny_cell(), source)
    summary = pretrain(tiny_cell(), folder, source)
    assert PEAK not in curves_of(folder)
    assert "peak_memory_gib" not in summary.to_dict()
    assert peak_columns(torch.device("cpu")) == {}


def test_curves_go_on_where_a_gpu_was_before() -> None:
    curves, events = Curves({"step": [1.0], PEAK: [3.0]}), Events()
    curves.add({"step": 2.0})
    assert curves.largest(PEAK) == 3.0
    assert len(curves.frame()) == 2
    events.add(curves.last())
    _, content = events.unsaved() or ("", b"")
    assert PEAK.encode() not in content
    curves = Curves({"step": [1.0]})
    curves.add({"step": 2.0, PEAK: 3.0})
    assert curves.largest(PEAK) == 3.0


@pytest.mark.parametrize(("gpus", "share"), [(0.25, "0.25"), (1.0, "1"), (2.0, "1"), (None, "1")])
def test_a_process_of_a_trial_knows_its_share(gpus: float | None, share: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(crew.GPU_SHARE, "before")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    crew.settle(crew.Team(1, {"CPU": 1.0} | ({} if gpus is None else {"GPU": gpus}), {}))
    assert crew.GPU_SHARE == memory.GPU_SHARE
    assert os.environ[crew.GPU_SHARE] == share
