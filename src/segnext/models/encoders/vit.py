"""ViT, the plain transformer encoder of SETR.

Papers: "An Image is Worth 16x16 Words", arXiv 2010.11929; read at four depths as SETR does, arXiv
2012.15840, section 3.2. Notable:

- Every map has stride 16. The layer normalisation behind the last layer is applied to all four;
  SETR leaves open whether it reads raw or normalised layers.
- Images are padded with zeros at the bottom right to multiples of 16, and the position embedding
  of the pretraining grid is resized (bicubic) to the grid of the image.
- Layers behind the last one read are not built. The class token takes part and is left out of the
  maps.

Shapes: B batch, C channels, H and W height and width of the image, h = ceil(H/16) and
w = ceil(W/16) those of the grid, N = h * w.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.models.encoders.encoder import Encoder, check_options, import_transformers
from segnext.models.encoders.surgery import LINEAR_STD, DropPath, init_encoder_weights

PATCH = 16


class Size(NamedTuple):
    """C, layers and attention heads (table 1; small as in DeiT, arXiv 2012.12877)."""

    channels: int
    depth: int
    heads: int


SIZES: dict[str, Size] = {
    "vit_small": Size(384, 12, 6),
    "vit_base": Size(768, 12, 12),
    "vit_large": Size(1024, 24, 16),
}


class ViT(Encoder):
    """Images to the maps of four layers, all at stride 16.

    Args:
        size: A key of `SIZES`.
        in_channels: Channels of the image.
        image_size: Of pretraining, 224 or 384 [px]; gives the grid of the position embedding.
        layers: Numbers from 1 of the layers read, ascending; every quarter of the depth if not
            given, such as 6, 12, 18, 24 of the large size.
        drop_path_rate: Of the last layer; grows linearly from 0 over all layers.

    Raises:
        UsageError: An option is out of range, or `transformers` is missing.
    """

    checkpoint_prefix = "vit."
    # The second form is that of all files published so far, ours that of transformers 5.
    checkpoint_names = (
        (r"^embeddings\.patch_embeddings\.projection\.", "patches."),
        (r"^embeddings\.cls_token$", "class_token"),
        (r"^embeddings\.position_embeddings$", "positions"),
        (r"^layernorm\.", "norm."),
        (r"^encoder\.layer\.", "layers."),
        (r"\.attention\.attention\.query\.", ".attention.q_proj."),
        (r"\.attention\.attention\.key\.", ".attention.k_proj."),
        (r"\.attention\.attention\.value\.", ".attention.v_proj."),
        (r"\.attention\.output\.dense\.", ".attention.o_proj."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"\.output\.dense\.", ".mlp.fc2."),
    )
    not_loaded = (r"^pooler\.", r"^embeddings\.mask_token$")

    def __init__(
        self,
        size: str,
        *,
        in_channels: int = 3,
        image_size: int = 384,
        layers: Sequence[int] | None = None,
        drop_path_rate: float = 0.0,
    ) -> None:
        super().__init__()
        check_options(in_channels, drop_path_rate=drop_path_rate)
        channels, depth, heads = SIZES[size]
        self.read_layers = tuple(layers or (depth * quarter // 4 for quarter in (1, 2, 3, 4)))
        _check_vit_options(depth, self.read_layers, image_size)
        transformers = import_transformers()
        network: Any = transformers.ViTModel(
            transformers.ViTConfig(
                num_channels=in_channels,
                hidden_size=channels,
                num_hidden_layers=self.read_layers[-1],
                num_attention_heads=heads,
                intermediate_size=4 * channels,
                image_size=image_size,
                patch_size=PATCH,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                attn_implementation="sdpa",
            ),
            add_pooling_layer=False,
        )
        self.patches = network.embeddings.patch_embeddings.projection
        self.layers = network.layers
        self.norm = network.layernorm
        self.apply(init_encoder_weights)
        self.class_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.positions = nn.Parameter(torch.empty(1, (image_size // PATCH) ** 2 + 1, channels))
        nn.init.trunc_normal_(self.positions, std=LINEAR_STD)
        self.describe(in_channels, [channels] * 4, [PATCH] * 4)
        for index, layer in enumerate(self.layers):
            # `transformers` applies this dropout to both branches, right before the shortcut.
            layer.dropout = DropPath(drop_path_rate * index / max(1, len(self.layers) - 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Encode images (B, in_channels, H, W), normalised, of any size from 32x32.

        Returns:
            Four maps (B, C, ceil(H/16), ceil(W/16)), shallow to deep.

        Raises:
            ValueError: See `check_images`.
        """
        self.check_images(images)
        height, width = images.shape[-2:]
        padded = functional.pad(images, (0, -width % PATCH, 0, -height % PATCH))
        patches = self.patches(padded)
        grid = patches.shape[-2:]
        tokens = torch.cat(
            (
                (self.class_token + self.positions[:, :1]).expand(images.shape[0], -1, -1),
                patches.flatten(2).transpose(1, 2) + self._resize_positions(grid),
            ),
            dim=1,
        )
        features = []
        for number, layer in enumerate(self.layers, start=1):
            tokens = layer(tokens)
            if number in self.read_layers:
                read = self.norm(tokens)[:, 1:].transpose(1, 2)
                features.append(read.reshape(images.shape[0], -1, *grid))
        return features

    def _resize_positions(self, grid: Sequence[int]) -> Tensor:
        """Return the position embedding (1, N, C) for a grid of h x w."""
        resized = functional.interpolate(
            as_map(self.positions[:, 1:]), size=tuple(grid), mode="bicubic", align_corners=False
        )
        return resized.flatten(2).transpose(1, 2)


def as_map(positions: Tensor) -> Tensor:
    """Lay position embeddings (1, n * n, C) of a square grid out as (1, C, n, n)."""
    side = round(positions.shape[1] ** 0.5)
    return positions.transpose(1, 2).reshape(1, -1, side, side)


def _check_vit_options(depth: int, layers: Sequence[int], image_size: int) -> None:
    ascending = sorted(set(layers)) == list(layers)
    if len(layers) != 4 or not ascending or not set(layers) <= set(range(1, depth + 1)):
        msg = f"layers are four ascending numbers from 1 to {depth}, got {tuple(layers)}"
        raise UsageError(msg)
    if image_size < PATCH or image_size % PATCH:
        msg = f"image_size must be a multiple of {PATCH}, got {image_size}"
        raise UsageError(msg)
