"""Pretrained weights for encoders, from checkpoints of `transformers`.

A checkpoint is a `model.safetensors`, or the folder that `save_pretrained` wrote; nothing is
downloaded. Names of older releases of `transformers` are understood as well, and heads of any kind
are left out.
"""

import math
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import WeightsError, list_some
from segnext.models.encoders.encoder import Encoder
from segnext.models.encoders.vit import as_map

FILE = "model.safetensors"

_POSITIONS = "positions"
_HEADS = (r"^classifier\.", r"^decode_head\.", r"^segmentation_head\.", r"^decoder\.")
_COUNTER = "num_batches_tracked"


def load_pretrained_encoder(encoder: Encoder, path: str | Path) -> tuple[str, ...]:
    """Fill an encoder from a checkpoint of `transformers`.

    Args:
        encoder: Changed in place; unchanged if anything is refused.
        path: The file, or the folder that holds a `model.safetensors`.

    Returns:
        One line for everything that was adapted or not used: image channels, position embeddings,
        tensors that the encoder does not have.

    Raises:
        WeightsError: There is no such file, it is damaged, or it lacks tensors of the encoder or
            has them in another shape; names them.
    """
    path = _find_file(Path(path))
    tensors, left_over = _translate(_read(path), encoder)
    notes = _adapt_stem(tensors, encoder)
    notes += _adapt_positions(tensors, encoder)
    expected = encoder.state_dict()
    left_over += [name for name in tensors if name not in expected]
    absent = [n for n in expected if n not in tensors and not n.endswith(_COUNTER)]
    if absent:
        msg = f"{path}: lacks {len(absent)} tensors of the encoder: {list_some(absent)}"
        raise WeightsError(msg)
    fitting = {name: tensor for name, tensor in tensors.items() if name in expected}
    misshapen = [n for n, tensor in fitting.items() if tensor.shape != expected[n].shape]
    if misshapen:
        msg = f"{path}: is of another size of encoder, differing in {list_some(misshapen)}"
        raise WeightsError(msg)
    broken = [name for name, tensor in fitting.items() if not torch.isfinite(tensor).all()]
    if broken:
        msg = f"{path}: unusable, NaN or infinite values in {list_some(broken)}"
        raise WeightsError(msg)
    encoder.load_state_dict(fitting, strict=False)
    if left_over:
        notes.append(f"{len(left_over)} tensors were not used: {list_some(left_over)}")
    return tuple(notes)


def _find_file(path: Path) -> Path:
    file = path / FILE if path.is_dir() else path
    if file.is_file() and file.suffix == ".safetensors":
        return file
    reason = f"is no .safetensors file; save it with save_pretrained, which writes {FILE}"
    if path.is_dir():
        reason = f"has no {FILE}; files of other kinds and split ones are not read"
    elif not file.exists():
        reason = "no such file"
    msg = f"{path}: {reason}"
    raise WeightsError(msg)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())
        msg = f"{path}: not a whole safetensors file ({reason}); get or write it again"
        raise WeightsError(msg) from error
    return tensors


def _translate(content: dict[str, Tensor], encoder: Encoder) -> tuple[dict[str, Tensor], list[str]]:
    """Return tensors under our names, and the names of those outside of a prefixed encoder."""
    prefix = encoder.checkpoint_prefix
    prefixed = any(name.startswith(prefix) for name in content)
    tensors: dict[str, Tensor] = {}
    outside: list[str] = []
    for name, tensor in content.items():
        if prefixed and not name.startswith(prefix):
            outside.append(name)
            continue
        name = name.removeprefix(prefix)
        if _matches(name, encoder.not_loaded):
            continue
        for pattern, replacement in encoder.checkpoint_names:
            name = re.sub(pattern, replacement, name)
        tensors[name] = tensor.float() if tensor.is_floating_point() else tensor
    heads = [name for name in (*outside, *tensors) if _matches(name, _HEADS)]
    for name in heads:
        tensors.pop(name, None)
    return tensors, [name for name in outside if name not in heads]


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _adapt_stem(tensors: dict[str, Tensor], encoder: Encoder) -> list[str]:
    """Spread the mean kernel of the first convolution over other image channels."""
    stem = next(n for n, module in encoder.named_modules() if isinstance(module, nn.Conv2d))
    kernels, channels = tensors.get(f"{stem}.weight"), encoder.in_channels
    if kernels is None or kernels.ndim != 4 or kernels.shape[1] in (0, channels):
        return []
    source = kernels.shape[1]
    # So that a picture with the same values in all channels gives what it gave before.
    mean = kernels.mean(dim=1, keepdim=True) * (source / channels)
    tensors[f"{stem}.weight"] = mean.expand(-1, channels, -1, -1)
    return [f"the stem was made for {source} image channels and is adapted to {channels}"]


def _adapt_positions(tensors: dict[str, Tensor], encoder: Encoder) -> list[str]:
    """Resize the position embedding (1, 1 + n * n, C) to the grid of the encoder."""
    given, own = tensors.get(_POSITIONS), encoder.state_dict().get(_POSITIONS)
    if (
        given is None
        or own is None
        or given.shape == own.shape
        or given.ndim != 3
        or given.shape[1] < 2
    ):
        return []
    if math.isqrt(given.shape[1] - 1) ** 2 != given.shape[1] - 1:
        return []  # no square grid: refused with the misshapen
    laid_out, target = as_map(given[:, 1:]), as_map(own[:, 1:])
    resized = functional.interpolate(
        laid_out, size=target.shape[-2:], mode="bicubic", align_corners=False
    )
    tensors[_POSITIONS] = torch.cat((given[:, :1], resized.flatten(2).transpose(1, 2)), dim=1)
    grids = [f"{size.shape[-2]}x{size.shape[-1]}" for size in (laid_out, target)]
    return [f"the position embedding was resized from {grids[0]} to {grids[1]} patches"]
