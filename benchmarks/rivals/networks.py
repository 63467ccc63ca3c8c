"""The networks as they come from their libraries, with random weights; imported by workers only.

Every network maps normalised images (B, 3, H, W) to logits (B, K, h, w) at its own stride; the
networks that resize inside their `forward` are taken apart before it where that is possible, so
that nobody is resized twice.

SegNeXt has the same weights on both sides: MMSegmentation's worker draws them and writes them to
a file, ours read that file. The first bases of the decomposition belong to them.
"""

from pathlib import Path

import torch
from lively_weights import FIRST_BASES, SEED, fill
from torch import Tensor, nn


def build_network(name: str, classes: int, weights: Path) -> nn.Module:
    """Build a network in evaluation mode, float32, without gradients.

    Args:
        name: Such as `mmseg/tiny`.
        classes: K.
        weights: Of SegNeXt on both sides; written by MMSegmentation's side if it is not there.
    """
    source, _, size = name.partition("/")
    torch.manual_seed(SEED)
    if source == "segnext":
        network = build_segnext(size, classes, weights)
    elif source == "mmseg":
        from mmseg_networks import Forward, build_mmseg

        network = Forward(build_mmseg(size, classes, weights))
    elif source == "transformers":
        network = build_segformer(size, classes)
    elif source == "torchvision":
        network = build_torchvision(size, classes)
    else:
        network = build_smp(size, classes)
    return network.eval().requires_grad_(False)


def build_segnext(size: str, classes: int, weights: Path) -> nn.Module:
    """Build ours from MMSegmentation's tensors, or from ones of its own if there are none."""
    from segnext.models import create_model
    from segnext.weights import build_from_state_dict, convert_state_dict

    if not weights.exists():
        network = create_model(f"segnext_{size}", num_classes=classes)
        fill(network)
        return network
    from safetensors.torch import load_file

    tensors = load_file(weights)
    bases = tensors.pop(FIRST_BASES)
    network, _ = build_from_state_dict(convert_state_dict(tensors))
    # With first bases of its own it would be another function; a different rank fails here.
    network.decoder.hamburger.nmf.initial_bases.copy_(bases)
    return network


class TransformersLogits(nn.Module):
    """Takes the logits out of what a transformers network returns."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits at stride 4."""
        return self.network(pixel_values=images, return_dict=False)[0]


def build_segformer(size: str, classes: int) -> nn.Module:
    """Build SegFormer from transformers; widths and depths are those of its paper."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    shape = {
        "segformer-b0": {
            "hidden_sizes": [32, 64, 160, 256],
            "depths": [2, 2, 2, 2],
            "decoder_hidden_size": 256,
        },
        "segformer-b2": {
            "hidden_sizes": [64, 128, 320, 512],
            "depths": [3, 4, 6, 3],
            "decoder_hidden_size": 768,
        },
    }[size]
    config = SegformerConfig(num_labels=classes, **shape)
    return TransformersLogits(SegformerForSemanticSegmentation(config))


class TorchvisionLogits(nn.Module):
    """A torchvision network without the resizing at its end."""

    def __init__(self, network: nn.Module, feature: str | None) -> None:
        super().__init__()
        self.backbone = network.backbone
        self.classifier = network.classifier
        self.feature = feature

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits at stride 8."""
        features = self.backbone(images)
        return self.classifier(features if self.feature is None else features[self.feature])


def build_torchvision(size: str, classes: int) -> nn.Module:
    """Build LR-ASPP or DeepLabV3 from torchvision."""
    from torchvision.models import segmentation

    options = {"weights": None, "weights_backbone": None, "num_classes": classes}
    if size == "lraspp-mobilenetv3":
        return TorchvisionLogits(segmentation.lraspp_mobilenet_v3_large(**options), None)
    network = segmentation.deeplabv3_resnet50(**options, aux_loss=False)
    return TorchvisionLogits(network, "out")


def build_smp(size: str, classes: int) -> nn.Module:
    """Build U-Net or SegFormer from segmentation-models-pytorch; both give full resolution."""
    import segmentation_models_pytorch as smp

    if size == "unet-resnet34":
        return smp.Unet("resnet34", encoder_weights=None, classes=classes)
    return smp.Segformer("mit_b2", encoder_weights=None, classes=classes)
