"""The plain sections of the objective: of a projector, the temporal memory bank and the classifier on labels."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from raysl.config.options import Options, option


class ProjectorOptions(Options):
    """Options of a projector (`raysl.models.projector`)."""

    hidden_layers: int = option(
        1,
        doc="hidden layers, each followed by ReLU; 0: one linear layer",
        unit="layers",
        source="printed: SimCLR 2.1: one hidden layer; CVRL uses 3",
        ge=0,
        le=8,
    )
    hidden_dim: int | None = option(
        None,
        doc="channels of a hidden layer; null: as many as the feature has",
        unit="channels",
        source="printed: SimCLR App. B.5: as the feature; code: CVRL 2048",
        ge=1,
        le=65536,
    )
    output_dim: int = option(
        128, doc="channels of the embedding", unit="channels", source="printed: SimCLR 2.1, CVRL, TCLR", ge=2, le=65536
    )
    batch_norm: Literal["none", "hidden", "all"] = option(
        "hidden", doc="layers followed by batch norm", source="code: CVRL: hidden; TCLR: all"
    )
    last_affine: bool = option(
        True,
        doc="whether a batch norm after the last layer has scale and shift",
        source="code: TCLR: on; SimSiam: off",
    )
    bias_before_norm: bool = option(
        True,
        doc="whether a hidden layer followed by batch norm has a bias, which the norm cancels",
        source="code: CVRL, TCLR: on; SimSiam: off",
    )


class MemoryOptions(Options):
    """The temporal memory bank (SSTL): an embedding of every training video for each of its parts in time."""

    cells: int = option(
        2,
        doc="L, equal parts of a video's length with an embedding each; 1: without time",
        unit="cells",
        source="printed: SSTL on Kinetics-400",
        ge=1,
        le=64,
    )
    momentum: float = option(
        0.5,
        doc="m, share of the old embedding kept in an update of the clip's own cell",
        unit="share",
        source="ours",
        ge=0,
        le=1,
    )
    attenuation: float = option(
        0.6, doc="c, factor of the update of other cells", unit="share", source="printed: SSTL", ge=0, le=1
    )
    update: Literal["own_only", "intended", "literal"] = option(
        "intended",
        doc="own_only: only the clip's cell; intended: other cells less, the farther away; literal: the printed rule, "
        "which moves them more",
        source="inferred: SSTL's text; printed: literal; printed: own_only: strategy 1",
    )


class SupervisedOptions(Options):
    """The linear classifier on the pooled feature with its cross-entropy, or that on people's boxes."""

    target: Literal["videos", "boxes"] = option(
        "videos",
        doc="what is classified: videos, each of one class; or people in annotated frames, by their boxes, each of "
        "several actions (a sigmoid each and binary cross-entropy)",
        source="printed: CVRL Table 5: boxes",
    )
    roi_size: int = option(
        7,
        doc="bins of a box's feature in height and width, before the maximum; read with target: boxes",
        unit="bins",
        source="code: SlowFast, mmaction2: 7 and 8; not printed in CVRL",
        ge=1,
        le=32,
    )

    dropout: float = option(
        0.0,
        doc="share of feature channels set to zero before the classifier",
        unit="share",
        source="ours; printed: CVRL 0.5",
        ge=0,
        lt=1,
    )
    feature_norm: Literal["none", "l2", "l2_batch_norm"] = option(
        "none",
        doc="normalisation of the pooled feature; l2: unit length; l2_batch_norm: batch norm after that",
        source="printed: CVRL; code: CSTP l2_batch_norm when fine-tuning",
    )
    label_fraction: float = option(
        1.0,
        doc="share of the labelled training videos to use, the same for every class and at least one of each",
        unit="share",
        source="printed: CVRL Tables 3 and 11: 0.01, 0.1; TCLR: 0.01 to 0.5",
        gt=0,
        le=1,
    )
    label_smoothing: float = option(
        0.0,
        doc="share of the target spread evenly over all classes",
        unit="share",
        source="ours: none is mentioned",
        ge=0,
        lt=1,
    )

    @model_validator(mode="after")
    def _of_videos_alone(self) -> SupervisedOptions:
        fields = type(self).model_fields
        unread = ("label_fraction", "label_smoothing") if self.target == "boxes" else ("roi_size",)
        for name in unread:
            if getattr(self, name) != fields[name].default:
                raise ValueError(f"{name} has no effect with target: {self.target}")
        return self
