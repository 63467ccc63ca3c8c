"""Formats of other runtimes: what each of them can hold, and how a network is written in it."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy.typing as npt

from segnext.deploy.quantize import quantize_onnx, quantize_openvino
from segnext.deploy.wrapping import ExportedNetwork, halve
from segnext.errors import SegnextError, UsageError, describe_unknown
from segnext.inference.backends.executorch_runtime import description_path
from segnext.inference.backends.extras import import_extra, missing_extra
from segnext.inference.backends.torch_compiled import (
    MULTIPLE,
    compile_package,
    missing_compiler,
)
from segnext.inference.description import GraphDescription, Output
from segnext.inference.fold import prepare_network
from segnext.inference.graphs import convert_openvino, export_onnx, export_program
from segnext.models import MIN_SIZE, SegmentationModel

_XNNPACK = "executorch.backends.xnnpack.partition.xnnpack_partitioner"

# One input of a network: what it is fed of one picture.
Sample = npt.NDArray[Any]


@dataclass(frozen=True)
class Job:
    """What is to be written.

    Attributes:
        model: On the CPU.
        description: Of the file.
        samples: Inputs to calibrate int8 with; empty for other precisions.
        everything: Quantize what int8 keeps in float by default, too.
    """

    model: SegmentationModel
    description: GraphDescription
    samples: Sequence[Sample] = ()
    everything: bool = False

    def network(self, *, channels_last: bool = True) -> ExportedNetwork:
        """Build the network in evaluation mode."""
        network = prepare_network(self.model)
        return ExportedNetwork(network, self.description, channels_last=channels_last).eval()


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: For people.
        dynamic: Sizes and batch can stay open.
        multiple: Of which open sides must be.
        precisions: Of the arithmetic or the weights.
        files: Every file that a name stands for, the named one last.
        write: Writes a job to a path.
        missing: Says in one line what must be installed first; `None` if nothing.
    """

    name: str
    dynamic: bool
    precisions: tuple[str, ...]
    files: Callable[[Path], list[Path]]
    write: Callable[[Job, Path], None]
    missing: Callable[[str], str | None]
    multiple: int = 1


def find_format(path: Path) -> Format:
    """Return the format of a file by its suffix.

    Raises:
        UsageError: There is none; names those there are.
    """
    format_ = FORMATS.get(path.suffix.lower())
    if format_ is None:
        known = ", ".join(f"{suffix} ({one.name})" for suffix, one in FORMATS.items())
        msg = f"{path}: the suffix says what is written: {known}"
        raise UsageError(msg)
    return format_


def check_format(
    format_: Format,
    path: Path,
    precision: str,
    *,
    output: str,
    size: tuple[int, int] | None,
    batch: int | None,
) -> None:
    """Refuse what a format cannot hold, or what cannot be written here.

    Raises:
        UsageError: With the value and what to do.
    """
    if output not in get_args(Output):
        raise UsageError(describe_unknown("output", output, get_args(Output)))
    if precision not in format_.precisions:
        possible = " or ".join(format_.precisions)
        msg = f"{path}: {format_.name} files are written in {possible} here, not in {precision}"
        raise UsageError(msg)
    if size is None and not format_.dynamic:
        msg = f"{path}: {format_.name} files are for one size; give --size HEIGHTxWIDTH"
        raise UsageError(msg)
    if size is not None and min(size) < MIN_SIZE:
        msg = f"size {size[0]}x{size[1]} px is too small: at least {MIN_SIZE}x{MIN_SIZE}"
        raise UsageError(msg)
    if batch is not None and batch < 1:
        msg = f"batch must be 1 or more, got {batch}"
        raise UsageError(msg)
    missing = format_.missing(precision)
    if missing is not None:
        msg = f"{path}: {format_.name} {missing}"
        raise UsageError(msg)


def _write_onnx(job: Job, path: Path) -> None:
    description = job.description
    network = job.network()
    if description.precision == "float16":
        halve(network.network)
    properties, output = description.to_properties(), description.output
    program = export_program(network, **_shape(description))
    if description.precision != "int8":
        export_onnx(program, path, properties, output=output)
        return
    whole = path.with_name(f"float.{path.name}")
    export_onnx(program, whole, properties, output=output)
    quantize_onnx(whole, path, job.samples, everything=job.everything)
    whole.unlink()


def _write_openvino(job: Job, path: Path) -> None:
    openvino = import_extra("openvino", "openvino")
    description = job.description
    network = convert_openvino(job.network(), **_shape(description))
    network.outputs[0].get_tensor().set_names({description.output})
    if description.precision == "int8":
        network = quantize_openvino(network, job.samples, everything=job.everything)
    for key, value in description.to_properties().items():
        network.set_rt_info(value, key)
    half = description.precision == "float16"
    openvino.save_model(network, str(path), compress_to_fp16=half)


def _write_package(job: Job, path: Path) -> None:
    description = job.description
    program = export_program(job.network(), **_shape(description), multiple=description.multiple)
    compile_package(program, path, description.to_properties())


def _write_executorch(job: Job, path: Path) -> None:
    description = job.description
    program = export_program(job.network(channels_last=False), **_shape(description))
    # Whatever its passes raise is theirs, and one line of it is enough.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exir = import_extra("executorch.exir", "mobile")
            xnnpack = import_extra(_XNNPACK, "mobile")
            lowered = exir.to_edge_transform_and_lower(
                program, partitioner=[xnnpack.XnnpackPartitioner()]
            )
            path.write_bytes(lowered.to_executorch().buffer)
    except UsageError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        msg = f"ExecuTorch could not convert the network: {type(error).__name__}: {reason}"
        raise SegnextError(msg) from error
    description_path(path).write_text(description.to_json(), encoding="utf-8")


def _shape(description: GraphDescription) -> dict[str, Any]:
    return {
        "channels": description.spec.normalization.channels,
        "size": description.size,
        "batch": description.batch,
        "pixels": description.pixels,
    }


def _missing_onnx(precision: str) -> str | None:
    del precision
    modules = ("onnx", "onnxscript", "onnxruntime")
    return next((found for one in modules if (found := missing_extra(one, "export"))), None)


def _missing_openvino(precision: str) -> str | None:
    modules = ("openvino", "nncf") if precision == "int8" else ("openvino",)
    return next((found for one in modules if (found := missing_extra(one, "openvino"))), None)


def _missing_package(precision: str) -> str | None:
    del precision
    return missing_compiler()


def _missing_executorch(precision: str) -> str | None:
    del precision
    return missing_extra("executorch", "mobile")


FORMATS: dict[str, Format] = {
    ".onnx": Format(
        "ONNX",
        True,
        ("float32", "float16", "int8"),
        lambda path: [path],
        _write_onnx,
        _missing_onnx,
    ),
    ".xml": Format(
        "OpenVINO",
        True,
        ("float32", "float16", "int8"),
        lambda path: [path.with_suffix(".bin"), path],
        _write_openvino,
        _missing_openvino,
    ),
    ".pt2": Format(
        "AOTInductor",
        True,
        ("float32",),
        lambda path: [path],
        _write_package,
        _missing_package,
        MULTIPLE,
    ),
    ".pte": Format(
        "ExecuTorch",
        False,
        ("float32",),
        lambda path: [description_path(path), path],
        _write_executorch,
        _missing_executorch,
    ),
}
