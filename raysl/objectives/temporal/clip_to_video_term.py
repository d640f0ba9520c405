"""The term of `clip_to_video`; its options and sources stand in `raysl.objectives.temporal.clip_to_video`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from raysl.models.backbone import Backbone
from raysl.objectives.losses.nt_xent import unit_rows
from raysl.objectives.temporal.clip_to_video import ClipToVideoOptions
from raysl.objectives.temporal.window_features import embed
from raysl.objectives.term import Term, TermContext, TermOutput
from raysl.views.batch import Batch


class ClipToVideo(Term):
    """``1 - cos(z, mean over cells of the video's entries)``, the mean over the clips of both views: 0 to 2.

    No gradient reaches the bank (inferred); both views enter it after the step, the query first.
    """

    compares_across_batch = False

    def __init__(self, options: ClipToVideoOptions, context: TermContext) -> None:
        super().__init__()
        self.projector = context.projector("shared")
        self.memory = context.temporal_memory()

    @property
    def view_names(self) -> tuple[str, ...]:
        return ("query", "key")

    def begin_step(self, step: int, backbone: Backbone) -> None:
        self.memory.begin_step()

    def forward(self, features: Mapping[str, Tensor], batch: Batch) -> TermOutput:
        losses = []
        rows = embed(self.projector, [features[name] for name in self.view_names])
        for name, embedding in zip(self.view_names, rows, strict=True):
            view = batch.views[name]
            losses.append(clip_to_video(embedding, self.memory.video_features(view.video)))
            self.memory.observe(name, view.video, view.center, embedding)
        return TermOutput(torch.stack(losses).mean())

    def end_step(self) -> None:
        self.memory.commit()


def clip_to_video(embeddings: Tensor, videos: Tensor) -> Tensor:
    """``1 - cos`` of each clip's embedding with its video's, mean over ``[B, d]`` rows; no gradient to ``videos``.

    Args:
        embeddings, videos: ``[B, d]`` float of any length.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        rows = unit_rows(embeddings)
        return 1 - (rows * unit_rows(videos.detach()).to(rows)).sum(dim=1).mean()
