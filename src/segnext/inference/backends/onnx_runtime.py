"""ONNX Runtime: runs `.onnx` files, and models that are converted on the way."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.errors import WeightsError
from segnext.inference.backends.extras import import_extra
from segnext.inference.backends.runner import Runner
from segnext.inference.backends.torch_eager import prepare_on
from segnext.inference.description import KEY, parse_description
from segnext.inference.graphs import export_onnx, export_program
from segnext.models import SegmentationModel

SUFFIX = ".onnx"


class OnnxRunner(Runner):
    """A session of ONNX Runtime.

    Args:
        path: The `.onnx` file.
        channels: C, for a file that does not describe itself; `None` demands that it does.
        threads: Of the session; those of its choice if not given.
        device: `cpu`, or `cuda` with onnxruntime-gpu.

    Raises:
        WeightsError: The file is no ONNX model, or not one of ours.
        UsageError: ONNX Runtime is not installed.
    """

    def __init__(
        self,
        path: Path,
        *,
        channels: int | None = None,
        threads: int | None = None,
        device: torch.device,
    ) -> None:
        runtime = import_extra("onnxruntime", "export")
        options = runtime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads = threads
        # Spinning threads would starve whatever runs between two pictures.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Warnings about graphs are for their makers; errors are raised.
        options.log_severity_level = 3
        wanted = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device.type]
        try:
            self._session: Any = runtime.InferenceSession(
                str(path),
                options,
                providers=list(dict.fromkeys((wanted, "CPUExecutionProvider"))),
            )
        except Exception as error:  # its exceptions share no base of their own
            reason = " ".join(str(error).split())[:200]
            msg = f"{path}: ONNX Runtime cannot load it ({reason})"
            raise WeightsError(msg) from error
        try:
            inputs = [value.name for value in self._session.get_inputs()]
            properties = self._session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError as error:
            msg = f"{path}: damaged, names in it are not UTF-8; export it again"
            raise WeightsError(msg) from error
        if not inputs:
            msg = f"{path}: takes no input, so it is no model of pictures"
            raise WeightsError(msg)
        self._input = inputs[0]
        description = None
        if channels is None:
            description = parse_description(properties.get(KEY), path.name)
            channels = description.spec.normalization.channels
        super().__init__("onnxruntime", channels, torch.device("cpu"))
        if description is not None:
            self.describe_as(description)

    def compute(self, images: Tensor) -> Tensor:
        """Run the session."""
        fed = images.contiguous().numpy()
        return torch.from_numpy(self._session.run(None, {self._input: fed})[0])


def open_onnx_runtime(
    model: SegmentationModel, device: torch.device, threads: int | None
) -> Runner:
    """Convert a model to ONNX, for any shape, and run it in ONNX Runtime."""
    import_extra("onnxruntime", "export")
    folded = prepare_on(model, torch.device("cpu"), "float32")
    channels = model.config.in_channels
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{SUFFIX}"
        export_onnx(export_program(folded, channels=channels), path, {})
        return OnnxRunner(path, channels=channels, threads=threads, device=device)
