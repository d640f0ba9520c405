"""How the clips of an evaluation differ from those that a cell was trained on."""

from __future__ import annotations

from typing import Literal

from raysl.config.options import Options, option
from raysl.config.sections import ClipOptions


class ClipChange(Options):
    """Changes to a clip; null: unchanged."""

    frames: int | None = option(
        None, doc="frames of a clip", unit="frames", source="printed: CVRL 32 on K400", ge=2, le=256
    )
    stride: int | None = option(
        None, doc="distance of consecutive frames", unit="frames", source="code: CSTP 4; TCLR 2", ge=1, le=64
    )
    size: int | None = option(None, doc="height and width of a clip", unit="pixels", source="ours", ge=16, le=512)

    def of(self, clip: ClipOptions) -> ClipOptions:
        """The clip with these changes.

        Raises:
            ValidationError: they do not fit it.
        """
        changed = {name: value for name, value in self.model_dump().items() if value is not None}
        return ClipOptions(**(clip.model_dump() | changed))


class ReadOptions(Options):
    """Options of protocols that read clips spread evenly over a video."""

    crops: Literal[1, 3] = option(
        1,
        doc="squares of a clip that are read: the centre, or both ends of the long side and the centre",
        unit="crops",
        source="printed: CVRL 3; code: TCLR, CSTP 1",
    )
    clip: ClipChange = option(ClipChange(), doc="changes to the clip of training", source="see its fields")
