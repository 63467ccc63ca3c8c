"""Which device to run on, and how a model lies there."""

import torch

from segnext.errors import UsageError
from segnext.models import SegmentationModel

_KINDS = ("cpu", "cuda", "mps")


def choose_device(name: str | None = None) -> torch.device:
    """Return the device asked for, else CUDA, then MPS, then the CPU, as they are there.

    Args:
        name: `cpu`, `cuda`, `cuda:1`, `mps`, or `None` to choose.

    Raises:
        UsageError: The name is none of these, or this machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name is None:
        return torch.device(next(kind for kind, there in available.items() if there))
    kind = name.partition(":")[0]
    if kind not in _KINDS:
        msg = f"unknown device {name!r}: one of {', '.join(_KINDS)}, or cuda:N"
        raise UsageError(msg)
    if not available[kind]:
        msg = f"device {name!r} is not available on this machine; leave --device out to choose"
        raise UsageError(msg)
    return torch.device(name)


def place_model(model: SegmentationModel, device: torch.device) -> SegmentationModel:
    """Move a model to a device with channels last, in place; returns it."""
    model.to(device)
    # Depthwise convolutions are fastest with channels last, on CPUs and on GPUs alike.
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
