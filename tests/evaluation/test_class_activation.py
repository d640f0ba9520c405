"""Maps of a class's evidence: they are where it lies, and their means are the linear classifier's scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysl.config.component import find
from raysl.config.sections import ClipOptions
from raysl.data.catalog import Catalog, Video
from raysl.data.frame_cache import FrameCache
from raysl.data.manifest_types import Manifest, ManifestRow
from raysl.data.places import Places
from raysl.data.source import VideoSource
from raysl.errors import ConfigError, DataError
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.features import extract_features
from raysl.evaluation.logistic import Solver
from raysl.evaluation.protocol import EvaluationResult, Task
from raysl.evaluation.protocols.class_activation import class_maps, of_predicted, raw_weights
from raysl.models.backbone import Backbone, pool
from raysl.testing.features import toy_features
from tests.evaluation.tiny import CLIP, CPU, backbone, evaluation, open_tiny

SIZE = 32
PLACES = {0: (0, 1), 1: (1, 0)}
"""Row and column, of four places, where a class has its colour; it blinks in the second."""


class Coloured(VideoSource):
    """Videos of class 0 are red at one place, those of class 1 blue at another; both are dimmer in some videos."""

    def __init__(self, classes: int = 2) -> None:
        listed = tuple(Video(i, f"{i}.mp4", i % classes, "test" if i >= 12 else "train") for i in range(19))
        rows = tuple(ManifestRow(f"{i}.mp4", 20, 20, (0,), SIZE, SIZE, 25.0, f"{i}", False) for i in range(19))
        catalog, nowhere = Catalog("coloured", ("red", "blue"), listed), Path("nowhere")
        super().__init__(catalog, Manifest("coloured", rows), nowhere, FrameCache(nowhere, SIZE, 0))

    def frames(self, index: int, frame_indices: Sequence[int]) -> Tensor:
        label = index % 2
        pixels = torch.full((len(frame_indices), 3, 2, 2), 100, dtype=torch.uint8)
        blinks = [1.0 if label == 0 or frame % 2 else 0.0 for frame in frame_indices]
        pixels[:, 2 * label, *PLACES[label]] = (100 + (150 - index) * torch.tensor(blinks)).to(torch.uint8)
        return pixels.repeat_interleave(SIZE // 2, dim=2).repeat_interleave(SIZE // 2, dim=3)


class Pixels(Backbone):
    """Colours of each quarter."""

    feature_dim = 3

    def __init__(self, places: int = 2) -> None:
        super().__init__()
        self.places = places

    def forward(self, clips: Tensor) -> Tensor:
        return torch.nn.functional.adaptive_avg_pool3d(clips, (2, self.places, self.places))


def measured(network: Backbone, source: VideoSource, **options: Any) -> EvaluationResult:
    clip = ClipOptions(frames=8, stride=1, size=SIZE, resize=SIZE)
    protocol = find("protocol", "class_activation")
    task = Task(network, source, clip, 0, CPU)
    result: EvaluationResult = protocol.build(protocol.options(**{"c": 1.0, **options})).evaluate(task)
    return result


@pytest.mark.parametrize("clips", [1, 2])
def test_the_evidence_is_where_the_colour_of_the_class_is(clips: int) -> None:
    result = measured(Pixels(), Coloured(), clips=clips)
    assert result.metrics["top1"] == 100
    kept: Any = result.details["class_activation"]
    assert [one["video"] for one in kept] == ["12.mp4", "13.mp4", "15.mp4", "16.mp4", "18.mp4"]
    for one in kept:
        label = int(one["video"].partition(".")[0]) % 2
        values = np.array(one["map"])
        assert one["predicted"] == label
        assert values[PLACES[label]] == values.max() == 1
        assert values.min() == 0
    blinking = result.predictions["label"] == 1
    assert (result.predictions["motion_correlation"][blinking] > 90).all(), "their evidence is what changes"
    np.testing.assert_allclose(result.predictions["motion_correlation"][~blinking], 0, atol=1e-3)
    assert result.metrics["on_motion"] == pytest.approx(100 * blinking.mean())


@pytest.mark.parametrize("classes", [2, 5])
def test_means_over_places_are_the_scores_of_the_classifier(classes: int) -> None:
    train = toy_features(60, classes, signal=2.0, split="train")
    model = Solver().fit(train.values, train.label, 1.0, "standardize")
    weights, offsets = raw_weights(model)
    feature_map = torch.rand(7, train.values.shape[1], 3, 2, 4, generator=torch.Generator().manual_seed(0))
    maps = class_maps(feature_map, torch.from_numpy(weights.astype(np.float32)))
    assert maps.shape == (7, classes, 8)
    scores = maps.mean(dim=2).numpy() + offsets
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    expected = model.probabilities(pool(feature_map).numpy())
    np.testing.assert_allclose(odds / odds.sum(axis=1, keepdims=True), expected, atol=1e-5)

    clips = torch.stack([maps.flatten(1), maps.flatten(1) * 0.5], dim=1)
    both = of_predicted(torch.cat([clips, torch.ones(7, 2, 8)], dim=2), torch.from_numpy(offsets))
    best = (0.75 * maps.mean(dim=2).numpy() + offsets).argmax(axis=1)
    np.testing.assert_array_equal(both[:, 0], best)
    np.testing.assert_allclose(both[:, 1:9], 0.75 * maps[torch.arange(7), torch.from_numpy(best)], rtol=1e-5)
    assert both[:, 9:].unique().tolist() == [1.0]


def test_it_predicts_what_the_linear_probe_does(tiny_places: Places) -> None:
    wanted = {
        "own": evaluation("class_activation", "own", clips=2, c=0.1),
        "probe": evaluation("linear", "probe", clips=2, c=0.1),
    }
    found: dict[str, EvaluationResult] = {}
    evaluate(
        backbone(),
        wanted,
        CLIP,
        lambda one: open_tiny(tiny_places),
        seed=0,
        device=CPU,
        on_result=lambda name, result, snapshot: found.update({name: result}),
    )
    own, probe = (found[name].predictions for name in ("own", "probe"))
    assert own["predicted"].tolist() == probe["predicted"].tolist()
    assert found["own"].metrics["top1"] == found["probe"].metrics["top1"]


def test_c_is_chosen_as_the_probes(tiny_places: Places) -> None:
    source = open_tiny(tiny_places)
    train = extract_features(backbone(), source, "train", CLIP, 1, device=CPU)
    protocol = find("protocol", "class_activation").build(find("protocol", "class_activation").options())
    details = protocol._classifier(train, 0)[3]
    assert str(details["c"]) in details["cross_validation"]


def test_one_class_and_one_place_are_refused() -> None:
    with pytest.raises(DataError, match="of one class"):
        measured(Pixels(), Coloured(classes=1))
    with pytest.raises(ConfigError, match=r"1 position\(s\) to compare"):
        measured(Pixels(places=1), Coloured())
