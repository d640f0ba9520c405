"""``init: inflate``: its options, and the file that they name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from raysl.config.options import Options, option
from raysl.data.places import NOTHING, bound
from raysl.errors import MissingFileError


class InflatableOptions(Options):
    """Options of a backbone that can start from an image network."""

    init: Literal["random", "inflate"] = option(
        "random",
        doc="first weights: drawn from the seed, or those of the file inflate_from repeated along time",
        source="printed: CVRL: random; Tables 2 and 3 also inflate",
    )
    inflate_from: str | None = option(
        None,
        doc="name of the file with the image network's weights (a torchvision state dict, saved by torch.save); where "
        "it is comes from --root NAME=FILE, as for data sets",
        source="ours: no path enters a configuration",
        min_length=1,
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> InflatableOptions:
        if self.init == "inflate" and self.inflate_from is None:
            raise ValueError("init: inflate needs inflate_from: NAME, and the file bound to it by --root NAME=FILE")
        if self.init == "random" and self.inflate_from is not None:
            raise ValueError(f"inflate_from: {self.inflate_from} is not used unless init is inflate")
        return self


def inflated_from(options: Options) -> str | None:
    """The name of the file that a backbone with these options starts from; None where its weights are drawn."""
    return options.inflate_from if isinstance(options, InflatableOptions) else None


def weights_file(name: str, files: Mapping[str, Path]) -> Path:
    """The file bound to a name.

    Raises:
        MissingFileError: (a ConfigError) nothing is bound to it, or no file is there.
    """
    file = bound(files, name)
    if file is None:
        raise MissingFileError(f"inflate_from: {name}: no file is bound to this name: pass --root {name}=FILE")
    if not file.is_file():
        from raysl.distributed import rank  # imports PyTorch

        said = f"inflate_from: {name}: there is no file {file.name} where --root {name}=FILE points"
        raise MissingFileError(said, unfit=[rank()])
    return file


def weights_record(options: Options, files: Mapping[str, Path] = NOTHING) -> dict[str, str]:
    """Name and SHA-256 of the file for a result's provenance; empty where weights are drawn.

    Raises:
        ConfigError: the file is not there.
    """
    name = inflated_from(options)
    if name is None:
        return {}
    with weights_file(name, files).open("rb") as content:
        return {"inflate_from": name, "inflate_sha256": hashlib.file_digest(content, "sha256").hexdigest()}
