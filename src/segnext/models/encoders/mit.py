"""MiT, the Mix Transformer encoder of SegFormer.

Paper: arXiv 2105.15203, section 3.1 and table 6 of its appendix. Notable:

- No position embedding: the depthwise 3x3 of the feed-forward network leaks positions from the
  zero padding.
- Keys and values are read at a coarser resolution, by 8, 4, 2 and 1.

Shapes: B batch, C channels of a stage, H and W height and width of the image.
"""

from typing import Any

from torch import Tensor

from segnext.models.encoders.encoder import Encoder, check_options, import_transformers
from segnext.models.encoders.surgery import DropPath, init_encoder_weights

_WIDE = (64, 128, 320, 512)

# C and blocks of each stage.
SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "mit_b0": ((32, 64, 160, 256), (2, 2, 2, 2)),
    "mit_b1": (_WIDE, (2, 2, 2, 2)),
    "mit_b2": (_WIDE, (3, 4, 6, 3)),
    "mit_b3": (_WIDE, (3, 4, 18, 3)),
    "mit_b4": (_WIDE, (3, 8, 27, 3)),
    "mit_b5": (_WIDE, (3, 6, 40, 3)),
}


class MiT(Encoder):
    """Images to four maps at strides 4, 8, 16, 32.

    Args:
        size: A key of `SIZES`.
        in_channels: Channels of the image.
        drop_path_rate: Of the last block; grows linearly from 0 over all blocks.

    Raises:
        UsageError: An option is out of range, or `transformers` is missing.
    """

    checkpoint_prefix = "segformer."
    # The first form is that of all files published so far, the second that of transformers 5.
    checkpoint_names = (
        (r"^encoder\.(patch_embeddings|block|layer_norm)\.(\d+)\.", r"stages.\2.\1."),
        (r"\.block\.", ".blocks."),
        (r"\.layer_norm_1\.", ".layernorm_before."),
        (r"\.layer_norm_2\.", ".layernorm_after."),
        (r"\.attention\.self\.query\.", ".attention.q_proj."),
        (r"\.attention\.self\.key\.", ".attention.k_proj."),
        (r"\.attention\.self\.value\.", ".attention.v_proj."),
        (r"\.attention\.self\.sr\.", ".attention.sequence_reduction.sequence_reduction."),
        (r"\.attention\.self\.layer_norm\.", ".attention.sequence_reduction.layer_norm."),
        (r"\.attention\.output\.dense\.", ".attention.o_proj."),
        (r"\.mlp\.dense([12])\.", r".mlp.fc\1."),
    )
    not_loaded = (r"^decode_head\.",)

    def __init__(self, size: str, *, in_channels: int = 3, drop_path_rate: float = 0.1) -> None:
        super().__init__()
        check_options(in_channels, drop_path_rate=drop_path_rate)
        channels, depths = SIZES[size]
        transformers = import_transformers()
        network: Any = transformers.SegformerModel(
            transformers.SegformerConfig(
                num_channels=in_channels,
                hidden_sizes=list(channels),
                depths=list(depths),
                drop_path_rate=drop_path_rate,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                attn_implementation="sdpa",
            )
        )
        self.stages = network.stages
        self.describe(in_channels, channels, (4, 8, 16, 32))
        blocks = [block for stage in self.stages for block in stage.blocks]
        for index, block in enumerate(blocks):
            block.drop_path = DropPath(drop_path_rate * index / (len(blocks) - 1))
        self.apply(init_encoder_weights)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Encode images (B, in_channels, H, W), normalised, of any size from 32x32.

        Returns:
            Four maps (B, C, ceil(H/s), ceil(W/s)) for each s of `strides`.

        Raises:
            ValueError: See `check_images`.
        """
        self.check_images(images)
        features = []
        for stage in self.stages:
            images = stage(images)
            features.append(images)
        return features
