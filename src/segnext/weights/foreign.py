"""Other people's state dicts under our names.

Understood: checkpoints of the authors' repository, of MMSegmentation 0.x and 1.x, ImageNet
encoder files, and our own names, in whatever dictionary they are wrapped. Nothing is dropped
silently: what does not fit is named.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from segnext.errors import WeightsError, list_some
from segnext.models import MODELS, create_model
from segnext.weights.names import translate_name

CLASSIFIER = "decoder.classifier.weight"
STEM = "encoder.stages.0.downsample.0.weight"

_WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model")
_MAX_WRAPPERS = 4  # a hostile dictionary may hold itself
_AVERAGED = ("state_dict_ema", "ema_state_dict")
_PREFIXES = ("module.", "_orig_mod.")
_NOT_USED = {
    "head.": "the ImageNet classifier",
    "data_preprocessor.": "pixel statistics",
}


@dataclass(frozen=True)
class ConvertedStateDict:
    """A state dict under our names, and what is known about it.

    Attributes:
        state_dict: Every tensor with a name of ours, as found.
        model: The size whose encoder fits best, such as `segnext_tiny`; `None` if none does.
        num_classes: K of the classifier; `None` without one.
        in_channels: Image channels of the stem; 3 without one.
        encoder_only: There is no decoder.
        missing: Our names of tensors that `model` has and the file lacks, or has in another
            shape. Counters of batches, which nothing reads, do not count.
        left_over: Names in the file that mean nothing to `model`, or have another shape.
        notes: One line per fact worth telling.
        class_names: As MMSegmentation keeps them beside the tensors; `None` without, or where they
            are not `num_classes` different names.
    """

    state_dict: dict[str, Tensor]
    model: str | None
    num_classes: int | None
    in_channels: int
    encoder_only: bool
    missing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None


def convert_state_dict(state_dict: Mapping[str, Any]) -> ConvertedStateDict:
    """Translate the names of a SegNeXt checkpoint to ours.

    Args:
        state_dict: Tensors by name, or a checkpoint that holds them under `state_dict`, `model`
            or `model_state`. Prefixes of DistributedDataParallel and torch.compile are taken off.

    Raises:
        WeightsError: No tensor of a SegNeXt is found.
    """
    content, notes = _unwrap(state_dict)
    tensors: dict[str, Tensor] = {}
    origins: dict[str, str] = {}
    left_over: list[str] = []
    for name, value in content.items():
        ours = translate_name(name) if _is_plain_tensor(value) else None
        if ours is not None and ours not in tensors:
            tensors[ours], origins[ours] = value, name
        elif not name.startswith(tuple(_NOT_USED)):
            left_over.append(name)
    if not tensors:
        msg = (
            f"found no tensors of a SegNeXt, only {list_some(content) or 'nothing'}; expected "
            f"names such as backbone.patch_embed1.proj.0.weight"
        )
        raise WeightsError(msg)
    for prefix, meaning in _NOT_USED.items():
        names = [name for name in content if name.startswith(prefix)]
        notes += [f"not used: {', '.join(names)} ({meaning})"] * bool(names)
    found = _describe(tensors, origins, left_over, notes)
    return replace(found, class_names=_read_class_names(state_dict, found.num_classes))


def is_required(name: str) -> bool:
    """Tell whether a tensor of ours matters: counters of batches are read by nothing."""
    return not name.endswith("num_batches_tracked")


def unwrap_state_dict(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors of a checkpoint by the names of its own, without wrappers' prefixes."""
    return _unwrap(content)[0]


def _unwrap(content: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Find the innermost state dict and take wrappers' prefixes off its names."""
    averaged: list[str] = []
    for _ in range(_MAX_WRAPPERS):
        averaged += [key for key in _AVERAGED if key in content]
        wrapped = (content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping))
        content = next(wrapped, content)
    return {_strip(str(name)): value for name, value in content.items()}, [
        f"not used: averaged weights under {key!r}" for key in dict.fromkeys(averaged)
    ]


def _strip(name: str) -> str:
    while name.startswith(_PREFIXES):
        name = name.partition(".")[2]
    return name


def _is_plain_tensor(value: object) -> bool:
    """Tell whether a value can be copied into a parameter: dense, real, and with storage."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and not (value.is_quantized or value.is_complex() or value.is_meta)
    )


def _describe(
    tensors: dict[str, Tensor], origins: dict[str, str], left_over: list[str], notes: list[str]
) -> ConvertedStateDict:
    stem, classifier = tensors.get(STEM), tensors.get(CLASSIFIER)
    in_channels = stem.shape[1] if stem is not None and stem.ndim == 4 else 3
    num_classes = len(classifier) if classifier is not None and classifier.ndim == 4 else None
    encoder_only = not any(name.startswith("decoder.") for name in tensors)
    model = _infer_model(tensors)
    missing: list[str] = []
    if model is not None:
        expected = _shapes(model, num_classes or 1, in_channels)
        fitting = {n for n, shape in expected.items() if n in tensors and tensors[n].shape == shape}
        missing = [
            name
            for name in expected
            if name not in fitting
            and is_required(name)
            and (name.startswith("encoder.") or not encoder_only)
        ]
        left_over = left_over + [origins[name] for name in tensors if name not in fitting]
    return ConvertedStateDict(
        state_dict=tensors,
        model=model,
        num_classes=num_classes,
        in_channels=in_channels,
        encoder_only=encoder_only,
        missing=tuple(missing),
        left_over=tuple(left_over),
        notes=tuple(notes),
    )


def _read_class_names(checkpoint: Mapping[str, Any], count: int | None) -> tuple[str, ...] | None:
    """Read `meta.CLASSES` of MMSegmentation 0.x or `meta.dataset_meta.classes` of 1.x.

    Blanks are taken off: "bed " of ADE20K has one.
    """
    meta = checkpoint.get("meta")
    for _ in range(2):
        if not isinstance(meta, Mapping):
            return None
        listed = meta.get("classes", meta.get("CLASSES"))
        if isinstance(listed, list | tuple):
            names = tuple(str(name).strip() for name in listed)
            if len(names) == len({*names} - {""}) == count:
                return names
        meta = meta.get("dataset_meta")
    return None


def _infer_model(tensors: Mapping[str, Tensor]) -> str | None:
    """Find the size whose encoder shares most tensors, by name and shape, with these."""
    given = {
        name: value.shape
        for name, value in tensors.items()
        if name.startswith("encoder.") and name != STEM
    }

    def overlap(model: str) -> float:
        shapes = _shapes(model, 1, 3)
        encoder = {n: shapes[n] for n in shapes if n.startswith("encoder.") and n != STEM}
        return len(encoder.items() & given.items()) / len(encoder.keys() | given.keys())

    best = max(MODELS, key=overlap)
    return best if overlap(best) > 0.5 else None


@functools.lru_cache(maxsize=16)
def _shapes(model: str, num_classes: int, in_channels: int) -> dict[str, torch.Size]:
    with torch.device("meta"):
        built = create_model(model, num_classes=num_classes, in_channels=in_channels)
    return {name: tensor.shape for name, tensor in built.state_dict().items()}
