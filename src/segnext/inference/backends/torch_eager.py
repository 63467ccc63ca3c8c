"""PyTorch's own kernels, one after another: the model as it was trained, or folded."""

import torch

from segnext.errors import UsageError
from segnext.inference.backends.runner import ModuleRunner, Runner
from segnext.inference.device import place_model
from segnext.inference.fold import can_fold, prepare_network
from segnext.inference.network import InferenceNetwork
from segnext.models import SegmentationModel

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def open_eager(model: SegmentationModel, device: torch.device, precision: str) -> Runner:
    """Run a model as it is, by autocast where another precision is asked for."""
    module = place_model(model, device).eval()
    dtype = PRECISIONS[precision]
    if dtype == torch.float32:
        return ModuleRunner("eager", module, model.config.in_channels, device)

    def run_cast(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, dtype=dtype):
            return module(images)  # type: ignore[no-any-return]

    return ModuleRunner("eager", run_cast, model.config.in_channels, device)


def open_folded(model: SegmentationModel, device: torch.device, precision: str) -> Runner:
    """Run a model folded for inference.

    Raises:
        UsageError: It is none that folding knows.
    """
    if not can_fold(model):
        msg = "backend folded knows SegNeXt as in the paper alone; run this model in eager"
        raise UsageError(msg)
    network = prepare_on(model, device, precision)
    return ModuleRunner("folded", network, model.config.in_channels, device)


def prepare_on(model: SegmentationModel, device: torch.device, precision: str) -> InferenceNetwork:
    """Prepare a model for inference, folded if it can be, and move the result to a device."""
    return prepare_network(model, PRECISIONS[precision]).to(device)


def check_precision(backend: str, precision: str, possible: tuple[str, ...]) -> None:
    """Refuse a precision that a backend does not compute in.

    Raises:
        UsageError: Names those that it does.
    """
    if precision not in possible:
        msg = f"backend {backend} computes in {' or '.join(possible)} here, not in {precision}"
        raise UsageError(msg)
