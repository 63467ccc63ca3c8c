"""A written file against the model it was made from: same numbers, same labels, how fast.

Shapes: B batch, C channels, H and W height and width of an input.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from segnext.benchmark.timing import Way, time_in_turns
from segnext.errors import SegnextError
from segnext.inference import Runner, prepare_image
from segnext.spec import Normalization

# Of float32 files; what float16 and int8 lose is reported, and judged by the mIoU.
GREATEST_DIFFERENCE, LEAST_EQUAL = 1e-3, 0.9999
# Also allowed, as a share of the greatest logit: untrained models have some of a million.
GREATEST_SHARE = 1e-5
# Pixels, of small inputs, whose best two logits are equal but for rounding.
MOST_TIES = 4
LATENCY_ROUNDS = 7


@dataclass(frozen=True)
class Parity:
    """How far a file is from the model.

    Attributes:
        pictures: That were compared.
        pixels: Of them.
        max_abs_logit_difference: `None` for a file that gives labels.
        equal_labels: Share of the pixels.
        max_abs_logit: Of the model.
    """

    pictures: int
    pixels: int
    max_abs_logit_difference: float | None
    equal_labels: float
    max_abs_logit: float = 0.0


@dataclass(frozen=True)
class Latency:
    """Medians of single calls that took turns, from an input to labels.

    Attributes:
        model_ms: The model as it was trained, in PyTorch.
        file_ms: The file in its runtime.
        height: H of the input.
        width: W of the input.
        threads: Of both.
        rounds: Turns of both.
    """

    model_ms: float
    file_ms: float
    height: int
    width: int
    threads: int
    rounds: int


def compare(
    model: Runner, file: Runner, inputs: Sequence[Tensor], normalization: Normalization
) -> Parity:
    """Run a file and the model it was made from on the same inputs.

    Args:
        model: Takes normalised images.
        file: May take pixels.
        inputs: (1, C, H, W) each, as the file takes them.
        normalization: Of the model.
    """
    difference, largest, equal, pixels = 0.0, 0.0, 0, 0
    for images in inputs:
        expected = model.run(normalized(images, normalization))
        labels = model.run(normalized(images, normalization), "labels")
        largest = max(largest, float(expected.abs().max()))
        if file.output == "logits":
            error = (file.run(images) - expected).abs().max()
            # What is no number compares as smaller than anything, and is none of the model's.
            difference = max(difference, float(error)) if bool(error.isfinite()) else float("inf")
        equal += int((file.run(images, "labels") == labels).sum())
        pixels += labels.numel()
    measured = difference if file.output == "logits" else None
    return Parity(len(inputs), pixels, measured, equal / pixels, largest)


def normalized(images: Tensor, normalization: Normalization) -> Tensor:
    """Return images (1, C, H, W) as a model takes them, which may be stored pixels."""
    if images.dtype != torch.uint8:
        return images
    picture = np.ascontiguousarray(images[0].permute(1, 2, 0).numpy())
    return prepare_image(picture, normalization, torch.device("cpu"))


def check_parity(parity: Parity, precision: str, path: Path) -> None:
    """Refuse a file that is not what the model is.

    Args:
        parity: From `compare`.
        precision: Of the file.
        path: For the message.

    Raises:
        SegnextError: A float32 file differs by more than rounding, or any file gives what is no
            number.
    """
    difference = parity.max_abs_logit_difference or 0.0
    unequal = (1 - parity.equal_labels) * parity.pixels
    relabelled = parity.equal_labels < LEAST_EQUAL and round(unequal) > MOST_TIES
    allowed = max(GREATEST_DIFFERENCE, GREATEST_SHARE * parity.max_abs_logit)
    far = difference > allowed or relabelled
    if difference == float("inf") or (precision == "float32" and far):
        msg = (
            f"{path}: not written, as it would not be the model: logits differ by up to "
            f"{difference:.2g}, {parity.equal_labels:.4%} of the labels are equal "
            f"(float32 allows {allowed:.2g} and {LEAST_EQUAL:.2%})"
        )
        raise SegnextError(msg)


def measure_latency(
    model: Runner, file: Runner, images: Tensor, normalization: Normalization
) -> Latency:
    """Time the model and the file in turns.

    Args:
        model: Takes normalised images.
        file: May take pixels; opened with as many threads as torch has.
        images: (1, C, H, W), as the file takes it.
        normalization: Of the model.

    Raises:
        SegnextError: One of them failed.
    """
    fed = normalized(images, normalization)
    ways = {
        "model": Way(lambda: model.run(fed, "labels"), model.device),
        "file": Way(lambda: file.run(images, "labels"), file.device),
    }
    times = time_in_turns(ways, rounds=LATENCY_ROUNDS)
    for name, failure in times.failures.items():
        msg = f"the {name} failed while it was timed: {type(failure).__name__}: {failure}"
        raise SegnextError(msg) from failure
    height, width = images.shape[-2:]
    return Latency(
        times.timings["model"].median_ms,
        times.timings["file"].median_ms,
        height,
        width,
        torch.get_num_threads(),
        LATENCY_ROUNDS,
    )
