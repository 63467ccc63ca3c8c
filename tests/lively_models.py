"""Models whose weights do something: statistics, scales and biases that training would move."""

import torch
from torch import nn

from segnext.models import SegNeXt


def enliven(model: SegNeXt, seed: int = 0) -> SegNeXt:
    """Give a new model weights of the size that trained ones have; returns it, in evaluation."""
    generator = torch.Generator().manual_seed(seed)
    # MSCA multiplies its input by a function of it: values grow with the depth.
    scale = 1.5 / sum(model.config.depths)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
                module.weight.uniform_(0.5, 1.5, generator=generator)
        for name, parameter in model.named_parameters():
            if name.endswith(("scale1", "scale2")):
                parameter.uniform_(0.2 * scale, scale, generator=generator)
            elif name.endswith("bias"):
                parameter.normal_(0, 0.1, generator=generator)
        model.decoder.classifier.weight.normal_(0, 0.5, generator=generator)
    return model.eval()
