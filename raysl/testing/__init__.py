"""Contract tests for components: a class for each kind, which the test of a component inherits.

    from raysl.testing import PretextTaskContract

    class TestFade(PretextTaskContract):
        component = "my_lab.fade"

The components that come with raysl pass the same classes. What a class needs to know of a component is an attribute,
which the class describes. Tests need pytest, which the extra ``test`` installs: ``pip install 'raysl[test]'``.

A test of a second or more bears no mark, since marks are the project's that runs it: ``takes_seconds`` is true of its
function (`raysl.testing.component.takes_seconds`), and ``pytest_itemcollected`` in a ``conftest.py`` may add a mark:

    def pytest_itemcollected(item):
        if getattr(getattr(item, "function", None), "takes_seconds", False):
            item.add_marker("slow")
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("raysl.testing needs pytest: pip install 'raysl[test]'", name="pytest") from error

# So that a failed assertion says what was compared.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))

if TYPE_CHECKING:
    from raysl.testing.augmentation import AugmentationContract
    from raysl.testing.backbone import BackboneContract
    from raysl.testing.component import ComponentContract
    from raysl.testing.data_set import DataSetContract
    from raysl.testing.feature_protocol import FeatureProtocolContract
    from raysl.testing.framework import FrameworkContract
    from raysl.testing.optimizer import OptimizerContract
    from raysl.testing.pair_sampler import PairSamplerContract
    from raysl.testing.per_clip_protocol import PerClipProtocolContract
    from raysl.testing.pretext_task import PretextTaskContract
    from raysl.testing.protocol import ProtocolContract
    from raysl.testing.schedule import ScheduleContract
    from raysl.testing.temporal_loss import TemporalLossContract
    from raysl.testing.window_sampler import WindowSamplerContract

_MODULES = {
    "AugmentationContract": "augmentation",
    "BackboneContract": "backbone",
    "ComponentContract": "component",
    "DataSetContract": "data_set",
    "FeatureProtocolContract": "feature_protocol",
    "FrameworkContract": "framework",
    "OptimizerContract": "optimizer",
    "PairSamplerContract": "pair_sampler",
    "PerClipProtocolContract": "per_clip_protocol",
    "PretextTaskContract": "pretext_task",
    "ProtocolContract": "protocol",
    "ScheduleContract": "schedule",
    "TemporalLossContract": "temporal_loss",
    "WindowSamplerContract": "window_sampler",
}

__all__ = [
    "AugmentationContract",
    "BackboneContract",
    "ComponentContract",
    "DataSetContract",
    "FeatureProtocolContract",
    "FrameworkContract",
    "OptimizerContract",
    "PairSamplerContract",
    "PerClipProtocolContract",
    "PretextTaskContract",
    "ProtocolContract",
    "ScheduleContract",
    "TemporalLossContract",
    "WindowSamplerContract",
]


def __getattr__(name: str) -> Any:
    """A contract is imported when it is asked for: one of optimizers does not wait for those of evaluation."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
