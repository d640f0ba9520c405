"""GPUs, and Ray."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from raysl.commands.doctor.finding import DoctorOptions, Finding, first_line, size

DRIVER = Path("/proc/driver/nvidia/version")


def gpus(_: DoctorOptions) -> Iterator[Finding]:
    """The build of PyTorch, and every GPU that it sees, each of which multiplies two small matrices."""
    import torch

    built = f"torch {torch.__version__}, " + (f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA")
    values = {"torch": torch.__version__, "cuda": torch.version.cuda, "visible": os.environ.get("CUDA_VISIBLE_DEVICES")}
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            yield _gpu(number, built)
        return
    if DRIVER.exists():
        text = f"{built}: sees no GPU, though this machine has NVIDIA's driver"
        advice = (
            "torch has no CUDA here: pip install the CUDA build of torch"
            if torch.version.cuda is None
            else "see that nvidia-smi works, that CUDA_VISIBLE_DEVICES names a GPU, and that the driver is new enough "
            f"for CUDA {torch.version.cuda} (docker run --gpus all)"
        )
        yield Finding("GPU", "warning", text, advice, {**values, "driver": DRIVER.read_text().splitlines()[0]})
        return
    yield Finding("GPU", "ok", f"{built}: no GPU, cells are computed on the CPU", values=values)


def _gpu(number: int, built: str) -> Finding:
    import torch

    name, topic = torch.cuda.get_device_name(number), f"GPU {number}"
    try:
        free, total = torch.cuda.mem_get_info(number)
        square = torch.ones(64, 64, device=f"cuda:{number}")
        computed = float((square @ square).sum())
    except RuntimeError as error:
        advice = f"{built} cannot compute on it: update the driver, or install a build of torch for this card"
        return Finding(topic, "failed", f"{name}: {first_line(error)}", advice)
    values = {"name": name, "free": free, "total": total, "capability": torch.cuda.get_device_capability(number)}
    if computed != 64.0**3:
        return Finding(topic, "failed", f"{name}: a product of matrices is {computed}, not {64.0**3}", values=values)
    return Finding(topic, "ok", f"{name}, {size(free)} free of {size(total)}; {built}", values=values)


def ray_found(options: DoctorOptions) -> Iterator[Finding]:
    """Its version and the address that a run would join; with ``--ray``, what it answers."""
    variable = os.environ.get("RAY_ADDRESS", "")
    version = metadata.version("ray")
    given = options.address or variable.strip()
    where = "a run joins the cluster that is given" if given else "a run starts its own"
    values = {"version": version, "address": bool(given)}
    if variable and not variable.strip():
        yield Finding("Ray", "failed", f"RAY_ADDRESS is {variable!r}", "set it to HOST:PORT, or unset it", values)
        return
    if not options.ray:
        yield Finding("Ray", "ok", f"{version}; {where} (not tried: --ray tries it)", values=values)
        return
    from raysl.engine.answer import ask_ray  # which imports Ray

    answer = ask_ray(options.address)
    text = f"{version}; {where}: answers after {answer.seconds:.1f} s, {answer.nodes} nodes, {answer.cpus:g} CPUs, "
    yield Finding("Ray", "ok", f"{text}{answer.gpus:g} GPUs", values={**values, **answer.as_json()})
