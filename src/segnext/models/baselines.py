"""The published systems that SegNeXt is compared with, by name.

FCN, DeepLabV3 and DeepLabV3+ on dilated ResNets; SETR on ViT; SegFormer; NAS-FPN on EfficientNet;
and any other encoder under any decoder as `<encoder>_<decoder>`.
"""

from typing import Any

from segnext.errors import UsageError, describe_unknown
from segnext.models.composed import DECODERS, ENCODERS
from segnext.models.decoders.aspp import RATES_AT_16

# Decoders that were published on an encoder of stride 8, and encoders that can end there.
_DILATED = ("fcn", "deeplabv3", "deeplabv3plus")
_DILATABLE = ("resnet", "mobilenet")

# Layers that the auxiliaries read (SETR, section 4.1), and the last; halved for 12 layers.
_SETR_LAYERS = {"small": (5, 8, 10, 12), "base": (5, 8, 10, 12), "large": (10, 15, 20, 24)}


def _dilated(encoder: str, decoder: str) -> dict[str, Any]:
    """A ResNet of stride 8 and an FCN head on stage 3 beside the decoder (arXiv 1612.01105)."""
    head = {"decoder": "fcn", "stage": 3, "width": 256, "convs": 1, "concat_input": False}
    return {
        "encoder": encoder,
        "decoder": decoder,
        "encoder_options": {"output_stride": 8},
        "auxiliaries": (head,),
    }


def _setr(decoder: str, size: str) -> dict[str, Any]:
    head: dict[str, Any] = {"decoder": "setr_naive"}
    if decoder == "setr_pup":
        head = {"decoder": "fcn", "width": 256, "convs": 1, "concat_input": False, "dropout": 0.0}
    aggregates = decoder == "setr_mla"
    return {
        "encoder": f"vit_{size}",
        "decoder": decoder,
        # Aggregation reads every quarter of the depth, the encoder's default.
        "encoder_options": {} if aggregates else {"layers": _SETR_LAYERS[size]},
        "auxiliaries": tuple(
            {**head, "stage": s} for s in ((1, 2, 3, 4) if aggregates else (1, 2, 3))
        ),
    }


def _segformer(size: int) -> dict[str, Any]:
    width = 256 if size < 2 else 768
    return {"encoder": f"mit_b{size}", "decoder": "mlp", "decoder_options": {"width": width}}


# Every field of `ComposedConfig` but the classes and the channels of the image.
BASELINES: dict[str, dict[str, Any]] = {
    "fcn_resnet18": _dilated("resnet18", "fcn"),
    **{
        f"{decoder}_{encoder}": _dilated(encoder, decoder)
        for decoder in _DILATED
        for encoder in ("resnet50", "resnet101")
    },
    "deeplabv3plus_mobilenet_v2": {
        "encoder": "mobilenet_v2",
        "decoder": "deeplabv3plus",
        "encoder_options": {"output_stride": 16},
        "decoder_options": {"width": 256, "rates": RATES_AT_16},
    },
    **{f"segformer_b{size}": _segformer(size) for size in range(6)},
    **{
        decoder if size == "large" else f"{decoder}_{size}": _setr(decoder, size)
        for size in ("small", "base", "large")
        for decoder in ("setr_naive", "setr_pup", "setr_mla")
    },
    **{
        f"nasfpn_{encoder}": {"encoder": encoder, "decoder": "nasfpn"}
        for encoder in ENCODERS
        if encoder.startswith("efficientnet")
    },
}


def find_parts(name: str) -> dict[str, Any] | None:
    """Return the fields of `ComposedConfig` of a named model; `None` if the name means nothing.

    Args:
        name: A key of `BASELINES`, or an encoder and a decoder such as `resnet50_ham`.

    Raises:
        UsageError: One of the two is known, the other is not.
    """
    if name in BASELINES:
        return BASELINES[name]
    begun = [encoder for encoder in ENCODERS if name.startswith(f"{encoder}_")]
    ended = [decoder for decoder in DECODERS if name.endswith(f"_{decoder}")]
    for encoder in begun:
        decoder = name.removeprefix(f"{encoder}_")
        if decoder in DECODERS:
            options = _default_encoder_options(encoder, decoder)
            return {"encoder": encoder, "decoder": decoder, "encoder_options": options}
    if begun:
        decoder = name.removeprefix(f"{max(begun, key=len)}_")
        raise UsageError(describe_unknown("decoder", decoder, DECODERS))
    if ended:
        encoder = name.removesuffix(f"_{max(ended, key=len)}")
        raise UsageError(describe_unknown("encoder", encoder, ENCODERS))
    return None


def _default_encoder_options(encoder: str, decoder: str) -> dict[str, Any]:
    if encoder == "mscan_large":
        return {"drop_path_rate": 0.3}
    if decoder in _DILATED and encoder.startswith(_DILATABLE):
        return {"output_stride": 8}
    return {}
