"""A folded network as the graph of another program: torch.export, ONNX, OpenVINO.

Nothing here is drawn, looked up or decided at run time, so a graph is the network: the first
bases of the decomposition are a buffer, and sizes follow from the input alone.

Shapes: B batch, C channels, H and W height and width of the images.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from segnext.inference.backends.extras import import_extra

# Sizes of the example that dynamic graphs are traced with: no two alike, none that is special, and
# no 1 at a stride of 128 (that of NAS-FPN), which tracing would take for a constant.
_EXAMPLE = (2, 160, 288)
OPSET = 20  # the first with Gelu


def example_input(
    *,
    channels: int,
    size: tuple[int, int] | None = None,
    batch: int | None = None,
    pixels: bool = False,
    device: torch.device | None = None,
) -> Tensor:
    """Make an input to trace a network with.

    Args:
        channels: C.
        size: H and W; any if not given.
        batch: B; any if not given.
        pixels: (B, H, W, C) uint8 instead of (B, C, H, W) float32.
        device: Where the network lies; the CPU if not given.
    """
    height, width = size or _EXAMPLE[1:]
    count = batch or _EXAMPLE[0]
    if pixels:
        return torch.zeros(count, height, width, channels, dtype=torch.uint8, device=device)
    return torch.zeros(count, channels, height, width, device=device)


def export_program(
    module: nn.Module,
    *,
    channels: int,
    size: tuple[int, int] | None = None,
    batch: int | None = None,
    pixels: bool = False,
    multiple: int = 1,
    device: torch.device | None = None,
) -> ExportedProgram:
    """Export a network by `torch.export`; without `size` or `batch` these stay open.

    Args:
        module: A folded network, possibly wrapped; in evaluation mode.
        channels: C.
        size: H and W of every input.
        batch: B of every input.
        pixels: As in `example_input`.
        multiple: Of which open sides will be.
        device: Where the network lies.
    """
    example = example_input(channels=channels, size=size, batch=batch, pixels=pixels, device=device)
    rows, columns = (1, 2) if pixels else (2, 3)
    dynamic: dict[int, Any] = {}
    if batch is None:
        dynamic[0] = Dim.DYNAMIC
    if size is None:
        dynamic |= {rows: Dim.DYNAMIC, columns: Dim.DYNAMIC}
    if size is None and multiple > 1:
        height, width = (Dim(f"{side}_in_{multiple}") for side in ("height", "width"))
        dynamic |= {rows: multiple * height, columns: multiple * width}
    with _quiet():
        return torch.export.export(module, (example,), dynamic_shapes=(dynamic,))


def export_onnx(
    program: ExportedProgram, path: Path, properties: dict[str, str], *, output: str = "logits"
) -> None:
    """Write an exported program as ONNX.

    Args:
        program: From `export_program`.
        path: The file.
        properties: Metadata properties of the model.
        output: Name of the output.

    Raises:
        UsageError: `onnx` or `onnxscript` is not installed.
    """
    import_extra("onnxscript", "export")
    onnx = import_extra("onnx", "export")
    with _quiet():
        converted: Any = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=[output],
            verbose=False,
        )
    model = converted.model_proto
    _name_sizes(model)
    # Where a node came from, with the paths of this machine.
    for node in (*model.graph.node, *model.graph.value_info):
        del node.metadata_props[:]
    model.producer_name = "segnext"
    kept = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**kept, **properties})
    onnx.save(model, str(path))


def convert_openvino(
    module: nn.Module,
    *,
    channels: int,
    size: tuple[int, int] | None = None,
    batch: int | None = None,
    pixels: bool = False,
) -> Any:
    """Convert a network to OpenVINO's form; arguments as in `export_program`.

    Traced instead of exported: that takes seconds less, and keeps the modules' names.

    Raises:
        UsageError: OpenVINO is not installed.
    """
    openvino = import_extra("openvino", "openvino")
    example = example_input(channels=channels, size=size, batch=batch, pixels=pixels)
    height, width = size or (-1, -1)
    shape = [batch or -1, channels, height, width]
    if pixels:
        shape = [batch or -1, height, width, channels]
    with _quiet(), torch.no_grad():
        traced: Any = torch.jit.trace(module, (example,), check_trace=False)  # type: ignore[no-untyped-call]
        network = openvino.convert_model(
            traced, example_input=example, input=[openvino.PartialShape(shape)]
        )
    network.inputs[0].get_tensor().set_names({"images"})
    return network


def _name_sizes(model: Any) -> None:
    """Give the open sizes of inputs and outputs names that a person can read."""
    names = {0: "batch"}
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for index, dim in enumerate(dims):
            if dim.dim_param:
                dim.dim_param = names.get(index, f"{value.name}_{index}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' remarks about themselves from users, who can do nothing about them."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
