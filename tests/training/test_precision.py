"""Which arithmetic ``auto`` means, the same on every rank."""

from __future__ import annotations

import pytest
import torch

from raysl.errors import ConfigError
from raysl.testing.ranks import run_ranks
from raysl.training.precision import (
    autocast,
    choose_device,
    multiplies_bfloat16,
    multiplies_bfloat16_wrongly,
    resolve_precision,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(("native", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_follows_the_device(monkeypatch: pytest.MonkeyPatch, native: bool, expected: str) -> None:
    monkeypatch.setattr("raysl.training.precision.multiplies_bfloat16", lambda device: native)
    assert resolve_precision("auto", CPU) == expected
    assert resolve_precision("float32", CPU) == "float32"


@pytest.mark.parametrize(
    ("amx", "avx512", "native", "wrong"), [(0, 0, False, False), (1, 1, True, False), (0, 1, False, True)]
)
def test_a_cpu_multiplies_it_with_amx_alone(
    monkeypatch: pytest.MonkeyPatch, amx: int, avx512: int, native: bool, wrong: bool
) -> None:
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: bool(amx))
    monkeypatch.setattr("torch.cpu._is_avx512_supported", lambda: bool(avx512))
    assert multiplies_bfloat16(CPU) is native
    assert multiplies_bfloat16_wrongly(CPU) is wrong
    if wrong:
        with pytest.raises(ConfigError, match=r"wrong gradients in bfloat16; set training\.precision"):
            resolve_precision("bfloat16", CPU)
    else:
        assert resolve_precision("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_multiplies_it_from_sm80_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: bool
) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    assert multiplies_bfloat16(torch.device("cuda", 0)) is expected


def _mixed(rank: int) -> str:
    patch = pytest.MonkeyPatch()
    patch.setattr("raysl.training.precision.multiplies_bfloat16", lambda device: rank == 0)
    return resolve_precision("auto", CPU)


@pytest.mark.slow
def test_ranks_agree() -> None:
    assert run_ranks(_mixed, 2) == ["float32", "float32"]


def test_autocast_is_on_for_bfloat16_alone() -> None:
    layer = torch.nn.Linear(2, 2)
    with autocast(CPU, "bfloat16"):
        assert layer(torch.ones(1, 2)).dtype == torch.bfloat16
    with autocast(CPU, "float32"):
        assert layer(torch.ones(1, 2)).dtype == torch.float32


def test_a_device_that_is_named_is_taken() -> None:
    assert choose_device("cpu") == CPU
