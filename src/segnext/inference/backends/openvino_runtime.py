"""OpenVINO: the fastest on CPUs; runs `.xml` files, and models that are converted on the way."""

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.errors import WeightsError
from segnext.inference.backends.extras import import_extra
from segnext.inference.backends.runner import Runner
from segnext.inference.backends.torch_eager import prepare_on
from segnext.inference.description import KEY, parse_description
from segnext.inference.graphs import convert_openvino
from segnext.models import SegmentationModel

SUFFIX = ".xml"
_PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}


@functools.cache
def get_core() -> Any:
    """Return the one OpenVINO of this process, which lives as long as the process does.

    On processors with AMX its CPU plugin gives the thread that first compiles a stack for signals,
    and takes its memory back when the last network is gone, from whatever thread that happens. The
    next signal, such as Ctrl-C, would then end the process.
    """
    return import_extra("openvino", "openvino").Core()


class OpenvinoRunner(Runner):
    """A network compiled by OpenVINO.

    Args:
        network: What `convert_openvino` or `read_model` returned.
        channels: C.
        threads: Of the network; those of its choice if not given.
        precision: Of the arithmetic, where the processor can do it.
    """

    def __init__(self, network: Any, channels: int, *, threads: int | None, precision: str) -> None:
        super().__init__("openvino", channels, torch.device("cpu"))
        self.reuses_memory = True
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
        }
        if threads is not None:
            settings["INFERENCE_NUM_THREADS"] = threads
        compiled = get_core().compile_model(network, "CPU", settings)
        self._request = compiled.create_infer_request()

    def compute(self, images: Tensor) -> Tensor:
        """Run the compiled network."""
        fed = images.contiguous().numpy()
        result = self._request.infer([fed], share_inputs=True, share_outputs=True)[0]
        return torch.from_numpy(result)


def open_openvino(model: SegmentationModel, threads: int | None, precision: str) -> Runner:
    """Convert a model, for any shape, and compile it."""
    import_extra("openvino", "openvino")
    folded = prepare_on(model, torch.device("cpu"), "float32")
    channels = model.config.in_channels
    network = convert_openvino(folded, channels=channels)
    return OpenvinoRunner(network, channels, threads=threads, precision=precision)


def open_openvino_file(path: Path, threads: int | None, precision: str) -> Runner:
    """Compile a file that `segnext export` wrote.

    Raises:
        WeightsError: The file cannot be read, or is not one of ours.
        UsageError: OpenVINO is not installed.
    """
    core = get_core()
    try:
        network = core.read_model(str(path))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[-200:]
        msg = f"{path}: OpenVINO cannot read it ({reason}); its .bin file must lie beside it"
        raise WeightsError(msg) from error
    text = str(network.get_rt_info(KEY).astype(str)) if network.has_rt_info(KEY) else None
    description = parse_description(text, path.name)
    channels = description.spec.normalization.channels
    runner = OpenvinoRunner(network, channels, threads=threads, precision=precision)
    runner.describe_as(description)
    return runner
