"""ResNet, the encoder of FCN, DeepLabV3 and DeepLabV3+.

Paper: "Deep Residual Learning for Image Recognition", arXiv 1512.03385; dilation from DeepLab,
arXiv 1606.00915. Notable:

- The stride of a bottleneck sits in its 3x3 convolution, as in all weights in use, not in the
  paper's 1x1.
- The stem is the paper's 7x7; published segmentation results often have three 3x3 instead
  ("V1c"), 0.02 M parameters and 1.2 GMACs at 512x512 more.

Shapes: B batch, C channels of a stage, H and W height and width of the image.
"""

from typing import Any, NamedTuple

from torch import Tensor

from segnext.models.encoders.encoder import Encoder, check_options, import_transformers
from segnext.models.encoders.surgery import dilate, init_encoder_weights


class Size(NamedTuple):
    """Blocks of each stage, C of each stage, and whether blocks are bottlenecks (table 1)."""

    depths: tuple[int, ...]
    channels: tuple[int, ...]
    bottleneck: bool


_NARROW = (64, 128, 256, 512)
_WIDE = (256, 512, 1024, 2048)

SIZES: dict[str, Size] = {
    "resnet18": Size((2, 2, 2, 2), _NARROW, bottleneck=False),
    "resnet34": Size((3, 4, 6, 3), _NARROW, bottleneck=False),
    "resnet50": Size((3, 4, 6, 3), _WIDE, bottleneck=True),
    "resnet101": Size((3, 4, 23, 3), _WIDE, bottleneck=True),
    "resnet152": Size((3, 8, 36, 3), _WIDE, bottleneck=True),
}


class ResNet(Encoder):
    """Images to four maps at strides 4, 8, 16, 32, none above `output_stride`.

    Args:
        size: A key of `SIZES`.
        in_channels: Channels of the image.
        output_stride: 32, 16 or 8; strides beyond it become dilations.

    Raises:
        UsageError: An option is out of range, or `transformers` is missing.
    """

    checkpoint_prefix = "resnet."
    checkpoint_names = ((r"^embedder\.", "stem."), (r"^encoder\.stages\.", "stages."))

    def __init__(self, size: str, *, in_channels: int = 3, output_stride: int = 32) -> None:
        super().__init__()
        check_options(in_channels, output_stride=output_stride)
        depths, channels, bottleneck = SIZES[size]
        transformers = import_transformers()
        network: Any = transformers.ResNetModel(
            transformers.ResNetConfig(
                num_channels=in_channels,
                embedding_size=64,
                hidden_sizes=list(channels),
                depths=list(depths),
                layer_type="bottleneck" if bottleneck else "basic",
                hidden_act="relu",
            )
        )
        self.stem = network.embedder
        self.stages = network.encoder.stages
        self.describe(in_channels, channels, [min(s, output_stride) for s in (4, 8, 16, 32)])
        self._dilate(output_stride)
        self.apply(init_encoder_weights)

    def _dilate(self, output_stride: int) -> None:
        dilation = 1
        for stage, stride in zip(self.stages, (4, 8, 16, 32), strict=True):
            if stride > output_stride:
                dilate(stage, 2 * dilation, first=dilation)
                dilation *= 2

    def forward(self, images: Tensor) -> list[Tensor]:
        """Encode images (B, in_channels, H, W), normalised, of any size from 32x32.

        Returns:
            Four maps (B, C, ceil(H/s), ceil(W/s)) for each s of `strides`.

        Raises:
            ValueError: See `check_images`.
        """
        self.check_images(images)
        images = self.stem(images)
        features = []
        for stage in self.stages:
            images = stage(images)
            features.append(images)
        return features
