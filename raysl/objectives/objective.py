"""The composed objective: one backbone, several loss terms, one weighted sum.

Shapes: B videos of this rank, C, T, H, W of a clip, D feature channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from raysl.distributed import all_reduce_sum, world_size
from raysl.models.backbone import Backbone
from raysl.models.projector import Projector
from raysl.objectives.term import Term
from raysl.views.batch import Batch

Features = dict[str, dict[str, Tensor]]
"""By term and view: the features that the term receives."""


@dataclass(frozen=True)
class ObjectiveOutput:
    """What one step minimises and what its curves show.

    Attributes:
        loss: scalar with gradient, the weighted sum on this rank; its mean over ranks is the loss of the global batch.
        terms: unweighted loss of each term on the global batch, detached, equal on every rank.
        metrics: metrics of all terms on the global batch, detached, equal on every rank; none where they are not
            measured.
    """

    loss: Tensor
    terms: dict[str, Tensor] = field(default_factory=dict)
    metrics: dict[str, Tensor] = field(default_factory=dict)


class Objective(nn.Module):
    """From a batch to the loss: what DDP wraps, heads included.

    The views that the terms ask for pass the backbone once, all views of one shape together: batch norm takes its
    statistics over both clips of every video of the global batch, and no view is computed twice.

    Args:
        backbone: from clips to feature maps.
        terms: by name, each with its weight in the sum (0 or more).
        same_view: from a view's name to that of the view whose clips replace it; they pass the backbone once for both.

    Attributes:
        passes: what clips pass in place of ``backbone``, and computes the same; None: the backbone itself.
    """

    def __init__(
        self,
        backbone: Backbone,
        terms: Mapping[str, tuple[Term, float]],
        same_view: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        if not terms:
            raise ValueError("an objective needs at least one term")
        self.backbone = backbone
        self.terms = nn.ModuleDict({_key(name): term for name, (term, _) in terms.items()})
        self.weights = {name: weight for name, (_, weight) in terms.items()}
        self._same_view = dict(same_view or {})
        self._measures = True
        self.passes: Callable[[Tensor], Tensor] | None = None

    def term(self, name: str) -> Term:
        term = self.terms[_key(name)]
        assert isinstance(term, Term)
        return term

    @property
    def projector(self) -> Projector | None:
        """That of the first term that has one (`raysl.config.cell.chosen_terms`: the framework's, else the shared)."""
        found = (getattr(self.term(name), "projector", None) for name in self.weights)
        return next((one for one in found if isinstance(one, Projector)), None)

    @property
    def online_view_names(self) -> tuple[str, ...]:
        """The views that pass the backbone with gradient, each once, in the order of the terms."""
        return self._made(view for name in self.weights for view in self.term(name).view_names)

    @property
    def view_names(self) -> tuple[str, ...]:
        """The views that a batch must hold: those of the backbone, then what only momentum encoders read."""
        targets = (view for name in self.weights for view in self.term(name).target_view_names)
        return self._made((*self.online_view_names, *targets))

    def _made(self, names: Iterable[str]) -> tuple[str, ...]:
        """Each view once; a view that another replaces, by the name of that one."""
        return tuple(dict.fromkeys(self._same_view.get(name, name) for name in names))

    @property
    def compares_across_batch(self) -> bool:
        """Whether another batch size gives another loss, so that gradient accumulation is refused."""
        return any(self.term(name).compares_across_batch for name in self.weights)

    def measure(self, on: bool) -> None:
        """Whether the next batches' metrics are computed; they are at first. The loss is the same."""
        self._measures = on
        for name in self.weights:
            self.term(name).measures = on

    def begin_step(self, step: int) -> None:
        """See `Term.begin_step`."""
        for name in self.weights:
            self.term(name).begin_step(step, self.backbone)

    def end_step(self) -> None:
        """See `Term.end_step`. Collective."""
        for name in self.weights:
            self.term(name).end_step()

    def forward(self, batch: Batch) -> ObjectiveOutput:
        return self.losses(self.reduced(self.feature_maps(batch)), batch)

    def same_shapes(self, batch: Batch) -> list[list[str]]:
        """The views that pass the backbone, those of one shape, which pass it together, in one list."""
        by_shape: dict[torch.Size, list[str]] = {}
        for name in self.online_view_names:
            by_shape.setdefault(batch.views[name].clips.shape, []).append(name)
        return list(by_shape.values())

    def feature_maps(self, batch: Batch) -> dict[str, Tensor]:
        """``{view: [B, D, T', H', W']}`` of every view that passes the backbone."""
        feature_maps: dict[str, Tensor] = {}
        for names in self.same_shapes(batch):
            feature_maps |= self.together(batch, names)
        return feature_maps

    def together(self, batch: Batch, names: Sequence[str], rows: slice = slice(None)) -> dict[str, Tensor]:
        """``{view: [rows, D, T', H', W']}`` of views of one shape, in one pass of the backbone.

        Args:
            rows: the videos of this rank that pass; the batch norms' window must be the same.
        """
        clips = torch.cat([batch.views[name].clips[rows] for name in names])
        feature_maps: Tensor = (self.passes or self.backbone)(clips)
        return dict(zip(names, feature_maps.chunk(len(names)), strict=True))

    def reduced(self, feature_maps: Mapping[str, Tensor]) -> Features:
        """`Term.reduce` of each view in ``feature_maps`` for each term that reads it."""
        features: Features = {}
        for name in self.weights:
            term = self.term(name)
            features[name] = {}
            for view in term.view_names:
                made = self._same_view.get(view, view)
                if made in feature_maps:
                    features[name][view] = term.reduce(feature_maps[made])
        return features

    def losses(self, features: Features, batch: Batch) -> ObjectiveOutput:
        """The loss of reduced features of all views that pass the backbone. Collective."""
        losses: dict[str, Tensor] = {}
        metrics: dict[str, Tensor] = {}
        stand_ins = {name: batch.views[made] for name, made in self._same_view.items() if made in batch.views}
        batch = replace(batch, views={**batch.views, **stand_ins})
        for name in self.weights:
            output = self.term(name)(features[name], batch)
            losses[name] = output.loss
            if not self._measures:
                continue
            if twice := metrics.keys() & output.metrics.keys():
                raise ValueError(f"term {name!r} reports {sorted(twice)}, which another term reports already")
            metrics |= output.metrics
        loss = torch.stack([self.weights[name] * value for name, value in losses.items()]).sum()
        return ObjectiveOutput(loss, *_mean_over_ranks(losses, metrics))


def _key(name: str) -> str:
    """A term's key among modules: the import path of a task in another package has dots, which mean nesting there."""
    return name.replace(".", "/")


@torch.no_grad()
def _mean_over_ranks(*groups: dict[str, Tensor]) -> tuple[dict[str, Tensor], ...]:
    """Each value's mean over ranks, by one collective for all of them."""
    values = torch.stack([value.detach() for group in groups for value in group.values()])
    means = iter((all_reduce_sum(values) / world_size()).unbind())
    return tuple({name: next(means) for name in group} for group in groups)
