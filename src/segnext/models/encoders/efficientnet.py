"""EfficientNet, the encoder of NAS-FPN for segmentation.

Papers: arXiv 1905.11946, table 1 and section 3.3; the size L2 from "Self-training with Noisy
Student", arXiv 1911.04252. Notable:

- A branch is skipped whole, per sample (the papers' stochastic depth).
- The last 1x1 convolution before the classifier is not built: no decoder reads it.
- Padding is TensorFlow's, with which the published weights were trained.

Shapes: B batch, C channels of a stage, H and W height and width of the image.
"""

from typing import Any

from torch import Tensor, nn

from segnext.models.encoders.encoder import Encoder, check_options, import_transformers
from segnext.models.encoders.surgery import DropPath, init_encoder_weights, with_same_padding

# Factors of width and depth.
SIZES: dict[str, tuple[float, float]] = {
    "efficientnet_b0": (1.0, 1.0),
    "efficientnet_b1": (1.0, 1.1),
    "efficientnet_b2": (1.1, 1.2),
    "efficientnet_b3": (1.2, 1.4),
    "efficientnet_b4": (1.4, 1.8),
    "efficientnet_b5": (1.6, 2.2),
    "efficientnet_b6": (1.8, 2.6),
    "efficientnet_b7": (2.0, 3.1),
    "efficientnet_l2": (4.3, 5.3),
}


class EfficientNet(Encoder):
    """Images to four maps at strides 4, 8, 16, 32.

    Args:
        size: A key of `SIZES`.
        in_channels: Channels of the image.
        drop_path_rate: Towards the end; grows linearly from 0 over all blocks.

    Raises:
        UsageError: An option is out of range, or `transformers` is missing.
    """

    checkpoint_prefix = "efficientnet."
    checkpoint_names = ((r"^embeddings\.", "stem."), (r"^encoder\.blocks\.", "blocks."))
    not_loaded = (r"^encoder\.top_(conv|bn)\.",)

    def __init__(self, size: str, *, in_channels: int = 3, drop_path_rate: float = 0.2) -> None:
        super().__init__()
        check_options(in_channels, drop_path_rate=drop_path_rate)
        width, depth = SIZES[size]
        transformers = import_transformers()
        network: Any = transformers.EfficientNetModel(
            transformers.EfficientNetConfig(
                num_channels=in_channels,
                width_coefficient=width,
                depth_coefficient=depth,
                # Of the last 1x1 convolution, which is thrown away; must agree with the width.
                hidden_dim=_round_channels(1280 * width),
            )
        )
        self.stem = network.embeddings
        self.blocks = network.encoder.blocks
        self._pad_by_size()
        for index, block in enumerate(self.blocks):
            block.projection.dropout = DropPath(drop_path_rate * index / len(self.blocks))
        # A map is read where the next block halves it, and at the end; the first has stride 2.
        halving = [i for i, block in enumerate(self.blocks) if block.depthwise_conv.stride == 2]
        self.last_blocks = (*(index - 1 for index in halving[1:]), len(self.blocks) - 1)
        channels = [self.blocks[i].projection.project_conv.out_channels for i in self.last_blocks]
        self.describe(in_channels, channels, (4, 8, 16, 32))
        self.apply(init_encoder_weights)

    def _pad_by_size(self) -> None:
        self.stem.padding = nn.Identity()
        self.stem.convolution = with_same_padding(self.stem.convolution)
        for block in self.blocks:
            layer = block.depthwise_conv
            layer.depthwise_conv_pad = nn.Identity()
            if layer.stride == 2:
                layer.depthwise_conv = with_same_padding(layer.depthwise_conv)

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
            if index in self.last_blocks:
                features.append(images)
        return features


def _round_channels(channels: float) -> int:
    """Round to a multiple of 8, but not down by more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
