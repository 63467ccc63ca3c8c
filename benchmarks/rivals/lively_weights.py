"""Weights that are the same on both sides, and in which a wrong rewrite shows."""

import torch
from torch import nn

SEED = 20220918
# What MMSegmentation's side calls the first bases of the decomposition, in the file of both.
FIRST_BASES = "decode_head.hamburger.ham.bases"


@torch.no_grad()
def fill(network: nn.Module) -> None:
    """Give a SegNeXt, of either side, statistics and scales as a trained one could have them.

    Freshly built, batch normalisation does nothing and layer scale all but closes the blocks:
    rewrites that are wrong would then look right.
    """
    generator = torch.Generator().manual_seed(SEED)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
            module.weight.uniform_(0.5, 1.5, generator=generator)
            module.bias.normal_(0, 0.1, generator=generator)
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            module.bias.normal_(0, 0.05, generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    for name, parameter in network.named_parameters():
        if "scale" in name.rpartition(".")[2]:
            parameter.uniform_(0.05, 0.3, generator=generator)
        elif name.endswith(("conv_seg.weight", "classifier.weight")):
            parameter.normal_(0, 0.1, generator=generator)
