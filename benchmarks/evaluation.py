"""Evaluating a set of labelled videos, beside the bare forward pass of the same clips.

    python benchmarks/evaluation.py [FOLDER] [--videos N] [--clips 10] [--size 32] [--rounds 3] [--threads 1]
        [--loader-workers auto] [--quick]

FOLDER holds UCF-101/ and ucfTrainTestlist/, of which five classes are read (646 videos); without one, as many short
videos are rendered. What is measured is the SimCLR cell of search_spaces/ucf101_5class.yaml at the scale laptop (R3D-18
of a quarter of its width, clips of 8 frames of 32 pixels: the smaller the network, the more all else costs): linear
probe, its c chosen, and retrieval, as `raysl run` makes them on decoded frames. Ways take turns round by round, in one
process and with equally many threads for the network; the median over rounds is given.

- bare: the clips are in memory, in batches of 40: the network and the mean over places, and nothing else;
- cached: features of clips that are read from the frame cache (`extract_features`), by a thread or by processes, as
  `training.loader_workers: auto` chooses;
- decoded: the same without a frame cache;
- reading: clips are decoded and cropped in one thread, and no network runs;
- whole: both protocols on features of cached clips, with their records and predictions.

Goal: features within 1.1 of the bare pass, by the clock, and the whole within 1.15. Where decoding needs more CPUs than
the network leaves, no way of loading reaches that; so decoded features are also held against what the CPUs allow: the
longer of the network's time and of all CPU time divided by the CPUs. `--size 64` has a network that costs four times as
much, `--loader-workers 2` takes two processes whatever is measured.
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
from raysl.data.frame_cache import FrameCache
from raysl.data.places import Places
from raysl.data.source import VideoSource, open_source
from raysl.distributed import cpus_of_rank
from raysl.evaluation.clip_loading import loader_workers
from raysl.evaluation.evaluate import evaluate
from raysl.evaluation.features import features_of, labelled_videos
from raysl.evaluation.online_knn import spread
from raysl.models.backbone import Backbone, pool
from raysl.objectives.build import draw_backbone
from raysl.planning.plan_study import plan_study
from raysl.planning.study import load_study
from raysl.views.evaluation_clips import evaluation_clips
from raysl.views.loading import Asked

STUDY = Path(__file__).resolve().parents[1] / "search_spaces" / "ucf101_5class.yaml"
BATCH = 40
CPU = torch.device("cpu")
NOWHERE = Path("nowhere")
Ways = dict[str, Callable[[], object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="of UCF101; none: rendered videos")
    parser.add_argument("--videos", type=int, default=646, help="rendered, where there is no folder")
    parser.add_argument("--clips", type=int, default=10, help="of a video")
    parser.add_argument("--size", type=int, help="of clips, pixels; none: the scale's, 32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loader-workers", default="auto", help="processes that load clips, or auto")
    parser.add_argument(
        "--quick", action="store_true", help="60 rendered videos, clips of 64 pixels, one round; FOLDER is not read"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    given = parser.parse_args()
    videos, rounds = (60, 1) if given.quick else (given.videos, given.rounds)
    torch.set_num_threads(given.threads)
    cell = next(cell for cell in plan_study(load_study(STUDY, "laptop")) if cell.pretrains).config
    size = given.size or (64 if given.quick else cell.clip.size)  # shorter passes say nothing: a probe takes 0.4 s
    resize = max(cell.clip.resize, size)
    cell = cell.model_copy(update={"clip": cell.clip.model_copy(update={"size": size, "resize": resize})})
    asked: Asked = "auto" if given.loader_workers == "auto" else int(given.loader_workers)
    with tempfile.TemporaryDirectory() as folder:
        data, places = _data(cell, None if given.quick else given.folder, videos, Path(folder))
        source = open_source(data, places, resize=cell.clip.resize, processes=None)
        with loader_workers(asked):
            compare(cell, data, source, given.clips, rounds, videos)


def _data(cell: CellConfig, folder: Path | None, videos: int, temporary: Path) -> tuple[Chosen, Places]:
    if folder is not None:
        return cell.data, Places({"ucf101": folder}, temporary, 100.0)
    train, test = round(videos * 0.7) // 5, videos // 5 - round(videos * 0.7) // 5
    shape = {"classes": 5, "train_per_class": train, "test_per_class": test, "frames": 20, "height": 64, "width": 84}
    return Chosen("data set", "synthetic", find("data set", "synthetic").options(**shape)), Places({}, temporary, 100.0)


def compare(cell: CellConfig, data: Chosen, source: VideoSource, count: int, rounds: int, most: int) -> None:
    torch.manual_seed(0)
    backbone = draw_backbone(cell).to(memory_format=torch.channels_last_3d)
    videos = spread([video for split in ("train", "test") for video in labelled_videos(source, split)], most)
    uncached = VideoSource(source.catalog, source.manifest, source.root, FrameCache(NOWHERE, cell.clip.resize, 0))
    clips = torch.cat([evaluation_clips(source, video.index, cell.clip, count) for video in videos])
    batches = [part.contiguous(memory_format=torch.channels_last_3d) for part in clips.split(BATCH)]

    def features(of: VideoSource) -> object:
        return features_of(backbone, of, videos, cell.clip, count, device=CPU)

    ways: Ways = {
        "bare": lambda: _forward(backbone, batches),
        "cached": lambda: features(source),
        "decoded": lambda: features(uncached),
        "reading": lambda: [evaluation_clips(uncached, video.index, cell.clip, count) for video in videos],
    }
    if len(videos) == sum(len(labelled_videos(source, split)) for split in ("train", "test")):
        ways["whole"] = lambda: _evaluate(backbone, cell, data, source, count)
    wall, cpu = take_turns(ways, rounds)
    what = f"{len(videos)} videos x {count} clips of {cell.clip.frames} frames of {cell.clip.size}"
    print(f"\n{what}, {torch.get_num_threads()} thread(s), {cpus_of_rank()} CPUs: median seconds of {rounds} rounds")
    for name in ways:
        ratios = f"{wall[name] / wall['bare']:5.2f} {cpu[name] / cpu['bare']:5.2f}"
        print(f"  {name:<10} wall {wall[name]:7.2f}  cpu {cpu[name]:7.2f}  to bare {ratios}")
    allowed = max(wall["bare"], (cpu["bare"] + cpu["reading"]) / cpus_of_rank())
    figures = [
        Figure(f"features of {what}, cached, vs forward pass", wall["cached"], wall["bare"], "s", 1.1, 1.2, "less"),
        Figure("the same, decoded, vs forward pass", wall["decoded"], wall["bare"], "s", 1.1, 3.0, "less"),
        Figure("the same, decoded, vs what the CPUs allow", wall["decoded"], allowed, "s", 1.1, 1.4, "less"),
    ]
    if "whole" in ways:
        figures.append(
            Figure("both protocols, cached, vs forward pass", wall["whole"], wall["bare"], "s", 1.15, 1.25, "less")
        )
        figures.append(Figure("the same, CPU time of all threads", cpu["whole"], cpu["bare"], "CPU s", better="less"))
    print_figures(figures)


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
    """Wall seconds and CPU seconds of this process by way, medians over rounds after one of warm-up."""
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
