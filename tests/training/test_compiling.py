"""training.compile: the same training up to rounding, the same cell, and one error where nothing can be compiled."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from raysl.config.identity import cell_id
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, NodeFault
from raysl.training.pretrain import pretrain
from tests.training.material import curves_of, final, folder_of, tiny_cell

PLAIN = {"training.steps": 3, "optimizer": {"name": "sgd", "learning_rate": {"value": 0.05, "at_batch": 4}}}
COMPILED = {**PLAIN, "training.compile": True}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_a_compiled_backbone_trains_the_same_cell(source: VideoSource, tmp_path: Path) -> None:
    ends = []
    for name, changes in (("plain", PLAIN), ("compiled", COMPILED)):
        cell = tiny_cell(**changes)
        folder = folder_of(tmp_path / name, cell, source)
        pretrain(cell, folder, source)
        provenance = folder.provenance()
        assert provenance is not None
        assert provenance["attempts"][0].get("compile", False) == (name == "compiled")
        ends.append((cell_id(cell), final(folder, cell), list(curves_of(folder)["loss/total"])))
    (one, plain, expected), (other, compiled, losses) = ends
    assert one == other
    assert losses == pytest.approx(expected, rel=1e-4)
    for name, value in plain.model.items():
        torch.testing.assert_close(value, compiled.model[name], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_without_a_compiler_it_says_so(source: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "kernels"))
    torch._dynamo.reset()
    cell = tiny_cell(**COMPILED)
    with pytest.raises(NodeFault, match=r"needs a C\+\+ compiler .*set training.compile to false \(the same cell\)"):
        pretrain(cell, folder_of(tmp_path, cell, source), source)


@pytest.mark.parametrize("changes", [{"training.workers": 2}, {"training.chunk": 2, "batch_norm_group": 2}])
def test_it_is_for_one_worker_and_whole_batches(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"training\.compile is for one worker"):
        tiny_cell(**{"training.compile": True, **changes})
