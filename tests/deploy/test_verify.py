from pathlib import Path

import pytest
import torch
from torch import Tensor

from exports import lively_model, run_job, scene_spec
from segnext.deploy.formats import Job
from segnext.deploy.pictures import draw_pictures, record_inputs
from segnext.deploy.verify import Parity, check_parity, compare, measure_latency
from segnext.errors import SegnextError
from segnext.inference import Runner, open_runner
from segnext.inference.backends import ModuleRunner
from segnext.inference.description import GraphDescription, Output

OUT = Path("out.onnx")


def pair(
    output: Output = "logits", *, pixels: bool = False, off_by: float = 0.0
) -> tuple[Runner, Runner, list[Tensor]]:
    model = lively_model()
    description = GraphDescription(scene_spec(), output, pixels)
    inputs = record_inputs(draw_pictures(3), scene_spec(), description)
    eager = open_runner(model, backend="eager", device="cpu")
    return eager, run_job(Job(model, description), off_by), inputs


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("output", ["logits", "labels"])
def test_the_folded_network_passes(output: Output, pixels: bool) -> None:
    eager, file, inputs = pair(output, pixels=pixels)
    parity = compare(eager, file, inputs, scene_spec().normalization)
    assert parity.pictures == 2
    assert parity.pixels == 2 * 256 * 320
    assert (parity.max_abs_logit_difference is None) == (output == "labels")
    check_parity(parity, "float32", OUT)


def test_what_is_off_is_found_and_refused() -> None:
    eager, file, inputs = pair(off_by=0.5)
    parity = compare(eager, file, inputs, scene_spec().normalization)
    assert parity.max_abs_logit_difference == pytest.approx(0.5, abs=1e-3)
    assert parity.equal_labels < 1
    message = r"out.onnx: not written, as it would not be the model: logits differ by up to 0.5"
    with pytest.raises(SegnextError, match=message):
        check_parity(parity, "float32", OUT)
    check_parity(parity, "int8", OUT)


def test_what_is_no_number_is_refused_in_any_precision() -> None:
    eager, _, inputs = pair()
    empty = ModuleRunner(
        "empty", lambda images: eager.run(images) * torch.nan, 3, torch.device("cpu")
    )
    parity = compare(eager, empty, inputs, scene_spec().normalization)
    with pytest.raises(SegnextError, match="logits differ by up to inf"):
        check_parity(parity, "float16", OUT)


def test_labels_alone_can_fail() -> None:
    with pytest.raises(SegnextError, match=r"99.9800% of the labels are equal"):
        check_parity(Parity(1, 100_000, None, 0.9998), "float32", OUT)


def test_rounding_grows_with_the_logits() -> None:
    check_parity(Parity(1, 7_000, 9.0, 1.0, 1e6), "float32", OUT)
    with pytest.raises(SegnextError, match=r"by up to 11, .* \(float32 allows 10 and 99.99%\)"):
        check_parity(Parity(1, 7_000, 11.0, 1.0, 1e6), "float32", OUT)


def test_a_few_ties_of_a_small_picture_are_no_difference() -> None:
    check_parity(Parity(1, 7_000, None, 1 - 4 / 7_000), "float32", OUT)
    with pytest.raises(SegnextError, match=r"99.9286% of the labels are equal"):
        check_parity(Parity(1, 7_000, None, 1 - 5 / 7_000), "float32", OUT)


def test_both_are_timed() -> None:
    eager, file, inputs = pair("labels", pixels=True)
    latency = measure_latency(eager, file, inputs[0], scene_spec().normalization)
    assert latency.model_ms > 0
    assert latency.file_ms > 0
    assert (latency.height, latency.width, latency.rounds) == (256, 320, 7)


def test_a_failure_while_timing_is_one_line() -> None:
    eager, _, inputs = pair()

    def fail(images: Tensor) -> Tensor:
        raise RuntimeError("no memory")

    broken = ModuleRunner("broken", fail, 3, torch.device("cpu"))
    with pytest.raises(SegnextError, match="the file failed while it was timed: RuntimeError: no"):
        measure_latency(eager, broken, inputs[0], scene_spec().normalization)
