"""One pretraining configuration, fully resolved: what a cell of a table is computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from raysl.config.component import Chosen
from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions, TrainingOptions


@dataclass(frozen=True)
class Slot:
    """Marks a field that chooses a component: its kind, and the key that names it in YAML."""

    kind: str
    key: str = "name"


class SamplingOptions(Options):
    """Where in the video the clips of a training step come from."""

    pair: Annotated[Chosen, Slot("pair sampler")] = option(
        doc="how the contrastive pair is placed", source="per recipe"
    )


class ObjectiveOptions(Options):
    """The terms of the loss; an absent term is null."""

    contrastive: Annotated[Chosen, Slot("framework", key="framework")] | None = option(
        None, doc="instance contrast between the two clips of the pair", source="per recipe"
    )


class CellConfig(Options):
    """A pretraining configuration. Its id is `raysl.config.identity.cell_id`."""

    pretraining: Literal["self_supervised", "none"] = option(
        "self_supervised", doc="how the backbone is trained; none: random weights", source="[?]"
    )
    data: Annotated[Chosen, Slot("data set")] = option(doc="the pretraining set", source="per recipe")
    clip: ClipOptions = option(ClipOptions(), doc="a clip as the network sees it", source="see its fields")
    sampling: SamplingOptions = option(doc="placement in time", source="per recipe")
    augment: Annotated[Chosen, Slot("augmentation")] = option(doc="spatial augmentation", source="per recipe")
    backbone: Annotated[Chosen, Slot("backbone")] = option(doc="the network", source="per recipe")
    batch_norm_group: Literal["batch"] = option(
        "batch",
        doc="samples over which batch-norm statistics are taken; batch: the whole global batch (synchronised)",
        source="[P] TaCo, CVRL: synchronised",
    )
    objective: ObjectiveOptions = option(doc="the loss", source="per recipe")
    optimizer: Annotated[Chosen, Slot("optimizer")] = option(doc="the optimizer", source="per recipe")
    schedule: Annotated[Chosen, Slot("schedule")] = option(doc="learning rate over time", source="per recipe")
    training: TrainingOptions = option(doc="length, batch, precision, seed", source="see its fields")
