"""One pretraining configuration, fully resolved: what a cell of a table is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from raysl.config.component import Chosen
from raysl.config.objective_sections import MemoryOptions, ProjectorOptions, SupervisedOptions
from raysl.config.options import NO_UNIT, Options, option
from raysl.config.sections import ClipOptions, TemporalOptions, TrainingOptions


@dataclass(frozen=True)
class Slot:
    """Marks a field that chooses a component, or several.

    Attributes:
        kind: of the component.
        key: names it in YAML.
        component: the only one that the field takes; its options are written without a name. None: any of the kind.
        many: the field is a mapping from names of components to their options.
    """

    kind: str
    key: str = "name"
    component: str | None = None
    many: bool = False

    @property
    def is_named(self) -> bool:
        """Whether a key among the options names the component."""
        return self.component is None and not self.many


def temporal_loss(name: str) -> Slot:
    """The slot of the temporal loss of this name."""
    return Slot("temporal loss", component=name)


class SamplingOptions(Options):
    """Where in a video the clips of a training step are."""

    pair: Annotated[Chosen, Slot("pair sampler")] | None = option(
        None, doc="how the contrastive pair is placed; required if a term reads the pair", source="per recipe"
    )
    windows: Annotated[Chosen, Slot("window sampler")] | None = option(
        None, doc="structured clips besides the pair, for the temporal losses", source="per recipe"
    )
    playback_rates: tuple[Annotated[int, Field(ge=1, le=64)], ...] = option(
        (1,),
        doc="factors of clip.stride; one whose clip fits the video is drawn for both clips of the pair, or for that of "
        "supervised pretraining (the smallest if none fits)",
        unit=NO_UNIT,
        source="printed: none; code: CSTP 1, 2, 4, 8",
        min_length=1,
    )

    @model_validator(mode="after")
    def _rates_increase(self) -> SamplingOptions:
        if list(self.playback_rates) != sorted(set(self.playback_rates)):
            raise ValueError(f"playback_rates must increase: {list(self.playback_rates)}")
        return self


class ObjectiveOptions(Options):
    """The terms of the loss; an absent term is null."""

    contrastive: Annotated[Chosen, Slot("framework", key="framework")] | None = option(
        None, doc="instance contrast between the two clips of the pair", source="per recipe"
    )
    local_local: Annotated[Chosen, temporal_loss("local_local")] | None = option(
        None, doc="contrast between the local clips of a window", source="printed: TCLR Eq. 2"
    )
    global_local: Annotated[Chosen, temporal_loss("global_local")] | None = option(
        None, doc="contrast of the timesteps of a global clip with the local clips", source="printed: TCLR Eq. 3, 4"
    )
    clip_to_video: Annotated[Chosen, temporal_loss("clip_to_video")] | None = option(
        None, doc="distance of a clip from its video in the temporal memory bank", source="printed: SSTL"
    )
    pretext: Annotated[dict[str, Chosen], Slot("pretext task", many=True)] = option(
        {}, doc="pretext tasks by name, each with its options", source="per recipe"
    )
    pretext_weight: float = option(
        1.0,
        doc="lambda, factor of the weights of all pretext tasks",
        unit=NO_UNIT,
        source="printed: TaCo 10; elsewhere 1",
        ge=0,
        le=1e6,
    )
    projector: ProjectorOptions | None = option(
        None,
        doc="the projector of every term whose `projector` is shared",
        source="printed: TCLR, SSTL: one for all losses",
    )
    memory: MemoryOptions | None = option(
        None, doc="temporal memory bank of the terms that read one; needs `projector`", source="printed: SSTL"
    )

    @model_validator(mode="after")
    def _shared_is_there(self) -> ObjectiveOptions:
        terms = chosen_terms(self)
        sharing = [name for name, term in terms.items() if getattr(term.options, "projector", None) == "shared"]
        if sharing and self.projector is None:
            raise ValueError(
                f"{sharing[0]} has projector: shared, but objective.projector, the projector to share, is not set"
            )
        return self


def chosen_terms(objective: ObjectiveOptions) -> dict[str, Chosen]:
    """The terms that are switched on, by name: the fields in their order, then the pretext tasks.

    A task with ``supervise: false`` changes views, and is no term.
    """
    fields = {name: getattr(objective, name) for name in type(objective).model_fields}
    terms = {name: value for name, value in fields.items() if isinstance(value, Chosen)}
    return terms | {name: task for name, task in objective.pretext.items() if getattr(task.options, "supervise", True)}


def augmenting_tasks(pretext: Mapping[str, Chosen]) -> dict[str, Chosen]:
    """The pretext tasks that only change the clips of the pair; supervised training uses no others."""
    return {
        name: task
        for name, task in pretext.items()
        if not getattr(task.options, "supervise", True) and getattr(task.options, "view", None) == "pair"
    }


class _Init(Options):
    parts: Literal["backbone"] = option(
        "backbone",
        doc="what is copied; heads are drawn as without `init`",
        source="printed: all five papers fine-tune the backbone",
    )

    @property
    def cell(self) -> CellConfig:
        """The value of `from` in a resolved configuration."""
        found = getattr(self, "from")
        assert isinstance(found, CellConfig)
        return found


if TYPE_CHECKING:

    class InitOptions(_Init):
        """The cell that this one starts from: the field ``from`` (a keyword of Python) and ``parts``."""
else:
    _from: Any = option(
        doc="in a study the name of a row, at the same seed; in a resolved cell its whole configuration",
        source="per study",
    )
    InitOptions = create_model("InitOptions", __base__=_Init, **{"from": ("CellConfig | str", _from)})


class CellConfig(Options):
    """The configuration of one training, which may start from another's. Its id is `raysl.config.identity.cell_id`."""

    pretraining: Literal["self_supervised", "supervised", "none"] = option(
        "self_supervised",
        doc="how the backbone is trained: by `objective`; on the labels of the data, by `supervised`; not at all",
        source="ours",
    )
    data: Annotated[Chosen, Slot("data set")] = option(
        doc="the data set that the network is pretrained on", source="per recipe"
    )
    clip: ClipOptions = option(ClipOptions(), doc="a clip as the network sees it", source="see its fields")
    sampling: SamplingOptions = option(
        SamplingOptions(),
        doc="placement in time; supervised pretraining reads only playback_rates",
        source="per recipe",
    )
    augment: Annotated[Chosen, Slot("augmentation")] = option(
        doc="what crops, flips and recolours each clip of the pair", source="per recipe"
    )
    backbone: Annotated[Chosen, Slot("backbone")] = option(
        doc="the network that is pretrained and evaluated", source="per recipe"
    )
    batch_norm_group: Literal["batch"] | Annotated[int, Field(ge=1, le=2**20)] = option(
        "batch",
        doc="consecutive videos of the global batch (all their views) over which batch-norm statistics are taken; "
        "batch: all of it (synchronised)",
        unit="videos",
        source="printed: TaCo, CVRL: synchronised",
    )
    batch_norm_per_view: bool = option(
        False,
        doc="separate batch-norm statistics for each view, as if it passed the network alone",
        source="ours: all views of one shape pass together; code: TCLR on",
    )
    objective: ObjectiveOptions = option(
        ObjectiveOptions(),
        doc="the loss of self-supervised pretraining; supervised pretraining reads the pretext tasks that are "
        "only augmentation of the pair (view: pair, supervise: false)",
        source="per recipe",
    )
    supervised: SupervisedOptions = option(
        SupervisedOptions(), doc="the classifier of supervised pretraining", source="see its fields"
    )
    init: InitOptions | None = option(
        None,
        doc="the cell whose trained backbone this one starts from; null: weights drawn from the seed",
        source="ours",
    )
    train: Literal["all", "head"] | tuple[str, ...] = option(
        "all",
        doc="what is trained: all; head: everything but the backbone; modules of the backbone by name, e.g. [layer4], "
        "with everything but the backbone",
        source="printed: fine-tuning: all; linear evaluation by SGD: head",
    )
    batch_norm_statistics: Literal["batch", "kept"] = option(
        "batch",
        doc="statistics of the backbone's batch norms while it trains: of the batch, or the running statistics that it "
        "starts with, which are kept",
        source="printed: all of pretraining; code: CSTP, TCLR fine-tune with batch; a linear layer needs kept",
    )
    optimizer: Annotated[Chosen, Slot("optimizer")] = option(
        doc="the optimizer, with its learning rate", source="per recipe"
    )
    schedule: Annotated[Chosen, Slot("schedule")] = option(doc="the learning rate over time", source="per recipe")
    training: TrainingOptions = option(doc="length, batch, precision, seed", source="see its fields")

    @property
    def placed_clip(self) -> ClipOptions:
        """The clip as placed in a video, with the buffer from which augmentation in time chooses frames."""
        temporal = self.temporal
        return self.clip.model_copy(update={"frames": self.clip.frames + temporal.buffer_frames})

    @property
    def temporal(self) -> TemporalOptions:
        """Augmentation in time, an option of every augmentation that comes with raysl."""
        found = getattr(self.augment.options, "temporal", None)
        return found if isinstance(found, TemporalOptions) else TemporalOptions()

    @property
    def start(self) -> CellConfig | None:
        """The configuration of the cell that it starts from."""
        return None if self.init is None else self.init.cell

    @property
    def chain(self) -> tuple[CellConfig, ...]:
        """The configuration, what it starts from, what that starts from, and so on."""
        return (self,) if self.start is None else (self, *self.start.chain)

    @model_validator(mode="after")
    def _start_fits(self) -> CellConfig:
        if self.pretraining == "none":
            for name in ("init", "train", "batch_norm_statistics"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} has no effect with pretraining: none, which trains nothing")
        if self.train == ():
            raise ValueError("train is empty: name modules of the backbone, or write head")
        if self.init is None or not isinstance(getattr(self.init, "from"), CellConfig):
            return self
        theirs = self.init.cell.backbone
        if theirs != self.backbone:
            raise ValueError(
                f"init.from has another backbone ({theirs.name} {_described(theirs)}) than this cell "
                f"({self.backbone.name} {_described(self.backbone)}): use the same for both"
            )
        return self

    @model_validator(mode="after")
    def _drops_apart(self) -> CellConfig:
        dropped, kept = self.temporal.dropped_frames, self.clip.raw_frames
        if dropped > kept + 1:
            raise ValueError(
                f"augment.temporal.dropped_frames {dropped}: no two of them are adjacent, so at most {kept + 1} can be "
                f"dropped next to the {kept} frames of a clip"
            )
        return self

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


def with_start(cell: CellConfig, start: CellConfig) -> CellConfig:
    """The cell on the backbone of another.

    Raises:
        ValidationError: they do not fit.
    """
    values = {name: getattr(cell, name) for name in type(cell).model_fields}
    return CellConfig(**{**values, "init": init_from(start)})


def init_from(start: CellConfig) -> InitOptions:
    """To start from the backbone of a cell."""
    return InitOptions.model_validate({"from": start})


def _described(chosen: Chosen) -> str:
    options = chosen.options
    changed = {name: getattr(options, name) for name in type(options).model_fields}
    return ", ".join(f"{name} {value}" for name, value in changed.items()) or "without options"


InitOptions.model_rebuild()
CellConfig.model_rebuild(force=True)
