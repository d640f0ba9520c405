"""What a cell has trained, in code of one's own."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from raysl.api.stores import open_store
from raysl.api.studies import Roots, as_override
from raysl.commands.cell_results import CellResults
from raysl.commands.roots import find_places
from raysl.commands.terminal import PlainConsole
from raysl.data.places import NOTHING
from raysl.errors import ConfigError

if TYPE_CHECKING:
    from raysl.evaluation.embed import Embedding
    from raysl.models.backbone import Backbone


def load_backbone(cell: CellResults | str, storage: str | Path = "results") -> Backbone:
    """The trained backbone of a cell, a `torch.nn.Module` on the CPU in eval mode.

    It maps clips ``[B, 3, T, H, W]``, float32, as ``cell.config.clip`` says, to feature maps ``[B, D, T', H', W']``;
    `raysl.models.backbone.pool` takes their mean.

    Args:
        cell: of a store; or what `Store.cell` takes, of the store at ``storage``.

    Raises:
        RayslError: the cell is not done, or its folder holds no weights (a slim store).

    Example:
        >>> import torch
        >>> backbone = raysl.load_backbone(cell)
        >>> clip = cell.config.clip
        >>> backbone(torch.zeros(2, 3, clip.frames, clip.size, clip.size)).shape
        torch.Size([2, 32, 1, 1, 1])
    """
    return _cell(cell, storage).backbone()


def embed(
    cell: CellResults | str,
    videos: Sequence[str | Path] = (),
    *,
    data: str | None = None,
    options: Mapping[str, object] | None = None,
    splits: Sequence[str] = (),
    roots: Roots = NOTHING,
    storage: str | Path = "results",
    protocol: str | None = None,
    clips: int | None = None,
    device: Literal["auto", "cpu", "gpu"] = "auto",
    cache: str | Path | None = None,
) -> Embedding:
    """Features of videos under a cell's frozen backbone, as its own evaluations take them.

    Args:
        cell: of a store; or what `Store.cell` takes, of the store at ``storage``.
        videos: files, and folders of which every video is read; they need no labels.
        data: in place of ``videos`` a data set: ``ucf101/1``, ``folder``.
        options: of the data set, by their names: ``{"split": "folders"}``.
        splits: of the data set, that are read; none: all.
        roots: where the data set lies: ``{"ucf101": "/data/UCF-101"}``.
        protocol: the label of one of the cell's evaluations, whose clips are taken; None: they agree.
        clips: of a video, spread evenly over it; None: as many as the evaluation.
        device: auto: the GPU where this machine has one.
        cache: folder for what decoding found out of each file; None: RAYSL_CACHE, or ~/.cache/raysl.

    Returns:
        One row a video that can be read; those that cannot are in ``unreadable``, by path.

    Raises:
        ConfigError: the cell's evaluations take clips in several ways, and none was chosen; ``videos`` and ``data``
            both, or neither.
        DataError: a path that is not there, or no video that can be read.
        RayslError: the cell is not done, or its folder holds no weights.

    Example:
        >>> features = raysl.embed(cell, ["videos"])
        >>> features.values.shape, features.values.dtype, dict(features.unreadable)
        ((3, 32), dtype('float32'), {})
        >>> features.frame().columns.tolist()
        ['path', 'label', 'split', 'features']
        >>> size = {"classes": 2, "train_per_class": 2, "test_per_class": 1, "frames": 16, "height": 24, "width": 32}
        >>> raysl.embed(cell, data="synthetic", options=size, splits=["test"]).frame()[["label", "split"]]
           label split
        0  right  test
        1   left  test
    """
    from raysl.commands.data import chosen_set
    from raysl.commands.embed import embed_videos
    from raysl.planning.calibration import device_of

    if (data is None) == (not videos):
        raise ConfigError("embed: give videos, or a data set with data=NAME; one of the two")
    if data is None and (options or roots):
        raise ConfigError("embed: options and roots are of a data set: give one with data=NAME")
    laid = [as_override(key, value) for key, value in (options or {}).items()]
    read = videos if data is None else chosen_set(data, laid, None, None)
    places = find_places([f"{name}={path}" for name, path in roots.items()], None if cache is None else Path(cache))
    where = device_of(device)
    return embed_videos(_cell(cell, storage), read, places, where, splits=splits, protocol=protocol, clips=clips)


def export_backbone(
    cell: CellResults | str, to: str | Path, *, storage: str | Path = "results", overwrite: bool = False
) -> list[str]:
    """Writes a cell's backbone as safetensors, with a model card that says how plain PyTorch loads it.

    Args:
        cell: of a store; or what `Store.cell` takes, of the store at ``storage``.
        to: a folder, or an address in a bucket.
        overwrite: what an earlier export wrote there is replaced.

    Returns:
        The names of the files.

    Raises:
        ConfigError: there are files in the folder.
        RayslError: the cell is not done, or has no weights.

    Example:
        >>> raysl.export_backbone(cell, "simclr")
        ['model.safetensors', 'cell.yaml', 'README.md']
    """
    from raysl.commands.export_backbone import export_backbone as write

    return write(_cell(cell, storage), str(to), PlainConsole(file=io.StringIO()), overwrite=overwrite)


def _cell(cell: CellResults | str, storage: str | Path) -> CellResults:
    return open_store(storage).cell(cell) if isinstance(cell, str) else cell
