"""What a look found, and when it is a collapse."""

from __future__ import annotations

import json
import math

import pytest

from raysl.training.monitored import COLLAPSED, UNSETTLED, Monitored, last_measured

ROW = {
    "step": 8,
    "loss/total": 1.0,
    "metric/embedding_std": 0.6,
    "monitor/spread": 0.5,
    "monitor/rankme": 7.25,
    "monitor/knn_accuracy": 0.412,
    "monitor/initial_statistics": 0.0,
}


def of(**changes: float) -> Monitored:
    found = Monitored.of_row(ROW | {name.replace("__", "/"): value for name, value in changes.items()})
    assert found is not None
    return found


def test_a_healthy_one_is_not_flagged() -> None:
    assert of().collapsed == ""
    assert of().text() == "kNN 41.2 %, RankMe 7.2, spread 0.5"
    assert of(metric__embedding_std=COLLAPSED, monitor__spread=COLLAPSED).collapsed == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"monitor__spread": 0.001}, "collapsed by step 8: spread of features 0.001 (1: the whole sphere)"),
        ({"metric__embedding_std": 0.0}, "collapsed by step 8: spread of embeddings 0 (1: the whole sphere)"),
        (
            {"monitor__spread": 0.0, "metric__embedding_std": 0.003},
            "collapsed by step 8: spread of features 0, of embeddings 0.003 (1: the whole sphere)",
        ),
    ],
)
def test_a_point_is_flagged(changes: dict[str, float], said: str) -> None:
    assert of(**changes).collapsed == said
    assert of(**changes).text().endswith(", COLLAPSED")


def test_features_under_statistics_that_are_not_the_networks_yet_say_nothing_and_embeddings_do() -> None:
    early = {"monitor__spread": 0.0003, "monitor__initial_statistics": 2 * UNSETTLED}
    assert of(**early).collapsed == ""
    assert "embeddings" in of(**early, metric__embedding_std=0.0).collapsed
    assert of(**early | {"monitor__initial_statistics": UNSETTLED}).collapsed


def test_the_least_of_several_embeddings_counts() -> None:
    assert of(**{"metric/rotation_embedding_std": 0.0}).embedding == 0.0
    row = {name: value for name, value in ROW.items() if name != "metric/embedding_std"}
    alone = Monitored.of_row(row)
    assert alone is not None
    assert (alone.embedding, alone.collapsed) == (None, "")


def test_the_last_look_is_found_in_the_curves_and_goes_over_a_heartbeat() -> None:
    gap = dict.fromkeys((name for name in ROW if name.startswith("monitor/")), math.nan)
    columns = {name: [0.0, value, value] for name, value in ROW.items()} | {
        name: [math.nan, ROW[name], math.nan] for name in gap
    }
    assert Monitored.of_row(last_measured(columns)) == of()
    assert last_measured({"step": [1.0], "monitor/spread": [math.nan]}) == {}
    assert last_measured({"step": [1.0]}) == {}
    assert Monitored.of_row({}) is None
    assert Monitored.of_row(ROW | gap) is None
    assert Monitored.from_dict(json.loads(json.dumps(of().to_dict()))) == of()
    assert Monitored.from_dict({"epoch": 3}) is None
