"""Pictures and masks to measure with, drawn; imported by workers only."""

import torch
from torch import Tensor
from torch.nn import functional

SEED = 0
OCTAVES = 7
IGNORED_SHARE = 0.05


def draw_pictures(kind: str, shape: tuple[int, ...]) -> Tensor:
    """Draw normalised pictures (B, 3, H, W), contiguous.

    Args:
        kind: `noise` is normal; `clouds` adds noise of 2, 4, ... times the grain, the coarser the
            stronger, as photos have it.
        shape: B, 3, H and W.
    """
    generator = torch.Generator().manual_seed(SEED)
    pictures = torch.randn(shape, generator=generator)
    if kind == "noise":
        return pictures
    *outer, height, width = shape
    for octave in range(1, OCTAVES):
        grain = 2**octave
        coarse = torch.randn(
            *outer, max(1, height // grain), max(1, width // grain), generator=generator
        )
        coarse *= grain**0.5
        pictures += functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return pictures / pictures.std()


def draw_masks(shape: tuple[int, ...], classes: int) -> Tensor:
    """Draw masks (B, H, W) in which a few pixels are ignored."""
    generator = torch.Generator().manual_seed(SEED)
    masks = torch.randint(0, classes, shape, generator=generator)
    masks[torch.rand(shape, generator=generator) < IGNORED_SHARE] = 255
    return masks
