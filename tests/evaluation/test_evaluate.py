from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from torch import Tensor

from raysl.config.component import Chosen, find
from raysl.config.evaluation import EvaluationConfig
from raysl.config.identity import evaluation_id, resolved
from raysl.config.options import Options
from raysl.data.snapshot import Snapshot
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, DataError, NodeFault, StorageError
from raysl.evaluation.evaluate import evaluate, record
from raysl.evaluation.protocol import EvaluationResult
from raysl.models.backbone import Backbone
from tests.evaluation.tiny import CLIP, CPU, DATA, UNREADABLE, backbone, chosen, evaluation

EVALUATIONS = [
    evaluation("linear", "linear/synthetic", clips=2),
    evaluation("retrieval", "retrieval/synthetic", clips=2),
    evaluation("linear", "linear/synthetic/fixed", clips=2, c=1.0, normalize="l2"),
    evaluation("linear", "linear/synthetic/3clips", clips=3, c=1.0),
]
NAMED = {config.label: config for config in EVALUATIONS}


class Counting(Backbone):
    """Counts the clips that a backbone is given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = backbone()
        self.feature_dim = self.inner.feature_dim
        self.clips = 0

    def forward(self, clips: Tensor) -> Tensor:
        self.clips += len(clips)
        return self.inner(clips)


def run(
    network: Backbone, evaluations: list[EvaluationConfig], source: VideoSource, **options: Any
) -> dict[str, EvaluationResult]:
    named = {config.label: config for config in evaluations}
    return evaluate(network, named, CLIP, lambda _: source, seed=0, device=CPU, batch_clips=4, **options)


@pytest.mark.slow
def test_results_by_label_from_shared_features(tiny: VideoSource) -> None:
    network, opened = Counting(), []

    def open_source(config: EvaluationConfig) -> VideoSource:
        opened.append(config.label)
        return tiny

    results = evaluate(network, NAMED, CLIP, open_source, seed=0, device=CPU)
    assert list(results) == [config.label for config in EVALUATIONS]
    assert opened == ["linear/synthetic"]
    assert network.clips == (14 + 9) * (2 + 3)
    for result in results.values():
        assert result.predictions["video"].tolist() == [video.index for video in tiny.catalog.split("test")]
        assert result.details["train_videos"] == 14
        assert result.details["test_videos"] == 9
        unreadable = result.details["unreadable"]
        assert isinstance(unreadable, dict)
        assert list(unreadable["train"]) == [tiny.catalog.videos[UNREADABLE].path]
        assert unreadable["test"] == {}
        assert {"seconds_features", "seconds_protocol"} <= set(result.details)
    alone = run(backbone(), EVALUATIONS[1:2], tiny)["retrieval/synthetic"]
    pd.testing.assert_frame_equal(alone.predictions, results["retrieval/synthetic"].predictions)


def test_record_is_plain_json(tiny: VideoSource) -> None:
    config = EVALUATIONS[0]
    result = run(backbone(), [config], tiny)[config.label]
    kept = record(result, config, tiny.snapshot)
    assert json.loads(json.dumps(kept)) == kept
    assert kept["id"] == evaluation_id(config)
    assert kept["label"] == "linear/synthetic"
    assert kept["metrics"] == result.metrics
    assert kept["headline"] == "top1"
    assert kept["n_test"] == 9
    assert kept["data"]["snapshot"] == tiny.snapshot.hashes.snapshot
    assert kept["evaluation"]["protocol"]["grid"] == [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0]
    assert kept["versions"] == {"protocol": find("protocol", "linear").version, "data": DATA.component.version}
    odd = EvaluationResult({"top1": float("nan")}, result.predictions, {})
    with pytest.raises(ValueError, match="JSON"):
        record(odd, config, tiny.snapshot)


def test_a_failing_evaluation_does_not_cost_the_others(tiny: VideoSource) -> None:
    impossible = evaluation("retrieval", "retrieval/impossible", clips=2, k=(1000,))
    stored: list[str] = []

    def keep(name: str, result: EvaluationResult, snapshot: Snapshot) -> None:
        assert snapshot is tiny.snapshot
        stored.append(name)

    failed: list[tuple[str, str]] = []
    with pytest.raises(DataError, match="smallest k of retrieval, 1000"):
        run(
            backbone(),
            [impossible, *EVALUATIONS[1:]],
            tiny,
            on_result=keep,
            on_failure=lambda name, error: failed.append((name, str(error))),
        )
    assert [label for label, _ in failed] == ["retrieval/impossible"]
    assert "smallest k of retrieval, 1000" in failed[0][1]
    assert stored == [config.label for config in EVALUATIONS[1:]]


def test_data_that_cannot_be_opened_is_a_fault_of_the_machine(tiny: VideoSource) -> None:
    stored: list[str] = []

    def open_source(config: EvaluationConfig) -> VideoSource:
        if config.label == "linear/synthetic/3clips":
            raise DataError("no root was given")
        return tiny

    elsewhere = chosen("data set", "synthetic", **{**resolved(DATA.options), "frames": 20})
    wanted = {name: config for name, config in NAMED.items() if name != "linear/synthetic"}
    wanted["linear/synthetic/3clips"] = wanted["linear/synthetic/3clips"].model_copy(update={"data": elsewhere})
    with pytest.raises(NodeFault, match="no root was given"):
        evaluate(
            backbone(),
            wanted,
            CLIP,
            open_source,
            seed=0,
            device=CPU,
            on_result=lambda name, *_: stored.append(name),
            on_failure=lambda name, error: stored.append(f"{type(error).__name__} {name}"),
        )
    assert stored == ["retrieval/synthetic", "linear/synthetic/fixed", "NodeFault linear/synthetic/3clips"]


def test_a_store_that_cannot_be_written_ends_it_at_once(tiny: VideoSource) -> None:
    calls: list[str] = []

    def keep(name: str, *_: object) -> None:
        calls.append(name)
        raise StorageError("disk full")

    with pytest.raises(StorageError, match="disk full"):
        run(backbone(), EVALUATIONS, tiny, on_result=keep)
    assert calls == ["linear/synthetic"]


def test_protocol_with_foreign_options_is_refused(tiny: VideoSource) -> None:
    config = EvaluationConfig(label="odd", protocol=Chosen("protocol", "linear", Options()), data=DATA)
    with pytest.raises(ConfigError, match="must extend"):
        run(backbone(), [config], tiny)
