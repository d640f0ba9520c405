"""What an optimisation step costs on a GPU: ours beside a plain loop, what each choice costs, and where the time goes.

    python benchmarks/gpu_step.py [--device cpu] [--quick] [--out FOLDER]

What is measured: SimCLR on two clips of each video, batches that lie on the device already, AdamW, forward in bfloat16.
Medians over steps after warm-up, the device synchronised around each.

- ceilings: the card's rate of 8192 x 8192 matrix products, and of copies on it and to it;
- networks: `Learner.step` beside a plain loop (torchvision's network, or PyTorchVideo's; autocast, cross-entropy over
  cosines, `torch.optim.AdamW`; PyTorch's defaults, so its convolutions may give other bits each time), with clips as
  they come and in ``channels_last_3d``; the share of the rate of matrix products counts the multiplications of
  convolutions and matrices alone, by `torch.utils.flop_counter`;
- looking: steps one after the other as training takes them, without a wait around each: the values of each read before
  the next begins, one step later, and without metrics;
- choices: one changed at a time, for R3D-18 at 16 x 112²;
- kernels: which take the time, and for how much of a step the device does nothing;
- packing: 1, 2 and 4 processes with a cell each on one device, clips a second of all together.

Acceptance: ours is at least as fast as the plain loop in either layout.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from figures import Figure, print_figures
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from raysl.config.cell import CellConfig
from raysl.config.load import cell_from
from raysl.objectives.build import build_objective
from raysl.training.learner import Learner
from raysl.training.precision import choose_device, resolve_precision
from raysl.views.batch import Batch, View

Step = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A network and its clips. ``videos``: of a batch; there are two clips of each."""

    backbone: str
    frames: int
    size: int
    videos: int
    width: float = 1.0

    @property
    def name(self) -> str:
        width = "" if self.width == 1 else f" x {self.width}"
        return f"{self.backbone}{width} {self.frames} x {self.size}², {2 * self.videos} clips"


PAPERS = (
    Case("r3d_18", 16, 112, 64),
    Case("r2plus1d_18", 16, 112, 32),
    Case("cvrl_r3d", 16, 224, 16),
    Case("s3d_g", 16, 112, 64),
)
LAPTOP = Case("r3d_18", 8, 32, 32, 0.25)
QUICK = (Case("r3d_18", 4, 32, 4, 0.25), Case("cvrl_r3d", 4, 32, 2, 0.25))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default=None, help="cuda:0 where there is one, else cpu")
    parser.add_argument("--quick", action="store_true", help="tiny networks and few steps: does every part run?")
    parser.add_argument("--out", type=Path, default=None, help="folder for step.json and kernels.txt")
    parser.add_argument("--no-compile", action="store_true", help="leaves torch.compile out, which takes a minute")
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    report = Report(arguments.out, device)
    cases = QUICK if arguments.quick else PAPERS
    seconds = 0.2 if arguments.quick else 1.5
    rate = ceilings(report, device, 512 if arguments.quick else 8192)
    for case in cases:
        networks(report, case, device, seconds, rate)
    kernels(report, cases[0], device)
    for case in dict.fromkeys((cases[0], QUICK[0] if arguments.quick else LAPTOP)):
        looking(report, case, device, seconds)
    packing(report, QUICK[0] if arguments.quick else LAPTOP, device, seconds)
    choices(report, cases[0], device, seconds, compiled=not arguments.no_compile)
    print_figures(report.figures)


class Report:
    """Prints each value as it is measured, and keeps a file up to date with it."""

    def __init__(self, folder: Path | None, device: torch.device, file: str = "step.json") -> None:
        self.folder, self.file, self.values, self.figures = folder, file, dict[str, Any](), list[Figure]()
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        self.add(
            "hardware",
            {"device": name, "torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": _cudnn()},
        )

    def add(self, name: str, value: object) -> None:
        self.values[name] = value
        print(f"{name}: {value}", flush=True)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / self.file).write_text(json.dumps(self.values, indent=1) + "\n")


def _cudnn() -> int | None:
    return torch.backends.cudnn.version() if torch.cuda.is_available() else None


def timed(step: Step, device: torch.device, seconds: float, warm: int = 3) -> float:
    """Median seconds of a step."""
    for _ in range(warm):
        step()
    spent: list[float] = []
    while sum(spent) < seconds or len(spent) < 3:
        _wait(device)
        started = time.perf_counter()
        step()
        _wait(device)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ceilings(report: Report, device: torch.device, side: int) -> float:
    """The rates that nothing on this card exceeds; returns FLOP/s of bfloat16 matrix products."""
    rates = {}
    for name, dtype, tf32 in (
        ("bfloat16", torch.bfloat16, False),
        ("TF32", torch.float32, True),
        ("float32", torch.float32, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
        rates[name] = 2 * side**3 / timed(partial(torch.matmul, left, right), device, 0.3)
    torch.backends.cuda.matmul.allow_tf32 = False
    report.add("matrix products, TFLOP/s", {name: round(rate / 1e12, 3) for name, rate in rates.items()})
    numbers = side * side // 4 * 16
    plain = torch.zeros(numbers, dtype=torch.uint8)
    copies = {"on the device": (torch.zeros(numbers, dtype=torch.uint8, device=device), 2)}
    copies |= {"to it, pageable": (plain, 1)}
    if device.type == "cuda":
        copies |= {"to it, pinned": (plain.pin_memory(), 1)}
    target = torch.empty(numbers, dtype=torch.uint8, device=device)
    found = {
        name: round(moved * numbers / timed(partial(target.copy_, source), device, 0.2) / 1e9, 2)
        for name, (source, moved) in copies.items()
    }
    report.add("copies, GB/s", found)
    return rates["bfloat16"]


def cell_of(case: Case, **changes: Any) -> CellConfig:
    return cell_from(
        {
            "data": {"name": "synthetic"},
            "clip": {"frames": case.frames, "stride": 2, "size": case.size, "resize": case.size},
            "sampling": {"pair": {"name": "random"}},
            "augment": {"name": "standard"},
            "backbone": {"name": case.backbone, "width": case.width},
            "objective": {"contrastive": {"framework": "simclr"}},
            "optimizer": {"name": "adamw", "learning_rate": {"value": 1e-3, "at_batch": 32}, "weight_decay": 1e-4},
            "schedule": {"name": "cosine"},
            "training": {"steps": 10**6, "batch_size": case.videos, "precision": "auto", **changes},
        },
        "the benchmark's cell",
    )


def batch_of(case: Case, device: torch.device, layout: torch.memory_format = torch.channels_last_3d) -> Batch:
    """Noise: what a batch holds changes no time."""
    generator = torch.Generator().manual_seed(0)

    def view() -> View:
        clips = torch.randn(case.videos, 3, case.frames, case.size, case.size, generator=generator)
        rows = torch.zeros(case.videos)
        return View(clips, torch.arange(case.videos), rows, torch.zeros(case.videos, 4), rows, rows)

    return Batch({"query": view(), "key": view()}).to(device, layout)


def learner_of(case: Case, device: torch.device, **changes: Any) -> Learner:
    cell = cell_of(case, **changes)
    torch.manual_seed(0)
    objective = build_objective(cell, range(case.videos), 10**6)
    precision = resolve_precision(cell.training.precision, device)
    return Learner(objective, cell, total_steps=10**6, steps_per_epoch=10, device=device, precision=precision)


def ours(case: Case, device: torch.device, **changes: Any) -> Step:
    learner, batch = learner_of(case, device, **changes), batch_of(case, device)
    return lambda: learner.step([batch], 10)


class Plain(nn.Module):
    """The network that the library builds, with SimCLR's projector as ours has it."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        reference = build_objective(cell_of(case), range(case.videos), 10)
        networks = {"r3d_18": torchvision.models.video.r3d_18, "r2plus1d_18": torchvision.models.video.r2plus1d_18}
        if case.backbone in networks and case.width == 1:
            self.backbone = networks[case.backbone]()
            self.backbone.fc = nn.Identity()
        else:
            self.backbone = reference.backbone
        self.projector = next(m for m in reference.modules() if type(m).__name__ == "Projector")

    def forward(self, clips: Tensor) -> Tensor:
        features = self.backbone(clips)
        return self.projector(features.mean(dim=(2, 3, 4)) if features.ndim == 5 else features)


def plain(case: Case, device: torch.device, layout: torch.memory_format) -> Step:
    torch.manual_seed(0)
    network = Plain(case).to(device).to(memory_format=layout)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-4)
    batch = batch_of(case, device, layout)
    precision = resolve_precision("auto", device)
    own = torch.eye(2 * case.videos, dtype=torch.bool, device=device)
    positives = torch.arange(2 * case.videos, device=device).roll(case.videos)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            rows = network(torch.cat([batch.views["query"].clips, batch.views["key"].clips]))
        rows = F.normalize(rows.float(), dim=1)
        loss = F.cross_entropy((rows @ rows.T / 0.1).masked_fill(own, -torch.inf), positives)
        loss.backward()
        nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
        optimizer.step()
        return loss.item()

    return step


@contextmanager
def cudnn(*, deterministic: bool, benchmark: bool, tf32: bool = True) -> Iterator[None]:
    """``deterministic`` is of all operations, as `choose_device` sets it: it holds cuDNN too."""
    before = torch.are_deterministic_algorithms_enabled()
    kept = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = benchmark, tf32
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=True)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32 = kept


def networks(report: Report, case: Case, device: torch.device, seconds: float, rate: float) -> None:
    clips = 2 * case.videos
    with FlopCounterMode(display=False) as counter:
        ours(Case(case.backbone, case.frames, case.size, 2, case.width), device)()
    flops = counter.get_total_flops() / 4
    _forget(device)
    speed = {"ours": clips / timed(ours(case, device), device, seconds)}
    memory = _peak(device)
    for name, layout in (("plain", torch.contiguous_format), ("plain, channels last", torch.channels_last_3d)):
        with cudnn(deterministic=False, benchmark=False):
            speed[name] = clips / timed(plain(case, device, layout), device, seconds)
    report.add(
        case.name,
        {
            "clips/s": {name: round(value, 1) for name, value in speed.items()},
            "GFLOP a clip": round(flops / 1e9, 1),
            "share of the matrix rate": round(speed["ours"] * flops / rate, 3),
            "GiB": memory,
        },
    )
    report.figures += [
        Figure(f"step of {case.name} vs {peer}", speed["ours"], speed[peer], "clips/s")
        for peer in ("plain", "plain, channels last")
    ]


def _forget(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> float | None:
    return round(torch.cuda.max_memory_allocated(device) / 2**30, 2) if device.type == "cuda" else None


def choices(report: Report, case: Case, device: torch.device, seconds: float, *, compiled: bool) -> None:
    """Clips a second with one thing changed, and whether two runs of three steps then give the same bits."""

    def contiguous() -> Step:
        learner, batch = learner_of(case, device), batch_of(case, device, torch.contiguous_format)
        for parameter in learner.objective.parameters():
            parameter.data = parameter.data.contiguous()
        return lambda: learner.step([batch], 10)

    def unfused() -> Step:
        learner, batch = learner_of(case, device), batch_of(case, device)
        groups = [{**group, "fused": None} for group in learner.optimizer.param_groups]
        learner.optimizer = torch.optim.AdamW(groups)
        return lambda: learner.step([batch], 10)

    stated = partial(cudnn, deterministic=True, benchmark=False)
    variants: dict[str, tuple[Callable[[], Step], Callable[[], Any]]] = {
        "as it is": (partial(ours, case, device), stated),
        "free to choose algorithms": (
            partial(ours, case, device),
            partial(cudnn, deterministic=False, benchmark=False),
        ),
        "cuDNN times its algorithms": (
            partial(ours, case, device),
            partial(cudnn, deterministic=False, benchmark=True),
        ),
        "timed among those with fixed bits": (
            partial(ours, case, device),
            partial(cudnn, deterministic=True, benchmark=True),
        ),
        "contiguous": (contiguous, stated),
        "AdamW of several kernels": (unfused, stated),
        "TF32": (partial(ours, case, device, precision="float32"), stated),
        "float32": (partial(ours, case, device, precision="float32"), partial(stated, tf32=False)),
    }
    if compiled:
        variants["torch.compile of the backbone"] = (partial(ours, case, device, compile=True), stated)
    for name, (build, setting) in variants.items():
        with setting():
            _forget(device)
            started = time.perf_counter()
            bits = {_digest(build()) for _ in range(1 if "compile" in name else 2)}
            begun = time.perf_counter() - started
            speed = 2 * case.videos / timed(build(), device, seconds)
            report.add(
                f"choice: {name}",
                {
                    "clips/s": round(speed, 1),
                    "same bits twice": len(bits) == 1,
                    "GiB": _peak(device),
                    "seconds to begin": round(begun, 1),
                },
            )


def _digest(step: Step) -> tuple[float, float]:
    """Loss and gradient norm after three steps: other bits in any weight move the norm."""
    values: Any = [step() for _ in range(3)][-1]
    return values.loss, values.gradient_norm


def kernels(report: Report, case: Case, device: torch.device, steps: int = 5) -> None:
    step = ours(case, device)
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    spent = steps * timed(step, device, 1.0)  # the profiler itself takes time
    with profile(activities=activities) as profiler:
        for _ in range(steps):
            step()
        _wait(device)
    averages = profiler.key_averages()
    by = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    busy = (
        sum(getattr(entry, by) for entry in averages if entry.device_type.name != "CPU" or device.type == "cpu") / 1e6
    )
    report.add("device busy, share of a step", round(min(busy / spent, 1.0), 3))
    if report.folder is not None:
        (report.folder / "kernels.txt").write_text(averages.table(sort_by=by, row_limit=30, max_name_column_width=90))


def looking(report: Report, case: Case, device: torch.device, seconds: float) -> None:
    """Clips a second of steps in a row. The host waits for the device at the end alone, or where it looks at values."""
    rates = {}
    for name, ahead, metrics in (
        ("values read at once", 0, True),
        ("one step later", 1, True),
        ("one step later, without metrics", 1, False),
    ):
        learner, batch = learner_of(case, device), batch_of(case, device)
        learner.ahead = ahead

        def step(learner: Learner = learner, batch: Batch = batch, metrics: bool = metrics) -> None:
            learner.take([batch], 10, metrics=metrics)
            learner.read(learner.ahead)

        for _ in range(3):
            step()
        _wait(device)
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            step()
            steps += 1
        _wait(device)
        rates[name] = round(steps * 2 * case.videos / (time.perf_counter() - started), 1)
    report.add(f"looking at values, {case.name}, clips/s", rates)
    at_once, later, _ = rates.values()
    report.figures.append(Figure(f"{case.name}: values one step later vs at once", later, at_once, "clips/s"))


def packing(report: Report, case: Case, device: torch.device, seconds: float) -> None:
    """Clips a second of all processes together."""
    context = multiprocessing.get_context("spawn")
    together = {}
    for processes in (1, 2, 4):
        barrier, results = context.Barrier(processes), context.Queue()
        given = (case, str(device), seconds, barrier, results)
        running = [context.Process(target=_one_of_several, args=given) for _ in range(processes)]
        for process in running:
            process.start()
        together[processes] = round(sum(results.get(timeout=300) for _ in running), 1)
        for process in running:
            process.join()
    report.add(f"packing of {case.name}, clips/s by processes", together)


def _one_of_several(case: Case, named: str, seconds: float, barrier: Any, results: Any) -> None:
    torch.set_num_threads(1)
    device = choose_device(named)
    step = ours(case, device)
    for _ in range(5):
        step()
    barrier.wait(timeout=240)
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        steps += 1
    results.put(steps * 2 * case.videos / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
