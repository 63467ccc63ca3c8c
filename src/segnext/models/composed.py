"""Any encoder under any decoder: the baselines, in the same harness as SegNeXt.

Shapes: B batch, C channels, H and W height and width of the image, K classes.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from typing import Any

from torch import nn

from segnext.errors import UsageError, describe_unknown
from segnext.models.decoders.deeplab import DeepLabV3, DeepLabV3Plus
from segnext.models.decoders.fcn import FCN
from segnext.models.decoders.mlp import MLP
from segnext.models.decoders.nasfpn import NASFPN
from segnext.models.decoders.setr import SETRMLA, SETRPUP, SETRNaive
from segnext.models.decoders.upernet import UPerNet
from segnext.models.encoders import efficientnet, mit, resnet, vit
from segnext.models.encoders.mobilenet import MobileNetV2
from segnext.models.hamburger import LightHam
from segnext.models.layers import init_conv_weights
from segnext.models.mscan import MSCAN, MSCAN_SIZES
from segnext.models.segmentation_model import SegmentationModel


def build_mscan(**options: Any) -> MSCAN:
    """Build SegNeXt's encoder for another decoder, newly initialised; options as for `MSCAN`."""
    encoder = MSCAN(**options)
    encoder.apply(init_conv_weights)
    return encoder


def build_light_ham(in_channels: Sequence[int], num_classes: int, **options: Any) -> LightHam:
    """Build SegNeXt's decoder for another encoder, newly initialised; options as for `LightHam`."""
    decoder = LightHam(in_channels, num_classes, **options)
    decoder.apply(init_conv_weights)
    nn.init.normal_(decoder.classifier.weight, std=0.01)
    return decoder


# Each takes `in_channels` and options by name.
ENCODERS: dict[str, Callable[..., nn.Module]] = {
    **{
        name: partial(build_mscan, embed_dims=size["embed_dims"], depths=size["depths"])
        for name, size in MSCAN_SIZES.items()
    },
    **{name: partial(resnet.ResNet, name) for name in resnet.SIZES},
    "mobilenet_v2": MobileNetV2,
    **{name: partial(mit.MiT, name) for name in mit.SIZES},
    **{name: partial(vit.ViT, name) for name in vit.SIZES},
    **{name: partial(efficientnet.EfficientNet, name) for name in efficientnet.SIZES},
}

# Each takes `in_channels` of every map, `num_classes`, and options by name.
DECODERS: dict[str, Callable[..., nn.Module]] = {
    "ham": build_light_ham,
    "fcn": FCN,
    "deeplabv3": DeepLabV3,
    "deeplabv3plus": DeepLabV3Plus,
    "setr_naive": SETRNaive,
    "setr_pup": SETRPUP,
    "setr_mla": SETRMLA,
    "mlp": MLP,
    "upernet": UPerNet,
    "nasfpn": NASFPN,
}


@dataclass(frozen=True, kw_only=True)
class ComposedConfig:
    """Every argument of a composed model, as kept in weights files.

    Attributes:
        num_classes: K logits per pixel; one class means one logit and a sigmoid.
        in_channels: Channels of the image.
        encoder: A key of `ENCODERS`.
        decoder: A key of `DECODERS`.
        encoder_options: By name, other than `in_channels`.
        decoder_options: By name.
        auxiliaries: Options of each further decoder, for training alone, and its name under
            `decoder`.
        auxiliary_weight: Of the loss of each of them.

    Raises:
        UsageError: An encoder, a decoder or one of their options does not exist.
    """

    num_classes: int
    in_channels: int = 3
    encoder: str
    decoder: str
    encoder_options: dict[str, Any] = field(default_factory=dict)
    decoder_options: dict[str, Any] = field(default_factory=dict)
    auxiliaries: tuple[dict[str, Any], ...] = ()
    auxiliary_weight: float = 0.4

    def __post_init__(self) -> None:
        # JSON knows no tuples: without this, a configuration would differ from the one read back.
        for name in ("encoder_options", "decoder_options", "auxiliaries"):
            object.__setattr__(self, name, _with_tuples(getattr(self, name)))
        _check_part("encoder", self.encoder, self.encoder_options, ENCODERS)
        _check_part("decoder", self.decoder, self.decoder_options, DECODERS)
        for auxiliary in self.auxiliaries:
            options = dict(auxiliary)
            _check_part("auxiliary decoder", options.pop("decoder", ""), options, DECODERS)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ComposedConfig":
        """Rebuild a configuration; lists become tuples.

        Raises:
            UsageError: An option does not exist; names the nearest ones.
        """
        valid = [entry.name for entry in fields(cls)]
        for name in data:
            if name not in valid:
                raise UsageError(describe_unknown("model option", name, valid))
        return cls(**data)


class ComposedModel(SegmentationModel):
    """An encoder and a decoder by name.

    Args:
        config: Every option.

    Raises:
        UsageError: An option is out of range, the parts do not fit, or a package is missing.
    """

    config: ComposedConfig

    def __init__(self, config: ComposedConfig) -> None:
        encoder: Any = ENCODERS[config.encoder](
            in_channels=config.in_channels, **config.encoder_options
        )
        decoder: Any = DECODERS[config.decoder](
            encoder.out_channels, config.num_classes, **config.decoder_options
        )
        auxiliaries = []
        for auxiliary in config.auxiliaries:
            options = dict(auxiliary)
            build = DECODERS[options.pop("decoder")]
            auxiliaries.append(build(encoder.out_channels, config.num_classes, **options))
        super().__init__(
            config,
            encoder=encoder,
            decoder=decoder,
            output_stride=decoder.output_stride(encoder.strides),
            auxiliaries=tuple(auxiliaries),
            auxiliary_weight=config.auxiliary_weight if auxiliaries else 0.0,
        )


def list_options(build: Callable[..., nn.Module]) -> list[str]:
    """Return the names of the options that an entry of `ENCODERS` or `DECODERS` takes."""
    taken = build.keywords if isinstance(build, partial) else {}
    whole = build.func if isinstance(build, partial) else build
    # These two hand their options on.
    takers: Mapping[Callable[..., nn.Module], Callable[..., nn.Module]] = {
        build_mscan: MSCAN,
        build_light_ham: LightHam,
    }
    return [
        parameter.name
        for parameter in inspect.signature(takers.get(whole, whole)).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
        and parameter.name not in taken
        and parameter.name != "in_channels"
    ]


def _check_part(
    kind: str, name: str, options: Mapping[str, Any], parts: Mapping[str, Callable[..., nn.Module]]
) -> None:
    if name not in parts:
        raise UsageError(describe_unknown(kind, name, parts))
    valid = list_options(parts[name])
    for option in options:
        if option not in valid:
            raise UsageError(describe_unknown(f"option of {kind} {name}", option, valid))


def _with_tuples(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_tuples(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_with_tuples(entry) for entry in value)
    return value
