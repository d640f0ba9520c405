"""Memory of the device: peaks, a process's share of it, and the real error where it is too little."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from raysl.data.source import VideoSource
from raysl.errors import NodeFault
from raysl.training.memory import GPU_SHARE, PEAK, naming_remedies
from raysl.training.precision import choose_device
from raysl.training.pretrain import pretrain
from tests.training.material import curves_of, folder_of, tiny_cell
from tests.training.steps import cell_of, learner_of


def test_curves_and_summary_have_the_peaks_of_a_gpu(device: torch.device, source: VideoSource, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, tiny_cell(), source)
    summary = pretrain(tiny_cell(), folder, source, device=device)
    curves = curves_of(folder)
    assert (PEAK in curves) == (device.type == "cuda")
    assert (summary.peak_memory_gib is None) == (device.type == "cpu")
    if device.type == "cuda":
        assert (curves[PEAK] > 0).all()
        assert summary.peak_memory_gib == curves[PEAK].max()


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_steps_of_a_gpu_are_fused(device: torch.device, name: str) -> None:
    optimizer = {"name": name, "learning_rate": {"value": 0.05, "at_batch": 16}}
    groups = learner_of(cell_of(changes={"optimizer": optimizer}), device=device).optimizer.param_groups
    assert {group["fused"] for group in groups} == {True if device.type == "cuda" else None}


def test_too_much_is_refused_with_what_to_do(device: torch.device) -> None:
    if device.type != "cuda":
        pytest.skip("the error is CUDA's")
    with (
        pytest.raises(NodeFault, match=r"training: out of memory: [\d.]+ GiB more were asked of a GPU with"),
        naming_remedies("training", tiny_cell()),
    ):
        torch.empty(2**50, dtype=torch.uint8, device=device)


def test_a_process_keeps_to_its_share(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    if device.type != "cuda":
        pytest.skip("the CPU's memory is not shared out")
    total = torch.cuda.get_device_properties(device).total_memory
    monkeypatch.setenv(GPU_SHARE, "0.25")
    choose_device(device)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(total // 3, dtype=torch.uint8, device=device)
        torch.empty(total // 10, dtype=torch.uint8, device=device)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
        torch.cuda.empty_cache()
