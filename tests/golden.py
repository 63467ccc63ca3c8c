"""The rule by which golden values derive every tensor from its name."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch


def golden_tensor(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    if key.startswith("image "):
        values = rng.normal(0, 1, shape)
    elif key.endswith("running_var"):
        values = rng.uniform(0.5, 1.5, shape)
    elif key.endswith(("running_mean", "bias")):
        values = rng.normal(0, 0.1, shape)
    elif "layer_scale_" in key:
        values = rng.uniform(0.02, 0.1, shape)
    elif len(shape) == 1:
        values = rng.uniform(0.5, 1.5, shape)
    else:
        values = rng.normal(0, np.sqrt(1 / np.prod(shape[1:])), shape)
    return torch.from_numpy(values.astype(np.float32))


def golden_bases(width: int, rank: int) -> torch.Tensor:
    rng = np.random.default_rng(zlib.crc32(b"bases"))
    bases = rng.uniform(0, 1, (1, width, rank)).astype(np.float32)
    return torch.from_numpy(bases / np.linalg.norm(bases, axis=1, keepdims=True))


def official_state_dict(shared: Path, size: str) -> dict[str, torch.Tensor]:
    shapes = json.loads((shared / "golden" / "official_state_dict_keys.json").read_text())[size]
    items = shapes.items() if isinstance(shapes, dict) else shapes
    return {key: golden_tensor(key, tuple(shape)) for key, shape in items}
