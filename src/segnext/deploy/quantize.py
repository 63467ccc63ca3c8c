"""Weights and activations in 8 bits, by NNCF for OpenVINO and by ONNX Runtime for ONNX.

What stays in float unless asked otherwise:

- the decomposition, which divides by small numbers and repeats what it rounded, and normalisations,
  which sum over many values;
- the first stage. Its shortcut carries a few channels that are far larger than the others, and one
  scale for all of them leaves the others little: on CamVid four fifths of all error came from there
  (`docs/export.md`).
"""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy.typing as npt

from segnext.inference.backends.extras import import_extra

# Patterns of the names of modules, as `convert_openvino` keeps them.
FLOAT_MODULES = (r".*nmf.*", r".*norm.*", r".*stages\.0.*")
# How names of weights begin, as `export_onnx` keeps them.
FLOAT_WEIGHTS = "network.stages.0."


def quantize_openvino(
    network: Any, samples: Sequence[npt.NDArray[Any]], *, everything: bool
) -> Any:
    """Quantize a network in OpenVINO's form.

    Args:
        network: From `convert_openvino`.
        samples: Inputs to calibrate with.
        everything: Nothing is kept in float on purpose.

    Returns:
        The quantized network.

    Raises:
        UsageError: NNCF is not installed.
    """
    with _quiet():
        nncf = import_extra("nncf", "openvino")
        advanced = import_extra("nncf.quantization.advanced_parameters", "openvino")
        kept = nncf.IgnoredScope(patterns=list(FLOAT_MODULES), validate=False)
        return nncf.quantize(
            network,
            nncf.Dataset(list(samples)),
            subset_size=len(samples),
            # What comes out of GELU lies almost all on one side of 0, and symmetric activations
            # would lose a bit there: that costs CamVid's mIoU a point.
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=None if everything else kept,
            # See `reduce_range` below: without it these activations gave garbage.
            advanced_parameters=advanced.AdvancedQuantizationParameters(
                overflow_fix=advanced.OverflowFix.ENABLE
            ),
        )


def quantize_onnx(
    source: Path, target: Path, samples: Sequence[npt.NDArray[Any]], *, everything: bool
) -> None:
    """Quantize an ONNX file into one with QDQ nodes; its metadata stay.

    Convolutions alone, which the decomposition and normalisations have none of, and none of the
    first stage.

    Args:
        source: The float32 file.
        target: The file to write.
        samples: Inputs to calibrate with.
        everything: Whatever ONNX Runtime can quantize.

    Raises:
        UsageError: ONNX Runtime is not installed.
    """
    import_extra("onnxruntime", "export")
    onnx = import_extra("onnx", "export")
    nodes = onnx.load(str(source), load_external_data=False).graph.node
    kept = [
        node.name
        for node in nodes
        if any(name.startswith(FLOAT_WEIGHTS) for name in node.input) and not everything
    ]
    with _quiet():
        quantization = import_extra("onnxruntime.quantization", "export")
        quantization.quantize_static(
            str(source),
            str(target),
            _Samples(samples),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=None if everything else ["Conv"],
            nodes_to_exclude=kept,
            per_channel=True,
            # Processors without instructions for int8 add two products in 16 bits, which 8-bit
            # weights overflow: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )


class _Samples:
    """Inputs one after the other, as ONNX Runtime's calibration asks for them."""

    def __init__(self, samples: Sequence[npt.NDArray[Any]]) -> None:
        self._samples = iter(samples)

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the next input by its name, and nothing behind the last."""
        sample = next(self._samples, None)
        return None if sample is None else {"images": sample}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tools' remarks and bars off the terminal, whose output may be JSON."""
    disabled = logging.root.manager.disable
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)
