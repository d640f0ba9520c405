"""`raysl export-backbone`: a cell's backbone in a folder of its own, for code that knows nothing of raysl."""

from __future__ import annotations

import io
import warnings

import torch
from safetensors.torch import save
from torch import Tensor

from raysl.commands.cell_results import CellResults
from raysl.commands.terminal import PlainConsole
from raysl.config.identity import resolved
from raysl.config.sections import ClipOptions
from raysl.data.fetch import without_credentials
from raysl.errors import ConfigError, RayslError
from raysl.models.backbone import Backbone
from raysl.models.plain_network import PlainNetwork
from raysl.reports.model_card import PROGRAM, WEIGHTS, CardInput, render_card
from raysl.results.encoding import to_yaml
from raysl.results.place import place

CARD, CONFIGURATION = "README.md", "cell.yaml"


def export_backbone(cell: CellResults, to: str, console: PlainConsole, *, overwrite: bool = False) -> list[str]:
    """Writes weights, card and configuration, and the network as a program where plain PyTorch does not build it.

    Args:
        to: a folder, or an address in a bucket.
        overwrite: files that an earlier export wrote there are replaced.

    Returns:
        The names of the files.

    Raises:
        ConfigError: the folder is there and not empty.
        RayslError: the cell is not done, or has no weights.
        StorageError: something cannot be read or written.
    """
    target = place(to, "folder of the backbone", "--to")
    if target.entries() and not overwrite:
        raise ConfigError(f"--to {without_credentials(to)}: there are files in it: give another folder, or --overwrite")
    backbone, config = cell.backbone(), cell.config
    component = config.backbone.component
    plain: PlainNetwork | None = None if component.plain is None else component.plain(config.backbone.options)
    weights = exported_weights(backbone, plain)
    if not weights:
        raise RayslError(f"cell {cell.name}: {config.backbone.name} has no weights: there is nothing to export")
    source = CardInput(
        cell.name,
        cell.titles,
        config,
        cell.folder.provenance() or {},
        cell.folder.state().progress,
        cell.records,
        plain,
        backbone.feature_dim,
    )
    # More metadata than one entry would be written in an order that changes from one call to the next.
    files = {WEIGHTS: save(weights, {"format": "pt"}), CONFIGURATION: to_yaml(resolved(config))}
    if plain is None:
        files[PROGRAM] = traced(backbone, config.clip)
    files[CARD] = render_card(source).encode()
    for name in {PROGRAM} - set(files):
        target.delete(name)  # of an earlier export
    for name, content in files.items():
        target.write(name, content)
    size = sum(map(len, files.values())) / 1e6
    console.print(f"written: {target.shown}: {', '.join(files)} ({size:.1f} MB); {CARD} says how to load it")
    return list(files)


def exported_weights(backbone: Backbone, plain: PlainNetwork | None) -> dict[str, Tensor]:
    """Parameters and buffers by the names of the network that they are for."""
    prefix = "" if plain is None else plain.prefix
    return {
        name.removeprefix(prefix): value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in backbone.state_dict().items()
    }


def traced(backbone: Backbone, clip: ClipOptions) -> bytes:
    """The network as a program for clips of this shape, in batches of any size."""
    clips = torch.zeros(2, 3, clip.frames, clip.size, clip.size)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = torch.export.Dim("batch", min=1)
        program = torch.export.export(backbone.eval(), (clips,), dynamic_shapes=({0: batch},))
        sink = io.BytesIO()
        torch.export.save(program, sink)
    return sink.getvalue()
