"""The contract of every protocol that comes with raysl; a new one inherits it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raysl.config.component import find, names
from raysl.evaluation.feature_protocol import FeatureOptions
from raysl.evaluation.network_protocol import NetworkOptions
from raysl.evaluation.per_clip_protocol import PerClipOptions
from raysl.testing import FeatureProtocolContract, PerClipProtocolContract, ProtocolContract
from raysl.testing.evaluated import CLIP
from tests.search_spaces.image_weights import FLOW, save_flow_weights

SMALL: dict[str, dict[str, Any]] = {
    "finetune": {"epochs": 1, "batch_size": 4, "clips": 1},
    "linear_trained": {"epochs": 1, "batch_size": 4, "clips": 1},
    "transfer": {"epochs": 1, "batch_size": 4, "task": {"reverse": {}}},
    "retrieval": {"k": [1, 4, 9]},
    "similarity": {"distances": [0.1, 0.2, 0.4]},
    "timesteps": {"steps": 2},
    "motion_difference": {
        "task": {"reverse": {}},
        "weights": FLOW,
        "network": "small",
        "updates": 1,
        "pairs": 1,
        "videos": 2,
    },
}
"""Options with which a protocol measures all that it can on twelve training videos of six classes, in a second."""

TO_TRAIN: dict[str, dict[str, Any]] = {
    "transfer": {"task": {"rotation": {}}},
    "detection": {"batch_size": 4},
    "motion_difference": {"videos": 1},
    "similarity": {"distances": (0.2,)},
}
"""Options with which a protocol fits eight training videos of two classes."""

CELLS: dict[str, dict[str, Any]] = {
    "classifier": {"pretraining": "supervised"},
    "timesteps": {"clip.frames": 16},
    "detection": {"pretraining": "none"},
    "frame_map": {"pretraining": "supervised", "supervised.target": "boxes"},
}
"""What else of a cell a protocol asks for."""

IN_TIME = CLIP.model_copy(update={"frames": 16, "stride": 1})
"""Clips of which the small backbone leaves two time steps."""

KINDS_OF_OPTIONS = (FeatureOptions, PerClipOptions, NetworkOptions)


def of_kind(options: type) -> list[str]:
    return [name for name in names("protocol") if issubclass(find("protocol", name).options, options)]


@pytest.fixture(scope="module")
def raft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_flow_weights(tmp_path_factory.mktemp("raft"))


class OfRaysl(ProtocolContract):
    """One of those that come with raysl."""

    def use(self, name: str) -> None:
        self.component, self.changes = name, CELLS.get(name, {})
        self.options, self.options_to_train = SMALL.get(name, {}), TO_TRAIN.get(name, {})
        if name == "timesteps":
            self.clip = IN_TIME

    @pytest.fixture
    def files(self, raft: Path) -> dict[str, Path]:
        return {FLOW: raft}


class TestOnFeatures(OfRaysl, FeatureProtocolContract):
    @pytest.fixture(autouse=True, params=of_kind(FeatureOptions))
    def one(self, request: pytest.FixtureRequest) -> None:
        self.use(request.param)
        self.percent = self.component != "geometry"
        if self.component == "tsne":
            self.chance_videos = 200
        folds = "folds" in self.found.options.model_fields  # of a cross-validation
        self.options_of_toys = {"folds": 2} if folds else {}


class TestOnClips(OfRaysl, PerClipProtocolContract):
    @pytest.fixture(autouse=True, params=of_kind(PerClipOptions))
    def one(self, request: pytest.FixtureRequest) -> None:
        self.use(request.param)
        if self.component == "class_activation":  # it learns
            self.reads_first = "train", 15


class TestOthers(OfRaysl):
    @pytest.fixture(
        autouse=True, params=sorted({*names("protocol")} - {*of_kind(FeatureOptions), *of_kind(PerClipOptions)})
    )
    def one(self, request: pytest.FixtureRequest) -> None:
        self.use(request.param)


@pytest.mark.parametrize("name", names("protocol"))
def test_options_extend_those_of_one_kind(name: str) -> None:
    without_network = name == "motion_difference"
    kinds = sum(issubclass(find("protocol", name).options, kind) for kind in KINDS_OF_OPTIONS)
    assert kinds == (not without_network)
