"""One pretraining configuration, fully resolved: what a cell of a table is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from raysl.config.component import Chosen
from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions, SupervisedOptions, TrainingOptions


@dataclass(frozen=True)
class Slot:
    """Marks a field that chooses a component: its kind, and the key that names it in YAML."""

    kind: str
    key: str = "name"


class SamplingOptions(Options):
    """Where in the video the clips of a training step come from."""

    pair: Annotated[Chosen, Slot("pair sampler")] | None = option(
        None, doc="how the contrastive pair is placed; required for self-supervised pretraining", source="per recipe"
    )


class ObjectiveOptions(Options):
    """The terms of the loss; an absent term is null."""

    contrastive: Annotated[Chosen, Slot("framework", key="framework")] | None = option(
        None, doc="instance contrast between the two clips of the pair", source="per recipe"
    )


class CellConfig(Options):
    """A pretraining configuration. Its id is `raysl.config.identity.cell_id`."""

    pretraining: Literal["self_supervised", "supervised", "none"] = option(
        "self_supervised",
        doc="how the backbone is trained: by `objective`; on the labels of the data, as `supervised` says; not at all",
        source="[?]",
    )
    data: Annotated[Chosen, Slot("data set")] = option(doc="the pretraining set", source="per recipe")
    clip: ClipOptions = option(ClipOptions(), doc="a clip as the network sees it", source="see its fields")
    sampling: SamplingOptions = option(
        SamplingOptions(), doc="placement in time; of no effect on supervised pretraining", source="per recipe"
    )
    augment: Annotated[Chosen, Slot("augmentation")] = option(doc="spatial augmentation", source="per recipe")
    backbone: Annotated[Chosen, Slot("backbone")] = option(doc="the network", source="per recipe")
    batch_norm_group: Literal["batch"] | Annotated[int, Field(ge=1)] = option(
        "batch",
        doc="consecutive videos of the global batch (all their views) over which batch-norm statistics are taken; "
        "batch: all of it (synchronised)",
        unit="videos",
        source="[P] TaCo, CVRL: synchronised",
    )
    objective: ObjectiveOptions = option(
        ObjectiveOptions(), doc="the loss of self-supervised pretraining", source="per recipe"
    )
    supervised: SupervisedOptions = option(
        SupervisedOptions(), doc="the classifier of supervised pretraining", source="see its fields"
    )
    optimizer: Annotated[Chosen, Slot("optimizer")] = option(doc="the optimizer", source="per recipe")
    schedule: Annotated[Chosen, Slot("schedule")] = option(doc="learning rate over time", source="per recipe")
    training: TrainingOptions = option(doc="length, batch, precision, seed", source="see its fields")

    @model_validator(mode="after")
    def _groups_fit(self) -> CellConfig:
        group, training = self.batch_norm_group, self.training
        if group != "batch" and training.batch_size % group:
            raise ValueError(
                f"batch_norm_group {group} does not divide training.batch_size {training.batch_size}: groups are "
                "whole parts of the batch"
            )
        chunk, share = training.chunk_in_use, training.batch_size // training.workers
        if chunk is None:
            return self
        if share % chunk:
            raise ValueError(f"training.chunk {chunk} does not divide the {share} videos of a worker")
        if group == "batch" or chunk % group:
            raise ValueError(
                f"training.chunk {chunk} needs a batch_norm_group that divides it (batch_norm_group is {group}): "
                "statistics over more videos than pass the network at once cannot be taken"
            )
        return self
