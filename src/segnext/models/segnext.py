"""SegNeXt: MSCAN encoder, LightHam decoder (arXiv 2209.08575).

Shapes: B batch, C channels, H and W height and width of the image, K classes.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from segnext.models.hamburger import LightHam
from segnext.models.layers import init_conv_weights
from segnext.models.mscan import MSCAN
from segnext.models.mscan_config import MSCANConfig, build_encoder
from segnext.models.segmentation_model import SegmentationModel


@dataclass(frozen=True, kw_only=True)
class SegNeXtConfig(MSCANConfig):
    """Every argument of a SegNeXt, as kept in weights files: those of `MSCANConfig`, and these.

    Attributes:
        num_classes: K logits per pixel; one class means one logit and a sigmoid.
        decoder_width: D, a multiple of 32.
        rank: R of the matrix decomposition.
        train_steps: Updates of the decomposition in training.
        eval_steps: Updates of the decomposition in evaluation.
        decoder_stages: Encoder stages that the decoder reads, 1 to 4.
        dropout: Probability of dropping a channel before the classifier.
        decomposition: Of the hamburger: `nmf`, `vq` or `cd`.
        decoder_attention: What the decoder looks around with: `hamburger`, or one of the other
            `CONTEXTS` in its place.
    """

    option_kind: ClassVar[str] = "model option"

    num_classes: int
    decoder_width: int = 256
    rank: int = 16
    train_steps: int = 6
    eval_steps: int = 7
    decoder_stages: tuple[int, ...] = (2, 3, 4)
    dropout: float = 0.1
    decomposition: str = "nmf"
    decoder_attention: str = "hamburger"


class SegNeXt(SegmentationModel):
    """MSCAN and LightHam; images to logits at stride 8 unless the decoder reads other stages.

    Args:
        config: Every option.

    Attributes:
        encoder: `MSCAN`; images to four feature maps.
        decoder: `LightHam`; feature maps to logits.
    """

    config: SegNeXtConfig
    encoder: MSCAN
    decoder: LightHam

    def __init__(self, config: SegNeXtConfig) -> None:
        encoder = build_encoder(config)
        decoder = LightHam(
            encoder.out_channels,
            config.num_classes,
            width=config.decoder_width,
            rank=config.rank,
            train_steps=config.train_steps,
            eval_steps=config.eval_steps,
            stages=config.decoder_stages,
            dropout=config.dropout,
            decomposition=config.decomposition,
            attention=config.decoder_attention,
        )
        super().__init__(
            config,
            encoder=encoder,
            decoder=decoder,
            output_stride=decoder.output_stride(encoder.strides),
        )
        decoder.apply(init_conv_weights)
        nn.init.normal_(decoder.classifier.weight, std=0.01)
