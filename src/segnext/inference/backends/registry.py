"""Backends by name, what each needs, and which one `auto` means."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from segnext.errors import UsageError, WeightsError, describe_unknown
from segnext.inference.backends import onnx_runtime, openvino_runtime, torch_compiled
from segnext.inference.backends.cuda_graphs import CudaGraphRunner
from segnext.inference.backends.executorch_runtime import SUFFIX as EXECUTORCH_SUFFIX
from segnext.inference.backends.executorch_runtime import ExecutorchRunner
from segnext.inference.backends.extras import missing_extra
from segnext.inference.backends.runner import Runner
from segnext.inference.backends.torch_eager import check_precision, open_eager, open_folded
from segnext.inference.device import choose_device
from segnext.inference.fold import can_fold
from segnext.models import SegmentationModel

AUTO = "auto"
ALL_PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Request:
    """What a network is to run on.

    Attributes:
        device: Where.
        threads: Of the backend's own; `None` for its choice.
        precision: `float32`, `bfloat16` or `float16`.
    """

    device: torch.device
    threads: int | None
    precision: str


@dataclass(frozen=True)
class Backend:
    """A way to run a network.

    Attributes:
        description: In one line, for people.
        devices: Kinds of devices it runs on.
        precisions: That it computes in.
        open_model: Makes a runner from a model.
        missing: Says in one line what must be installed first; `None` if nothing.
    """

    description: str
    devices: tuple[str, ...]
    precisions: tuple[str, ...]
    open_model: Callable[[SegmentationModel, Request], Runner]
    missing: Callable[[], str | None] = lambda: None


# From the fastest to the slowest on each device; docs/benchmarks.md has by how much.
BACKENDS: dict[str, Backend] = {
    "cuda_graphs": Backend(
        "folded, recorded as CUDA graphs",
        ("cuda",),
        ALL_PRECISIONS,
        lambda model, request: CudaGraphRunner(model, request.device, request.precision),
    ),
    "openvino": Backend(
        "OpenVINO",
        ("cpu",),
        ALL_PRECISIONS,
        lambda model, request: openvino_runtime.open_openvino(
            model, request.threads, request.precision
        ),
        lambda: missing_extra("openvino", "openvino"),
    ),
    "onnxruntime": Backend(
        "ONNX Runtime",
        ("cpu", "cuda"),
        ("float32",),
        lambda model, request: onnx_runtime.open_onnx_runtime(
            model, request.device, request.threads
        ),
        lambda: missing_extra("onnxruntime", "export") or missing_extra("onnxscript", "export"),
    ),
    "folded": Backend(
        "PyTorch, folded",
        ("cpu", "cuda", "mps"),
        ALL_PRECISIONS,
        lambda model, request: open_folded(model, request.device, request.precision),
    ),
    "compiled": Backend(
        "folded, torch.compile",
        ("cpu", "cuda"),
        ALL_PRECISIONS,
        lambda model, request: torch_compiled.open_compiled(
            model, request.device, request.precision
        ),
        torch_compiled.missing_compiler,
    ),
    "aotinductor": Backend(
        "folded, compiled ahead of time by Inductor",
        ("cpu", "cuda"),
        ALL_PRECISIONS,
        lambda model, request: torch_compiled.open_aot(model, request.device, request.precision),
        torch_compiled.missing_compiler,
    ),
    "eager": Backend(
        "PyTorch, the model as it was trained",
        ("cpu", "cuda", "mps"),
        ALL_PRECISIONS,
        lambda model, request: open_eager(model, request.device, request.precision),
    ),
}
# What `auto` looks at: a compilation of minutes, or a conversion for less than it brings, is for
# those who ask for it.
AUTOMATIC = ("cuda_graphs", "openvino", "folded")

FILES: dict[str, str] = {
    onnx_runtime.SUFFIX: "onnxruntime",
    openvino_runtime.SUFFIX: "openvino",
    torch_compiled.PACKAGE_SUFFIX: "aotinductor",
    EXECUTORCH_SUFFIX: "executorch",
}


def is_exported(source: object) -> bool:
    """Tell whether a source is a file for another runtime, by its suffix."""
    return isinstance(source, str | Path) and Path(source).suffix.lower() in FILES


def open_runner(
    source: SegmentationModel | str | Path,
    *,
    backend: str = AUTO,
    device: str | torch.device | None = None,
    threads: int | None = None,
    precision: str = "float32",
) -> Runner:
    """Make a network ready to run.

    Args:
        source: A model, or a file that `segnext export` wrote (`.onnx`, `.xml`, `.pt2`, `.pte`).
        backend: A name in `BACKENDS`, or `auto` for the fastest that is installed and fits; a
            file has its own.
        device: `cpu`, `cuda` or `mps`; the fastest there is if not given.
        threads: To compute with; the backend's own choice if not given. PyTorch's backends share
            one number in a process.
        precision: `float32`, `bfloat16` or `float16`, where the backend and the device have it.

    Raises:
        UsageError: The backend is unknown, not installed, or cannot do what is asked for.
        WeightsError: The file cannot be read.
    """
    if threads is not None and threads < 1:
        msg = f"threads must be 1 or more, got {threads}"
        raise UsageError(msg)
    if precision not in ALL_PRECISIONS:
        raise UsageError(describe_unknown("precision", precision, ALL_PRECISIONS))
    if backend not in (AUTO, *BACKENDS):
        raise UsageError(describe_unknown("backend", backend, (AUTO, *BACKENDS)))
    chosen = device if isinstance(device, torch.device) else choose_device(device)
    request = Request(chosen, threads, precision)
    if not isinstance(source, SegmentationModel):
        return _open_file(Path(source), backend, request)
    name = _choose(source, request) if backend == AUTO else backend
    _check(name, request)
    if threads is not None:
        torch.set_num_threads(threads)
    runner = BACKENDS[name].open_model(source, request)
    runner.spec = source.spec
    return runner


def _choose(model: SegmentationModel, request: Request) -> str:
    """Return the fastest backend that is installed and can do what is asked for."""
    for name in AUTOMATIC:
        entry = BACKENDS[name]
        # A processor that has no units for another precision computes it slowly or not at all.
        plain = name != "openvino" or request.precision == "float32"
        fits = request.device.type in entry.devices and request.precision in entry.precisions
        known = name != "folded" or can_fold(model)
        if known and plain and fits and entry.missing() is None:
            return name
    return "eager"


def _check(name: str, request: Request) -> None:
    entry = BACKENDS[name]
    missing = entry.missing()
    if missing is not None:
        msg = f"backend {name} {missing}"
        raise UsageError(msg)
    if request.device.type not in entry.devices:
        msg = f"backend {name} runs on {' or '.join(entry.devices)}, not on {request.device}"
        raise UsageError(msg)
    check_precision(name, request.precision, entry.precisions)


def _open_file(path: Path, backend: str, request: Request) -> Runner:
    suffix = path.suffix.lower()
    if suffix not in FILES:
        msg = f"{path}: exported files end in {', '.join(FILES)}"
        raise WeightsError(msg)
    if not path.is_file():
        msg = f"{path}: no such file"
        raise WeightsError(msg)
    name = FILES[suffix]
    if backend not in (AUTO, name):
        msg = f"{path}: a {suffix} file runs in {name}, not in {backend}"
        raise UsageError(msg)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    if name == "onnxruntime":
        return onnx_runtime.OnnxRunner(path, threads=request.threads, device=request.device)
    if name == "openvino":
        return openvino_runtime.open_openvino_file(path, request.threads, request.precision)
    if name == "executorch":
        return ExecutorchRunner(path)
    return torch_compiled.PackageRunner(path)
