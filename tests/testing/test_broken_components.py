"""What `raysl.testing` is for: of a component with a fault, the test of this fault fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from raysl import testing
from raysl.config.component import KINDS, Component, find
from raysl.config.options import Options, option
from raysl.data.catalog import Catalog
from raysl.evaluation.protocol import EvaluationResult, Features
from raysl.evaluation.protocols.geometry import Geometry
from raysl.objectives.frameworks.simclr_term import SimCLR
from raysl.objectives.pretext.reverse import ReverseViews
from raysl.objectives.term import TermOutput
from raysl.testing import (
    AugmentationContract,
    BackboneContract,
    ComponentContract,
    DataSetContract,
    FeatureProtocolContract,
    FrameworkContract,
    OptimizerContract,
    PairSamplerContract,
    PretextTaskContract,
    ScheduleContract,
    TemporalLossContract,
    WindowSamplerContract,
)
from raysl.testing.data_set import touch
from raysl.testing.small_backbone import Tiny, TinyOptions
from raysl.training.schedules.constant import Constant
from raysl.views.augmentations.standard import StandardOptions
from raysl.views.augmentations.standard_augmentation import StandardAugmentation
from raysl.views.pairs.random import RandomPair
from raysl.views.task_views import VideoPlan
from raysl.views.windows.global_local import GlobalLocal
from tests.objectives.batches import SMALL

COMPONENT = "broken_lab.component"


class LooksAtOthers(Tiny):
    def forward(self, clips: Tensor) -> Tensor:
        features = super().forward(clips)
        return features + features.mean(dim=0)


class IdleLayer(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Linear(2, 2)


class Undocumented(Options):
    width: int = 3


class Unbounded(Options):
    share: float = option(0.5, doc="a share", source="ours", ge=0)


class OfItsOwnDraws(RandomPair):
    def place(self, length: int, generator: np.random.Generator) -> Any:
        return super().place(length, np.random.default_rng())


class PastTheEnd(RandomPair):
    def place(self, length: int, generator: np.random.Generator) -> Any:
        return {
            view: placement._replace(start=placement.start + 1)
            for view, placement in super().place(length, generator).items()
        }


class WindowOfItsOwnDraws(GlobalLocal):
    def place(self, length: int, generator: np.random.Generator) -> Any:
        return super().place(length, np.random.default_rng())


class AnswersOfItsOwnDraws(ReverseViews):
    def answer(self, plan: VideoPlan, view: str, generator: np.random.Generator) -> int:
        return super().answer(plan, view, np.random.default_rng())


class KeysWithoutGradient(SimCLR):
    def forward(self, features: Any, batch: Any) -> TermOutput:
        return super().forward({**features, "key": features["key"].detach()}, batch)


class RemembersAtOnce(SimCLR):
    seen: Tensor

    def __init__(self, options: Any, context: Any) -> None:
        super().__init__(options, context)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, features: Any, batch: Any) -> TermOutput:
        self.seen += 1
        return super().forward(features, batch)


class Drawn(Geometry):
    def measure(self, train: Features, test: Features, classes: tuple[str, ...], seed: int) -> EvaluationResult:
        result = super().measure(train, test, classes, seed)
        return replace(result, metrics={**result.metrics, "spread": float(np.random.default_rng().random())})


class Doubled(Constant):
    def after_warmup(self, step: int) -> float:
        return 2.0


def decays_everything(options: Any, module: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=rate, weight_decay=options.weight_decay)


def parts_a_group(options: Any) -> Any:
    reader = find("data set", "folder").build(options)
    read: Callable[[Path], Catalog] = reader.read

    def regrouped(root: Path) -> Catalog:
        catalog = read(root)
        return replace(catalog, videos=tuple(replace(video, group="one") for video in catalog.videos))

    reader.read = regrouped
    return reader


class Folder(DataSetContract):
    def fill(self, root: Path) -> None:
        touch(root, *(f"{name}/{number}.mp4" for name in "ab" for number in range(4)))


def like(kind: str, name: str, **changes: Any) -> Component:
    return replace(find(kind, name), **changes)


def of_tiny(**changes: Any) -> Component:
    return Component(**{"kind": "backbone", "options": TinyOptions, "build": lambda options: Tiny(), **changes})


BY_ITSELF = "test_features_are_nonnegative_maps_of_every_video_by_itself"
FAULTS: dict[str, tuple[Component, type[ComponentContract], str]] = {
    "of another kind": (like("schedule", "constant"), BackboneContract, "test_it_is_found_as_a_component_of_its_kind"),
    "an option without a word": (
        of_tiny(options=Undocumented),
        BackboneContract,
        "test_every_option_says_what_it_does_its_source_and_its_bounds",
    ),
    "a number without an upper bound": (
        of_tiny(options=Unbounded),
        BackboneContract,
        "test_beyond_its_bounds_a_number_is_refused_with_its_key",
    ),
    "a network that looks at other videos": (
        of_tiny(build=lambda options: LooksAtOthers()),
        BackboneContract,
        BY_ITSELF,
    ),
    "a layer that is not used": (
        of_tiny(build=lambda options: IdleLayer()),
        BackboneContract,
        "test_gradient_reaches_every_parameter",
    ),
    "a pair of its own draws": (
        like("pair sampler", "random", build=lambda options, clip: OfItsOwnDraws(clip)),
        PairSamplerContract,
        "test_equal_streams_give_equal_pairs",
    ),
    "a pair past the end": (
        like("pair sampler", "random", build=lambda options, clip: PastTheEnd(clip)),
        PairSamplerContract,
        "test_places_both_clips_inside_the_video_or_wraps",
    ),
    "a window of its own draws": (
        like("window sampler", "global_local", build=WindowOfItsOwnDraws),
        WindowSamplerContract,
        "test_equal_streams_give_equal_windows",
    ),
    "a draw for every frame": (
        like(
            "augmentation",
            "standard",
            build=lambda options, clip: StandardAugmentation(StandardOptions(temporally_consistent=False), clip),
        ),
        AugmentationContract,
        "test_one_draw_serves_all_frames",
    ),
    "answers of its own draws": (
        like("pretext task", "reverse", views=AnswersOfItsOwnDraws),
        PretextTaskContract,
        "test_equal_streams_give_equal_clips_and_answers",
    ),
    "keys without gradient": (
        like("framework", "simclr", build=KeysWithoutGradient),
        FrameworkContract,
        "test_gradient_reaches_features_and_parameters",
    ),
    "a bank that does not wait": (
        like("framework", "simclr", build=RemembersAtOnce),
        FrameworkContract,
        "test_what_outlives_a_step_gets_no_gradient_and_waits_for_its_end",
    ),
    "a result that is drawn": (
        like("protocol", "geometry", build=Drawn),
        FeatureProtocolContract,
        "test_deterministic_and_inputs_untouched",
    ),
    "a rate that is doubled": (
        like("schedule", "constant", build=Doubled),
        ScheduleContract,
        "test_factors_are_between_0_and_1_and_never_0",
    ),
    "a decay of norms": (
        like("optimizer", "sgd", build=decays_everything),
        OptimizerContract,
        "test_weight_decay_leaves_norms_and_biases_alone",
    ),
}


def contract_of(base: type[ComponentContract], monkeypatch: pytest.MonkeyPatch, component: Component) -> Any:
    """The contract for a component that is the only one of its package."""
    module: Any = ModuleType(COMPONENT)
    module.COMPONENT = component
    monkeypatch.setitem(sys.modules, COMPONENT, module)
    find.cache_clear()
    made = base()
    made.component = COMPONENT
    made.options = SMALL["simclr"] if base is FrameworkContract else {}
    return made


@pytest.mark.parametrize("fault", FAULTS)
def test_its_test_fails(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    component, base, test = FAULTS[fault]
    with pytest.raises(Exception) as caught:  # noqa: PT011  (an assertion, or what `find` says)
        getattr(contract_of(base, monkeypatch, component), test)()
    assert isinstance(caught.value, AssertionError) or "COMPONENT of kind" in str(caught.value)


def test_a_split_that_parts_a_group_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    contract = contract_of(Folder, monkeypatch, like("data set", "folder", build=parts_a_group))
    contract.fill(tmp_path)
    with pytest.raises(AssertionError):
        contract.test_splits_cover_the_videos_and_part_no_group(
            contract.found.build(contract.resolved()).read(tmp_path)
        )


def test_every_kind_has_a_contract() -> None:
    contracts = [getattr(testing, name) for name in testing.__all__]
    assert {contract.kind for contract in contracts if contract is not ComponentContract} == set(KINDS)
    assert TemporalLossContract in contracts


def test_without_pytest_one_error_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    for name in [name for name in sys.modules if name.startswith("raysl.testing")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModuleNotFoundError, match=r"raysl\.testing needs pytest: pip install 'raysl\[test\]'"):
        __import__("raysl.testing")
