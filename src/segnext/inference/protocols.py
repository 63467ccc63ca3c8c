"""Protocols by name: how a score of the paper or of another program was taken.

`docs/protocols.md` has the table for people, with what is stated where and what is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from segnext.classes import Classes
from segnext.data.datasets.registry import DATASETS
from segnext.errors import UsageError, describe_unknown
from segnext.protocol import GREATEST_STRIDE, Protocol

# The paper's multi-scale test.
MULTI_SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
_MULTI_SCALE_SUFFIX = "-ms"
DEFAULT = "default"
NAMES = (DEFAULT, "paper", "authors", "mmseg-0.x", "mmseg-1.x")


@dataclass(frozen=True)
class _Rules:
    """What is published about testing on a data set.

    Attributes:
        paper: As the paper's text says, with our choices where it is silent.
        box: Long and short side of the test pipeline in MMSegmentation's file of the data set.
        window: Of the configurations there that slide.
        stride: Of the same.
        stretched: MMSegmentation 0.x has a SegNeXt configuration, which stretches sides.
    """

    paper: Protocol = field(default_factory=Protocol)
    box: tuple[int, int] | None = None
    window: int | None = None
    stride: int | None = None
    stretched: bool = False


_CITYSCAPES = _Rules(Protocol(window=1024, stride=768), (2048, 1024), 1024, 768)
_COCO_STUFF = _Rules(Protocol(short_side=512), (2048, 512))
_CONTEXT = _Rules(box=(520, 520), window=480, stride=320)
_RULES: Mapping[str, _Rules] = {
    "ade20k": _Rules(Protocol(short_side=512), (2048, 512), stretched=True),
    "cityscapes": _CITYSCAPES,
    "cityscapes_coarse": _CITYSCAPES,
    "coco_stuff164k": _COCO_STUFF,
    "coco_stuff10k": _COCO_STUFF,
    "pascal_voc": _Rules(box=(2048, 512)),
    "pascal_context": _CONTEXT,
    "pascal_context59": _CONTEXT,
    # The boxes there (896x896 and 512x512) are a patch of these: they do nothing to patches, and
    # would shrink a whole picture of 100 megapixels to the size of one.
    "isaid": _Rules(),
    "loveda": _Rules(box=(1024, 1024)),
    "potsdam": _Rules(),
    "vaihingen": _Rules(),
}
# Elsewhere the steps of the SegNeXt configurations are taken, on pictures of their own size.
_OTHERS = _Rules(stretched=True)


def list_protocols() -> list[str]:
    """Return the names that `named_protocol` knows."""
    return [*NAMES, *(name + _MULTI_SCALE_SUFFIX for name in NAMES)]


def named_protocol(name: str, dataset: str | None, default: Protocol | None = None) -> Protocol:
    """Return a protocol by name, for a data set.

    Args:
        name: `default`, `paper`, `authors`, `mmseg-0.x` or `mmseg-1.x`; with `-ms` behind it for
            six scales and the mirrored picture.
        dataset: Name of a known data set; others and `None` keep their own size.
        default: What `default` means, such as the protocol in the weights; whole pictures of
            their own size if not given.

    Raises:
        UsageError: The name is unknown.
    """
    base = name.removesuffix(_MULTI_SCALE_SUFFIX)
    if base not in NAMES:
        raise UsageError(describe_unknown("protocol", name, list_protocols()))
    rules = _RULES.get(dataset or "", _OTHERS)
    if base == DEFAULT:
        protocol = default or Protocol()
    elif base == "paper":
        protocol = rules.paper
    else:
        protocol = _openmmlab(base, rules)
    if base == name:
        return protocol
    # Test-time augmentation of mmseg 1.x scales the picture itself and knows no box.
    box = None if base == "mmseg-1.x" else protocol.box
    return replace(protocol, box=box, scales=MULTI_SCALES, flip=True)


def _openmmlab(name: str, rules: _Rules) -> Protocol:
    """Compose the rules of the authors' fork, or of the library it is a fork of."""
    stretched = {
        "authors": rules.window is None,  # their file with windows stretches nothing
        "mmseg-0.x": rules.stretched,
        "mmseg-1.x": False,
    }
    return Protocol(
        box=rules.box,
        window=rules.window,
        stride=rules.stride,
        resize_to_multiple=GREATEST_STRIDE if stretched[name] else None,
        pad_to_multiple=GREATEST_STRIDE if name == "mmseg-1.x" else None,
        rounding="mmcv",
        resample="pixels",
        steps=2,
    )


def vary_protocol(protocol: Protocol, dataset: str | None) -> dict[str, Protocol]:
    """Return protocols that differ from one in a single choice, by what was changed.

    Args:
        protocol: What to change.
        dataset: Whose box is another way to resize.
    """
    variants: dict[str, Protocol] = {}
    box = _RULES.get(dataset or "", _OTHERS).box
    if protocol.short_side is not None or protocol.box is not None:
        variants["own size"] = replace(protocol, short_side=None, box=None)
    if box is not None:
        variants[f"box {box[0]}x{box[1]}"] = replace(protocol, short_side=None, box=box)
    plain = replace(protocol, resize_to_multiple=None, pad_to_multiple=None)
    variants["nothing stretched or padded"] = plain
    variants[f"stretched to multiples of {GREATEST_STRIDE}"] = replace(
        plain, resize_to_multiple=GREATEST_STRIDE
    )
    variants[f"padded to multiples of {GREATEST_STRIDE}"] = replace(
        plain, pad_to_multiple=GREATEST_STRIDE
    )
    if protocol.window is not None:
        variants["whole image"] = replace(protocol, window=None, stride=None)
        variants["windows average logits"] = replace(protocol, overlap="logits")
        variants["windows average probabilities"] = replace(protocol, overlap="probabilities")
    variants["logits in one step"] = replace(protocol, steps=1)
    variants["logits in two steps"] = replace(protocol, steps=2)
    variants["normalised picture resized"] = replace(protocol, resample="inputs")
    variants["stored pixels resized"] = replace(protocol, resample="pixels")
    single = len(protocol.scales) == 1
    variants["six scales" if single else "single scale"] = replace(
        protocol, scales=MULTI_SCALES if single else (1.0,)
    )
    variants["no flip" if protocol.flip else "flip"] = replace(protocol, flip=not protocol.flip)
    return {name: variant for name, variant in variants.items() if variant != protocol}


def find_dataset(
    classes: Classes, format: str | None = None, told: str | None = None
) -> str | None:
    """Tell which data set's rules hold: as told, by the format of the data, or by the classes.

    Args:
        classes: Of the model.
        format: Under which the data were opened, where that is known.
        told: Name of a data set, which decides.

    Returns:
        What was told, or a name that `named_protocol` has rules for, or `None`.

    Raises:
        UsageError: There is no data set of the name that was told.
    """
    if told is not None:
        if told not in _RULES and told not in DATASETS:
            raise UsageError(describe_unknown("data set", told, {*_RULES, *DATASETS}))
        return told
    if format in _RULES:
        return format
    for name, dataset in DATASETS.items():
        if name in _RULES and dataset.classes.names == classes.names:
            return name
    return None
