"""``init: inflate`` in a cell: the file is needed to train, recorded, and not needed afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from raysl.config.cell import CellConfig
from raysl.config.identity import cell_id
from raysl.data.source import VideoSource
from raysl.errors import CellFailure, ConfigError
from raysl.objectives.build import build_backbone, build_objective, draw_backbone
from raysl.training.load_backbone import load_backbone
from raysl.training.pretrain import pretrain
from raysl.training.try_step import try_step
from tests.models.narrow_weights import NARROW, save_narrow_weights
from tests.training.material import assert_equal_states, folder_of, tiny_cell


def inflated_cell(**changes: Any) -> CellConfig:
    return tiny_cell(**{"backbone": NARROW, "training.steps": 1, **changes})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_narrow_weights(tmp_path_factory.mktemp("weights"))


def test_a_cell_starts_from_the_file_whatever_its_seed(weights: Path) -> None:
    cell, files = inflated_cell(), {"narrow": weights}
    backbone = build_backbone(cell, files)
    kernel = backbone.state_dict()["network.blocks.4.res_blocks.1.branch2.conv_a.weight"]
    image = torch.load(weights)["layer4.1.conv1.weight"]
    torch.testing.assert_close(kernel, image[:, :, None].expand(-1, -1, 3, -1, -1) / 3)
    assert_equal_states(
        build_backbone(inflated_cell(**{"training.seed": 5}), files).state_dict(), backbone.state_dict()
    )
    objective = build_objective(cell, range(16), 4, files=files)
    assert_equal_states(objective.backbone.state_dict(), backbone.state_dict())
    drawn = draw_backbone(cell).state_dict()
    assert not torch.equal(drawn["network.blocks.4.res_blocks.1.branch2.conv_a.weight"], kernel)


def test_random_rows_are_inflated_and_load_without_the_file(weights: Path, tmp_path: Path) -> None:
    cell = inflated_cell(pretraining="none")
    assert cell_id(cell) != cell_id(
        tiny_cell(pretraining="none", backbone={"name": "slow_r18", "width": NARROW["width"]})
    )
    folder = folder_of(tmp_path, cell, None)
    pretrain(cell, folder, None, files={"narrow": weights})
    expected = build_backbone(cell, {"narrow": weights}).state_dict()
    assert_equal_states(load_backbone(cell, folder).state_dict(), expected)


def test_training_records_the_file_and_no_path(source: VideoSource, weights: Path, tmp_path: Path) -> None:
    cell = inflated_cell()
    folder = folder_of(tmp_path, cell, source)
    pretrain(cell, folder, source, files={"narrow": weights})
    provenance = folder.provenance()
    assert provenance is not None
    (attempt,) = provenance["attempts"]
    assert attempt["inflate_from"] == "narrow"
    assert attempt["inflate_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert str(weights.parent) not in str(provenance)
    load_backbone(cell, folder)


def test_a_file_that_is_not_there_or_does_not_fit_is_refused(
    source: VideoSource, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--root narrow=FILE"):
        pretrain(inflated_cell(), folder_of(tmp_path, inflated_cell(), source), source)
    with pytest.raises(ConfigError, match="--root narrow=FILE"):
        try_step(inflated_cell(pretraining="none"), None)
    wide = inflated_cell(**{"backbone.width": 2 * NARROW["width"]})
    with pytest.raises(CellFailure, match=r"narrow: the file is no ResNet-18 of the backbone's width"):
        pretrain(wide, folder_of(tmp_path, wide, source), source, files={"narrow": weights})
    assert try_step(inflated_cell(), source, files={"narrow": weights}).loss is not None
