"""The base of the objective's terms: a term names the views it needs and turns their features into a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from raysl.config.objective_sections import ProjectorOptions
from raysl.config.sections import ClipOptions
from raysl.errors import ConfigError
from raysl.models.backbone import Backbone, pool
from raysl.models.projector import Projector
from raysl.objectives.memory.temporal_memory import TemporalMemory
from raysl.views.batch import Batch


@dataclass(frozen=True)
class TransformedViews:
    """A task's own views, for the framework to contrast.

    Attributes:
        names: of the views; their features are projected side by side.
        hidden_dim: D', channels of each in the first layer (TaCo).
    """

    names: tuple[str, ...]
    hidden_dim: int


@dataclass(frozen=True)
class TermContext:
    """What a term is built for.

    Attributes:
        feature_dim: D, channels of the backbone's feature maps.
        backbone: the online backbone with its initial weights, which a momentum encoder copies and never changes.
        videos: catalog indices of the training videos in use, ascending: the rows of a memory bank.
        classes: of the training set; 0 without labels.
        batch_size: global batch, videos.
        total_steps: optimisation steps of the whole training, for schedules of momentum.
        seed: of the cell.
        chunk: videos that pass a network at once on this rank; None: all of its batch.
        clip: of every view.
        timesteps: N_T, the local clips of a window; 0 where the cell has no windows.
        shared_projector: of the terms with ``projector: shared``, and of the bank; None if there is none.
        memory: the temporal memory bank, of embeddings of the shared projector; None if there is none.
        pair_classes: of each answer that the placement of the pair gives, by target: how many there are.
        transformed: by task, its own views, which the framework contrasts with the original clip.
    """

    feature_dim: int
    backbone: Backbone
    videos: Sequence[int]
    batch_size: int
    total_steps: int
    seed: int
    classes: int = 0
    chunk: int | None = None
    clip: ClipOptions = field(default_factory=ClipOptions)
    timesteps: int = 0
    shared_projector: Projector | None = None
    memory: TemporalMemory | None = None
    pair_classes: Mapping[str, int] = field(default_factory=dict)
    transformed: Mapping[str, TransformedViews] = field(default_factory=dict)

    def projector(self, options: ProjectorOptions | Literal["shared"]) -> Projector:
        """A new projector, or the one that terms share.

        Raises:
            ConfigError: the projector is to be shared, and the objective has no shared one.
        """
        if not isinstance(options, str):
            return Projector(self.feature_dim, options)
        if self.shared_projector is None:
            raise ConfigError("projector: shared needs objective.projector, the projector that is shared")
        return self.shared_projector

    def temporal_memory(self) -> TemporalMemory:
        """The bank.

        Raises:
            ConfigError: the objective has none.
        """
        if self.memory is None:
            raise ConfigError("a term reads the temporal memory bank: set objective.memory and objective.projector")
        return self.memory


@dataclass(frozen=True)
class TermOutput:
    """What a term computes for one batch.

    Attributes:
        loss: unweighted scalar on this rank; its mean over ranks is the loss of the global batch.
        metrics: scalars for the curves, on this rank; averaged over ranks too. Names are unique among all terms. Unused
            where the term does not measure.
    """

    loss: Tensor
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Term(nn.Module, ABC):
    """Base of contrastive frameworks, temporal losses and pretext tasks.

    A framework: ``COMPONENT.build(options, context: TermContext) -> Term``.

    One optimisation step calls `begin_step` once, ``forward`` once for each accumulated batch, and `end_step` once
    after the optimizer, if loss and gradient were finite (on a GPU before anybody has looked: training then ends one
    step later, and nothing of it is kept). What a term keeps between steps (queue, bank, momentum encoder) are buffers
    and parameters without gradient: they are in the checkpoint, and DDP does not touch them.

    Any tensor that passes a batch norm is view-major: with V views of B videos, row r is of video r modulo B.

    Class attributes:
        compares_across_batch: True where another batch size gives another loss (negatives, batch statistics of the
            loss itself), so that gradient accumulation is refused.

    Attributes:
        measures: whether anybody looks at this step's metrics; the same on every rank. A term may leave them out
            otherwise.
    """

    compares_across_batch: bool = True
    measures: bool = True

    @property
    @abstractmethod
    def view_names(self) -> tuple[str, ...]:
        """The views whose features, through the online backbone and with gradient, ``forward`` reads."""

    @property
    def target_view_names(self) -> tuple[str, ...]:
        """The views whose clips ``forward`` passes through the term's momentum encoder."""
        return ()

    def reduce(self, feature_map: Tensor) -> Tensor:
        """What ``forward`` receives of a view: ``[B, D, T', H', W']`` to ``[B, ...]``, by default `pool` to ``[B, D]``.

        Without parameters and sample by sample: under gradient caching it is all that is kept of a chunk.
        """
        return pool(feature_map)

    def begin_step(self, step: int, backbone: Backbone) -> None:
        """Before step ``step`` (from 0): moves a momentum encoder towards the online ``backbone``; no gradient."""

    @abstractmethod
    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        """``features[name]`` is `reduce` of that view's feature map, ``[B, ...]``, this rank's videos.

        Changes nothing that outlives the step: what goes to a queue or a bank waits for `end_step`.
        """

    def end_step(self) -> None:
        """After the optimizer's step: puts what ``forward`` saw into queue or bank. Collective."""
