"""The card of an exported backbone: what it is, how plain PyTorch loads it, what clips it reads, what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from raysl.config.cell import CellConfig
from raysl.models.plain_network import POOLED, PlainNetwork
from raysl.results import Title
from raysl.views.clip_input import DIFFERENCE_STD, MEAN, STD

WEIGHTS = "model.safetensors"
PROGRAM = "model.pt2"


@dataclass(frozen=True)
class CardInput:
    """What a card is written from.

    Attributes:
        cell: name of its folder.
        titles: of the rows that it belongs to.
        provenance, summary: as stored.
        records: label to record of each evaluation that is done.
        plain: how the network is built; None: it is exported as a program.
        feature_dim: D.
    """

    cell: str
    titles: Sequence[Title]
    config: CellConfig
    provenance: Mapping[str, Any]
    summary: Mapping[str, Any]
    records: Mapping[str, Mapping[str, Any]]
    plain: PlainNetwork | None
    feature_dim: int


def render_card(source: CardInput) -> str:
    """Markdown with front matter as Hugging Face's Hub reads it."""
    name = source.config.backbone.name
    called = source.titles[0].text if source.titles else f"cell {source.cell}"
    parts = [
        f"---\n{yaml.safe_dump(_front_matter(source, called), sort_keys=False, allow_unicode=True)}---",
        f"# {name}: {called}",
        _what(source),
        "## Use",
        _use(source),
        "## Clips",
        _clips(source.config),
        "## Results",
        _results(source.records),
        "## Where it comes from",
        _origin(source),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(source: CardInput, called: str) -> dict[str, Any]:
    results = [
        {
            "task": {"type": "video-classification", "name": label},
            "dataset": {"type": str(_data(record).get("name")), "name": str(_data(record).get("name"))},
            "metrics": [{"type": name, "name": name, "value": value} for name, value in record["metrics"].items()],
        }
        for label, record in source.records.items()
    ]
    return {
        "license": "unknown",
        "library_name": "pytorch",
        "pipeline_tag": "feature-extraction",
        "tags": ["video", source.config.pretraining.replace("_", "-"), source.config.backbone.name, "raysl"],
        **({"model-index": [{"name": called, "results": results}]} if results else {}),
    }


def _what(source: CardInput) -> str:
    config, data = source.config, source.provenance.get("data") or {}
    trained = {
        "self_supervised": "pretrained without labels",
        "supervised": "trained on labels",
        "none": "not trained at all: its weights are as they were drawn",
    }[config.pretraining]
    where = f" on {data['name']}" if data else ""
    network = source.plain.origin if source.plain is not None else config.backbone.name
    changes = f", with {'; '.join(source.plain.changes)}" if source.plain is not None and source.plain.changes else ""
    return (
        f"A video backbone ({network}{changes}) {trained}{where}. It turns a clip into {source.feature_dim} features. "
        "It has no classifier."
    )


def _use(source: CardInput) -> str:
    if source.plain is not None:
        note = f"Every key of `{WEIGHTS}` loads strictly into the network that these lines build; raysl is not needed."
        program = source.plain.program(WEIGHTS)
    else:
        note = (
            f"`{PROGRAM}` holds the network and its weights as a program that PyTorch alone runs, for batches of any "
            f"size of clips of this shape. `{WEIGHTS}` has the same weights by raysl's names."
        )
        program = (
            f'import torch\n\nnetwork = torch.export.load("{PROGRAM}").module()\nfeatures = network(clips){POOLED}'
        )
    clip = source.config.clip
    shape = f"`clips` is float32 [B, 3, {clip.frames}, {clip.size}, {clip.size}], `features` [B, {source.feature_dim}]."
    return f"{note} {shape}\n\n```python\n{program}\n```"


def _clips(config: CellConfig) -> str:
    clip = config.clip
    difference = clip.input == "difference"
    read = (
        f"{clip.raw_frames} frames, every {_ordinal(clip.stride)} of a video, of which consecutive ones are subtracted "
        f"(input: difference; divided by {DIFFERENCE_STD}; no mean is taken off)"
        if difference
        else f"{clip.frames} frames, every {_ordinal(clip.stride)} of a video (input: rgb; mean {MEAN}, std {STD})"
    )
    last = (
        f"    return (pixels[:, 1:] - pixels[:, :-1]).div({DIFFERENCE_STD})"
        if difference
        else f"    mean, std = torch.tensor({MEAN}), torch.tensor({STD})\n"
        "    return (pixels - mean.view(3, 1, 1, 1)) / std.view(3, 1, 1, 1)"
    )
    code = f"""import torch
from torch.nn.functional import interpolate
from torchvision.transforms.v2 import functional


def clip_of(frames):  # [{clip.raw_frames}, 3, height, width], RGB, uint8
    side = min(frames.shape[-2:])
    size = [{clip.resize} * length // side for length in frames.shape[-2:]]
    frames = interpolate(frames, size, mode="bilinear", antialias=True)
    frames = functional.center_crop(frames, [{clip.resize}, {clip.resize}])
    frames = functional.resize(frames, [{clip.size}, {clip.size}], antialias=True)
    pixels = frames.to(torch.float32).div(255).transpose(0, 1)
{last}"""
    return (
        f"It reads clips of {read}, with their short side brought to {clip.resize} pixels and a square of "
        f"{clip.size} taken. Evaluations read the centre:\n\n```python\n{code}\n```"
    )


def _ordinal(number: int) -> str:
    return {1: "single one", 2: "second one", 3: "third one"}.get(number, f"{number}th one")


def _results(records: Mapping[str, Mapping[str, Any]]) -> str:
    if not records:
        return "None: no evaluation of this cell is done."
    lines = ["| evaluation | metric | percent | test videos |", "|---|---|---:|---:|"]
    for label, record in records.items():
        for name, value in record["metrics"].items():
            lines.append(f"| {label} | {name} | {value:.2f} | {record.get('n_test', '')} |")
    return "One seed's numbers, not a mean over seeds.\n\n" + "\n".join(lines)


def _origin(source: CardInput) -> str:
    config, data, git = source.config, source.provenance.get("data") or {}, source.provenance.get("git") or {}
    counts = ", ".join(f"{count} {split}" for split, count in (data.get("videos") or {}).items())
    trained = config.pretraining != "none"
    commit = f"{git.get('commit', 'unknown')}{' with changes' if git.get('dirty') else ''}"
    facts = {
        "study": ", ".join(dict.fromkeys(f"{title.study} (scale {title.scale})" for title in source.titles)),
        "row": ", ".join(dict.fromkeys(title.row for title in source.titles)),
        "seed": str(source.titles[0].seed if source.titles else config.training.seed),
        "cell": source.cell,
        "data set": f"{data['name']}: {counts} videos" if data else "none",
        "snapshot of the data": str(data.get("snapshot", "none")),
        "licence of the data": "unknown: it must be asked of whoever publishes the data set" if trained else "no data",
        "steps": str(source.summary.get("steps", "unknown")),
        "batch": f"{config.training.batch_size} videos" if trained else "",
        "raysl": f"{(source.provenance.get('packages') or {}).get('raysl', 'unknown')}, commit {commit}",
        "torch": str((source.provenance.get("packages") or {}).get("torch", "unknown")),
        "configuration": "cell.yaml",
    }
    shown = {
        name: value or ("unknown: no run has kept it" if name in ("study", "row") else "")
        for name, value in facts.items()
    }
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in shown.items() if value)]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _data(record: Mapping[str, Any]) -> Mapping[str, Any]:
    found = record.get("data")
    return found if isinstance(found, Mapping) else {}
