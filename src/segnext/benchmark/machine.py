"""The machine that figures come from, and how fast it can be at best."""

import importlib.metadata
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.nn import functional

from segnext import __version__
from segnext.benchmark.timing import wait_for
from segnext.inference.backends.torch_eager import PRECISIONS

_PACKAGES = ("torch", "numpy", "onnxruntime", "openvino", "triton")
_MEASURE_S = 0.5
# Sides of square matrices, and values to copy: large beside the caches, small beside the memory.
_SIDE = {"cpu": 1024, "cuda": 8192}
_COPIED_VALUES = {"cpu": 32_000_000, "cuda": 256_000_000}


@dataclass(frozen=True)
class Machine:
    """What ran a benchmark.

    Attributes:
        cpu: Name of the processor.
        cores: Physical ones; `None` where the system does not say.
        logical_cores: Hardware threads.
        memory_gb: Of the whole machine [10**9 bytes].
        system: Operating system and architecture.
        versions: Of segnext, Python and the libraries that are there.
        threads: That torch uses on the CPU.
        device: `cpu`, `cuda:0` or `mps`.
        accelerator: Name of the GPU, or `None`.
        accelerator_memory_gb: Of the GPU [10**9 bytes], or `None`.
        cuda: Version that torch was built for, or `None`.
        peak_gflops: The best of matrix products and 1x1 convolutions on the device, measured, by
            precision [10**9 floating point operations per second].
        copy_gb_s: Copying memory on the device, reads and writes together, measured
            [10**9 bytes per second].
    """

    cpu: str
    cores: int | None
    logical_cores: int
    memory_gb: float
    system: str
    versions: Mapping[str, str]
    threads: int
    device: str
    accelerator: str | None
    accelerator_memory_gb: float | None
    cuda: str | None
    peak_gflops: Mapping[str, float]
    copy_gb_s: float

    def best_gflops(self, precision: str) -> float:
        """Return the peak to hold a run of a precision against.

        It is that of float32 where that is higher: a processor without the precision's own
        arithmetic is no slower than the runs that fall back to float32.
        """
        return max(self.peak_gflops[precision], self.peak_gflops["float32"])

    def describe(self) -> list[str]:
        """Return the machine in lines for people."""
        cores = f"{self.cores or self.logical_cores} cores, {self.threads} threads"
        lines = [f"{self.cpu}, {cores}, {self.memory_gb:.0f} GB; {self.system}"]
        if self.accelerator is not None and self.accelerator_memory_gb is not None:
            lines.append(
                f"{self.accelerator}, {self.accelerator_memory_gb:.0f} GB, CUDA {self.cuda}"
            )
        lines.append(", ".join(f"{name} {version}" for name, version in self.versions.items()))
        peaks = ", ".join(f"{rate:.0f} GFLOP/s {name}" for name, rate in self.peak_gflops.items())
        lines.append(f"measured on {self.device}: {peaks}; copying {self.copy_gb_s:.1f} GB/s")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


def describe_machine(device: torch.device, precisions: tuple[str, ...] = ()) -> Machine:
    """Describe this machine and measure its peaks, which takes a second or two.

    Args:
        device: Whose peaks count.
        precisions: `bfloat16`, `float16`: to measure beside float32.
    """
    accelerator, accelerator_memory = None, None
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        accelerator, accelerator_memory = properties.name, properties.total_memory / 1e9
    return Machine(
        cpu=_cpu_name(),
        cores=psutil.cpu_count(logical=False),
        logical_cores=psutil.cpu_count() or 1,
        memory_gb=psutil.virtual_memory().total / 1e9,
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        versions={"Python": platform.python_version(), **installed_versions(_PACKAGES)},
        threads=torch.get_num_threads(),
        device=str(device),
        accelerator=accelerator,
        accelerator_memory_gb=accelerator_memory,
        cuda=torch.version.cuda,
        peak_gflops={
            name: measure_gflops(device, PRECISIONS[name])
            for name in dict.fromkeys(("float32", *precisions))
        },
        copy_gb_s=measure_copy(device),
    )


def measure_gflops(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the best of a matrix product and a 1x1 convolution [10**9 operations per second].

    Both, because their libraries differ: on CUDA, float32 convolutions may take the faster TF32
    where products do not.
    """
    side = _SIDE.get(device.type, 1024)
    left = torch.randn(side, side, device=device).to(dtype)
    right = torch.randn(side, side, device=device).to(dtype)
    # The same product with the rows as pixels of one image.
    image = left.view(1, 1, side, side).permute(0, 3, 1, 2)
    kernel = right.view(side, side, 1, 1)

    def convolve() -> Tensor:
        return functional.conv2d(image, kernel)

    with torch.inference_mode():
        best = min(_best_time(lambda: left @ right, device), _best_time(convolve, device))
    return 2 * side**3 / best / 1e9


def measure_copy(device: torch.device) -> float:
    """Measure copying within memory, bytes read and written together [10**9 bytes per second]."""
    source = torch.zeros(_COPIED_VALUES.get(device.type, 32_000_000), device=device)
    target = torch.ones_like(source)
    return 2 * source.nbytes / _best_time(lambda: target.copy_(source), device) / 1e9


def _best_time(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of the fastest of several calls after a first one."""
    work()
    best, end = float("inf"), time.perf_counter() + _MEASURE_S
    while time.perf_counter() < end or best == float("inf"):
        wait_for(device)
        start = time.perf_counter()
        work()
        wait_for(device)
        best = min(best, time.perf_counter() - start)
    return best


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def installed_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of segnext and of those packages that are installed."""
    versions = {"segnext": __version__}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
