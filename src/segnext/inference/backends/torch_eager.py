"""PyTorch's own kernels, one after another: the model as it was trained, or folded."""

import torch

from segnext.errors import UsageError
from segnext.inference.backends.runner import ModuleRunner, Runner
from segnext.inference.device import place_model
from segnext.inference.fold import FoldedSegNeXt, fold
from segnext.models import SegNeXt

PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def open_eager(model: SegNeXt, device: torch.device, precision: str) -> Runner:
    """Run a model as it is, by autocast where another precision is asked for."""
    module = place_model(model, device).eval()
    dtype = PRECISIONS[precision]
    if dtype == torch.float32:
        return ModuleRunner("eager", module, model.config.in_channels, device)

    def run_cast(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, dtype=dtype):
            return module(images)  # type: ignore[no-any-return]

    return ModuleRunner("eager", run_cast, model.config.in_channels, device)


def open_folded(model: SegNeXt, device: torch.device, precision: str) -> Runner:
    """Run a model folded for inference."""
    return ModuleRunner(
        "folded", fold_on(model, device, precision), model.config.in_channels, device
    )


def fold_on(model: SegNeXt, device: torch.device, precision: str) -> FoldedSegNeXt:
    """Fold a model and move the result to a device."""
    return fold(model, PRECISIONS[precision]).to(device)


def check_precision(backend: str, precision: str, possible: tuple[str, ...]) -> None:
    """Refuse a precision that a backend does not compute in.

    Raises:
        UsageError: Names those that it does.
    """
    if precision not in possible:
        msg = f"backend {backend} computes in {' or '.join(possible)} here, not in {precision}"
        raise UsageError(msg)
