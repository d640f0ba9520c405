"""Options that pretext tasks and frameworks share, without PyTorch."""

from __future__ import annotations

from typing import Any, Literal

from raysl.config.options import NO_UNIT, Options, option

Reduction = Literal["mean", "sum"]


def reduction_option() -> Any:
    """The option ``reduction`` of the frameworks that CSTP compares."""
    return option(
        "mean",
        doc="over the videos of the global batch; a sum, and its weight relative to other terms, grows with the batch",
        source="printed: each framework's own paper; CSTP Eq. 1 and 3: sum",
    )


def original_weight_option() -> Any:
    """The option ``original_weight`` of every framework that contrasts the tasks' views."""
    return option(
        0.5,
        doc="w, share of the original clip's loss against that of each task's view; of no effect without such views",
        unit="share",
        source="inferred: TaCo after PIRL: 0.5; printed: TaCo Eq. 2: 0",
        ge=0,
        le=1,
    )


class HeadOptions(Options):
    """Options of a classification head on one feature, or on several side by side."""

    hidden_layers: int = option(
        0,
        doc="hidden layers; 0: one linear layer",
        unit="layers",
        source="printed: CSTP: FC; printed: TaCo: 1 without activation; code: CSTP on R(2+1)D: 1",
        ge=0,
        le=4,
    )
    hidden_dim: int | None = option(
        None,
        doc="channels of a hidden layer; null: as many as the input has",
        unit="channels",
        source="inferred: TaCo; code: CSTP",
        ge=1,
        le=65536,
    )
    activation: Literal["none", "relu", "batch_norm_relu"] = option(
        "relu", doc="what follows a hidden layer", source="printed: TaCo: none; code: CSTP: batch_norm_relu"
    )
    logits: Literal["free", "unit", "scaled"] = option(
        "free",
        doc="unit: brought to length 1, which bounds the loss from below; scaled: that times `scale`",
        source="ours: free; printed: TaCo unit",
    )
    scale: float = option(1 / 0.07, doc="factor of scaled logits", unit=NO_UNIT, source="ours", gt=0, le=1000)


class TaskOptions(Options):
    """Options that all tasks share."""

    weight: float = option(
        1.0,
        doc="factor of this term, times objective.pretext_weight",
        unit=NO_UNIT,
        source="printed: TaCo, CSTP",
        ge=0,
        le=1e6,
    )
    supervise: bool = option(
        True,
        doc="whether the task is a term of the loss; false: what it does to clips is augmentation alone",
        source="printed: TaCo Table 1, CSTP Table 1: both are compared",
    )


class OwnViewOptions(TaskOptions):
    """Options of tasks that can have their own views."""

    view: Literal["own", "pair"] = option(
        "own",
        doc="own: a further view (TaCo); pair: both clips of the pair are changed (CSTP)",
        source="printed",
    )
    contrast: bool = option(
        True,
        doc="whether the framework contrasts the own view with the original clip; of no effect with view: pair",
        source="printed: TaCo Eq. 1",
    )
    projection_dim: int = option(
        128,
        doc="channels of the first layer of the own view's projection, for each clip",
        unit="channels",
        source="inferred: PIRL",
        ge=1,
        le=65536,
    )


class OwnViewOnlyOptions(OwnViewOptions):
    """Options of tasks that cannot be asked about the pair."""

    view: Literal["own"] = option("own", doc="further views; it cannot change the pair's", source="printed: TaCo")
