"""Evaluating a set of labelled videos, beside the bare forward pass of the same clips.

    python benchmarks/evaluation.py [FOLDER] [--videos N] [--clips 10] [--rounds 3] [--threads 1]

FOLDER holds UCF-101/ and ucfTrainTestlist/, of which five classes are read (646 videos); without one, as many short
videos are rendered. What is measured is the SimCLR cell of search_spaces/ucf101_5class.yaml at the scale laptop (R3D-18
of a quarter of its width, clips of 8 frames of 32 pixels: the smaller the network, the more all else costs): linear
probe, its c chosen, and retrieval, as `raysl run` makes them on decoded frames. Ways take turns round by round, in one
process and with equally many threads for the network; the median over rounds is given.

- bare: the clips are in memory, in batches of 40: the network and the mean over places, and nothing else;
- features: clips are read from the frame cache and cropped in a thread beside the network (`extract_features`);
- whole: both protocols on these features, with their records and predictions.

Acceptance: the whole takes at most 1.15 times the bare pass, by the clock. Reading works on a second CPU while the
network has one; the CPU seconds of all threads are given too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from figures import Figure, print_figures
from torch import Tensor

from raysl.config.cell import CellConfig
from raysl.config.component import Chosen, find
from raysl.config.evaluation import EvaluationConfig
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.features import extract_features, labelled_videos
from raysl.models.backbone import Backbone, pool
from raysl.objectives.build import draw_backbone
from raysl.planning.plan_study import plan_study
from raysl.planning.study import load_study
from raysl.views.evaluation_clips import evaluation_clips

STUDY = Path(__file__).resolve().parents[1] / "search_spaces" / "ucf101_5class.yaml"
BATCH, MOST = 40, 1.15
CPU = torch.device("cpu")
Ways = dict[str, Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="of UCF101; none: rendered videos")
    parser.add_argument("--videos", type=int, default=646, help="rendered, where there is no folder")
    parser.add_argument("--clips", type=int, default=10, help="of a video")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cell = next(cell for cell in plan_study(load_study(STUDY, "laptop")) if cell.pretrains).config
    with tempfile.TemporaryDirectory() as folder:
        data, places = _data(cell, given.folder, given.videos, Path(folder))
        source = open_source(data, places, resize=cell.clip.resize, processes=None)
        compare(cell, data, source, given.clips, given.rounds)


def _data(cell: CellConfig, folder: Path | None, videos: int, temporary: Path) -> tuple[Chosen, Places]:
    if folder is not None:
        return cell.data, Places({"ucf101": folder}, temporary, 100.0)
    train, test = round(videos * 0.7) // 5, videos // 5 - round(videos * 0.7) // 5
    shape = {"classes": 5, "train_per_class": train, "test_per_class": test, "frames": 20, "height": 64, "width": 84}
    return Chosen("data set", "synthetic", find("data set", "synthetic").options(**shape)), Places({}, temporary, 100.0)


def compare(cell: CellConfig, data: Chosen, source: VideoSource, count: int, rounds: int) -> None:
    torch.manual_seed(0)
    backbone = draw_backbone(cell).to(memory_format=torch.channels_last_3d)
    videos = [video for split in ("train", "test") for video in labelled_videos(source, split)]
    batches = torch.stack([evaluation_clips(source, video.index, cell.clip, count) for video in videos])
    flat = batches.flatten(0, 1)
    batches = [part.contiguous(memory_format=torch.channels_last_3d) for part in flat.split(BATCH)]
    ways: Ways = {
        "bare": lambda: _forward(backbone, batches),
        "features": lambda: [
            extract_features(backbone, source, split, cell.clip, count, device=CPU) for split in ("train", "test")
        ],
        "whole": lambda: _evaluate(backbone, cell, data, source, count),
    }
    wall, cpu = take_turns(ways, rounds)
    what = f"{len(videos)} videos x {count} clips"
    print(f"\n{what}, {torch.get_num_threads()} thread(s): median seconds of {rounds} rounds")
    for name in ways:
        ratios = f"{wall[name] / wall['bare']:5.2f} {cpu[name] / cpu['bare']:5.2f}"
        print(f"  {name:<10} wall {wall[name]:7.2f}  cpu {cpu[name]:7.2f}  to bare {ratios}")
    print(f"acceptance (whole at most {MOST} by the clock): {wall['whole'] / wall['bare'] <= MOST}")
    print_figures(
        [
            Figure(f"evaluation of {what} vs forward pass", wall["whole"], wall["bare"], "s"),
            Figure("the same, CPU time of all threads", cpu["whole"], cpu["bare"], "CPU s"),
        ]
    )


def _forward(backbone: Backbone, batches: list[Tensor]) -> None:
    backbone.eval()
    with torch.inference_mode():
        for clips in batches:
            pool(backbone(clips))


def _evaluate(backbone: Backbone, cell: CellConfig, data: Chosen, source: VideoSource, count: int) -> None:
    wanted = {}
    for name in ("linear", "retrieval"):
        options = find("protocol", name).options(clips=count)
        wanted[name] = EvaluationConfig(label=name, protocol=Chosen("protocol", name, options), data=data)
    evaluate(backbone, wanted, cell.clip, lambda _: source, seed=0, device=CPU)


def take_turns(ways: Ways, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Wall and CPU seconds by way, medians over rounds after one of warm-up."""
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            began, used = time.perf_counter(), time.process_time()
            way()
            if turn:
                wall[name].append(time.perf_counter() - began)
                cpu[name].append(time.process_time() - used)
    return tuple({name: statistics.median(values) for name, values in one.items()} for one in (wall, cpu))  # type: ignore[return-value]


if __name__ == "__main__":
    main()
