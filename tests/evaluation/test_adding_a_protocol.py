"""docs/adding-a-protocol.md shows a file that is run here, from another package than raysl."""

from __future__ import annotations

from pathlib import Path

from raysl.config.load import evaluation_from
from raysl.data.source import VideoSource
from raysl.evaluation.evaluate import evaluate
from raysl.testing.features import class_names, toy_features
from tests.evaluation.nearest_mean import NearestMean, NearestMeanOptions
from tests.evaluation.tiny import CLIP, CPU, backbone

GUIDE = Path(__file__).parents[2] / "docs" / "adding-a-protocol.md"


def test_the_guide_shows_the_file_as_it_is() -> None:
    shown = GUIDE.read_text().partition("```python\n")[2].partition("```")[0]
    assert shown == Path(__file__).with_name("nearest_mean.py").read_text()


def test_it_measures_and_is_found_by_its_import_path(tiny: VideoSource) -> None:
    train, test = (toy_features(60, 4, signal=8.0, split=split) for split in ("train", "test"))
    for metric in ("cosine", "euclidean"):
        options = NearestMeanOptions.model_validate({"metric": metric})
        assert NearestMean(options).on_features(train, test, class_names(4), 0).metrics["top1"] > 95
    protocol = {"name": "tests.evaluation.nearest_mean", "clips": 2}
    mine = evaluation_from({"label": "mine", "protocol": protocol, "data": {"name": "synthetic"}}, "test")
    found = evaluate(backbone(), {"mine": mine}, CLIP, lambda _: tiny, seed=0, device=CPU)["mine"]
    assert len(found.predictions) == 9
    assert found.details["clips_per_video"] == 2
