"""MobileNetV2, the small encoder of DeepLabV3+.

Paper: "MobileNetV2: Inverted Residuals and Linear Bottlenecks", arXiv 1801.04381, table 2; section
6.3 uses it for segmentation without the last 1x1 convolution, as here. Notable:

- Padding is TensorFlow's, with which the published weights were trained.

Shapes: B batch, C channels of a stage, H and W height and width of the image.
"""

from typing import Any

from torch import Tensor, nn

from segnext.models.encoders.encoder import Encoder, check_options, import_transformers
from segnext.models.encoders.surgery import init_encoder_weights, with_same_padding

# Index of the last block at each stride.
_LAST_BLOCKS = {4: 1, 8: 4, 16: 11, 32: 15}
_CHANNELS = (24, 32, 96, 320)


class MobileNetV2(Encoder):
    """Images to four maps at strides 4, 8, 16, 32, none above `output_stride`.

    Args:
        in_channels: Channels of the image.
        output_stride: 32, 16 or 8; strides beyond it become dilations.

    Raises:
        UsageError: An option is out of range, or `transformers` is missing.
    """

    checkpoint_prefix = "mobilenet_v2."
    checkpoint_names = ((r"^conv_stem\.", "stem."), (r"^layer\.", "blocks."))
    not_loaded = (r"^conv_1x1\.",)

    def __init__(self, *, in_channels: int = 3, output_stride: int = 32) -> None:
        super().__init__()
        check_options(in_channels, output_stride=output_stride)
        transformers = import_transformers()
        network: Any = transformers.MobileNetV2Model(
            transformers.MobileNetV2Config(
                num_channels=in_channels, output_stride=output_stride, tf_padding=False
            ),
            add_pooling_layer=False,
        )
        self.stem = network.conv_stem
        self.blocks = network.layer
        self.describe(in_channels, _CHANNELS, [min(s, output_stride) for s in _LAST_BLOCKS])
        for module in list(self.modules()):
            convolution = getattr(module, "convolution", None)
            if isinstance(convolution, nn.Conv2d) and convolution.stride == (2, 2):
                module.convolution = with_same_padding(convolution)
        self.apply(init_encoder_weights)

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
        for index, block in enumerate(self.blocks):
            images = block(images)
            if index in _LAST_BLOCKS.values():
                features.append(images)
        return features
