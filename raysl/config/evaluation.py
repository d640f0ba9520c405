"""One evaluation, fully resolved: a protocol on one labelled set, applied to a cell's backbone."""

from __future__ import annotations

from typing import Annotated

from raysl.config.cell import Slot
from raysl.config.component import Chosen
from raysl.config.options import Options, option


class EvaluationConfig(Options):
    """The configuration of one evaluation. Its id is `raysl.config.identity.evaluation_id`."""

    label: str = option(doc="as the study writes it, e.g. linear/ucf101/1", source="required", identity=False)
    protocol: Annotated[Chosen, Slot("protocol")] = option(doc="how the backbone is evaluated", source="required")
    data: Annotated[Chosen, Slot("data set")] = option(doc="the labelled set", source="required")
