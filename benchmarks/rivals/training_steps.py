"""One step of training: forward, loss at the picture's size, backward, AdamW; for workers only."""

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], float]


def build_step(network: str, backend: str, classes: int) -> Step:
    """Return a function of images (B, 3, H, W) and masks (B, H, W) that does a step.

    Args:
        network: `mmseg/...` or `segnext/...`.
        backend: `eager`, `channels_last`, or ours in channels_last with `checkpointing`.
        classes: K.
    """
    source, _, size = network.partition("/")
    torch.manual_seed(0)
    if source == "mmseg":
        return _build_theirs(size, backend, classes)
    return _build_ours(size, backend, classes)


def _build_theirs(size: str, backend: str, classes: int) -> Step:
    from mmseg_networks import build_mmseg, pack_masks

    layout = _memory_format(backend)
    segmentor = build_mmseg(size, classes, None).train().to(memory_format=layout)
    optimizer = torch.optim.AdamW(segmentor.parameters())

    def step(images: Tensor, masks: Tensor) -> float:
        optimizer.zero_grad()
        # Its own loss: logits resized to the mask, cross-entropy, and the accuracy it logs.
        losses = segmentor.loss(images.contiguous(memory_format=layout), pack_masks(masks))
        total, _ = segmentor.parse_losses(losses)
        total.backward()
        optimizer.step()
        return float(total)

    return step


def _build_ours(size: str, backend: str, classes: int) -> Step:
    from segnext.models import create_model
    from segnext.training.losses import CrossEntropy

    layout = _memory_format(backend)
    model = create_model(
        f"segnext_{size}",
        num_classes=classes,
        activation_checkpointing=backend == "checkpointing",
    ).to(memory_format=layout)
    optimizer = torch.optim.AdamW(model.parameters())
    loss = CrossEntropy()

    def step(images: Tensor, masks: Tensor) -> float:
        optimizer.zero_grad()
        total = loss(model(images.contiguous(memory_format=layout)), masks)
        total.backward()
        optimizer.step()
        return float(total)

    return step


def _memory_format(backend: str) -> torch.memory_format:
    return torch.contiguous_format if backend == "eager" else torch.channels_last
