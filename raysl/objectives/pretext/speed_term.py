"""The term of `speed`; its options and sources stand in `raysl.objectives.pretext.speed`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from raysl.objectives.pretext.speed import ANSWER, ORDINARY, VIEW, SpeedOptions
from raysl.objectives.tasks.pretext_task import ClassificationTask
from raysl.objectives.term import TermContext
from raysl.views.batch import Batch


class Speed(ClassificationTask):
    """One class for each rate.

    The head compares the clip with the view ``query`` of the same video, placed and augmented independently: a linear
    layer of each, the same for both, their difference, and a linear layer, ReLU, a linear layer.
    """

    name = "speed"

    def __init__(self, options: SpeedOptions, context: TermContext) -> None:
        super().__init__()
        # Without bias, which the difference would cancel.
        self.each = nn.Linear(context.feature_dim, options.hidden_dim, bias=False)
        self.layers = nn.Sequential(
            nn.Linear(options.hidden_dim, options.hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(options.hidden_dim, len(options.rates)),
        )

    @property
    def view_names(self) -> tuple[str, ...]:
        return (VIEW, ORDINARY)

    def questions(self, features: Mapping[str, Tensor], batch: Batch) -> list[tuple[Tensor, Tensor]]:
        difference = self.each(features[VIEW]) - self.each(features[ORDINARY])
        return [(self.layers(difference), batch.targets[ANSWER])]
