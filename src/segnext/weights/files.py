"""Weights files: tensors as safetensors, and the spec that makes them a model, in one file.

The metadata of the file holds `ModelSpec` as JSON under the key `segnext`, so `read_model` needs
nothing but the path. Reading runs no code from the file.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from segnext import __version__
from segnext.errors import SegnextError, UsageError, WeightsError, list_some
from segnext.models import (
    ComposedConfig,
    SegmentationModel,
    SegNeXtConfig,
    build_from_config,
    config_from_dict,
)
from segnext.models.registry import BUILD_ERRORS
from segnext.spec import ModelSpec
from segnext.storage import write_atomically
from segnext.weights.description import check_spec, describe_model, parse_spec

SUFFIX = ".safetensors"
PICKLE_SUFFIXES = frozenset({".pth", ".pt", ".ckpt", ".bin", ".tar", ".pkl"})

_METADATA_KEY = "segnext"
_ENCODER = "encoder."
_INTEGERS_AND_BASES = ("num_batches_tracked", "initial_bases")
_MOST_DIMENSIONS = 8  # convolutions have four; torch itself fails beyond 64
# Of `LightHam`, where a configuration leaves them out.
_LIGHT_HAM_WIDTH = 256
_LIGHT_HAM_RANK = 16
# Options of composed models that say how often something is built.
_REPEATED = ("repeats", "head_convs", "convs")
_QUIET_LICENSES = frozenset(
    {"apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc0-1.0", "mit", "unstated"}
)

logger = logging.getLogger("segnext")


def save_model(
    model: SegmentationModel, path: str | Path, spec: ModelSpec | None = None, *, half: bool = False
) -> Path:
    """Write a model and its spec to one file, all or nothing.

    Args:
        model: Any device and memory format. `spec.encoder_only` keeps its encoder alone.
        path: Where to write; ends in `.safetensors`. Missing folders are made, an older file is
            replaced.
        spec: What to say about the model; `model.spec` if not given, else numbered classes.
            Its `config` and `version` are filled in here.
        half: Store float16, half the size. The bases of the decomposition stay float32.

    Returns:
        The path written.

    Raises:
        UsageError: Another suffix, or a spec for other classes or channels than the model's.
        WeightsError: A value is not finite (with `half`: in float16).
        SegnextError: The disk refuses.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        msg = f"{path}: weights files end in {SUFFIX}, this name does not; nothing was written"
        raise UsageError(msg)
    spec = spec or model.spec or describe_model(model)
    spec = replace(spec, config=model.config.to_dict(), version=__version__)
    check_spec(spec, model.config)
    tensors = {
        name: _stored(name, tensor, half=half)
        for name, tensor in model.state_dict().items()
        if name.startswith(_ENCODER) or not spec.encoder_only
    }
    check_finite(tensors, f"{path}: not written")
    metadata = {"format": "pt", _METADATA_KEY: json.dumps(spec.to_dict())}
    write_atomically(path, save(tensors, metadata))
    return path


def read_model(path: str | Path, *, device: str | torch.device = "cpu") -> SegmentationModel:
    """Rebuild a model from its file; `load_model` takes names and URLs as well.

    Args:
        path: A file that `save_model` wrote.
        device: Where the model shall live.

    Returns:
        The model in evaluation mode and float32, with `spec` set. Terms of the weights that are
        not plainly permissive are logged as a warning.

    Raises:
        WeightsError: The file is missing, foreign, damaged, of a newer major version, holds an
            encoder alone, or its tensors are not those of its configuration.
    """
    path = Path(path)
    spec = read_spec(path)
    if spec.encoder_only:
        msg = (
            f"{path}: holds an encoder only, which cannot predict; start a training from it with "
            f"segnext train DIR --init {path}"
        )
        raise WeightsError(msg)
    tensors = load_tensors(path)
    model = _build_empty(spec, tensors, path)
    _fill(model, tensors, path)
    model.spec = spec
    if not is_permissive(spec):
        logger.warning("%s: terms of these weights: %s", path.name, spec.license)
    return model.to(device).eval()


def is_permissive(spec: ModelSpec) -> bool:
    """Tell whether anybody may do anything with weights; `unstated` is a user's own training."""
    return spec.license.lower() in _QUIET_LICENSES


def read_spec(path: str | Path) -> ModelSpec:
    """Read what a weights file says about itself, without its tensors.

    Raises:
        WeightsError: The file is missing, foreign, damaged or of a newer major version.
    """
    path = Path(path)
    _check_kind(path)
    metadata = read_metadata(path)
    if _METADATA_KEY not in metadata:
        msg = (
            f"{path}: does not say which model it is for; convert weights of other programs with "
            f"segnext import-weights {path} OUTPUT{SUFFIX}"
        )
        raise WeightsError(msg)
    try:
        return parse_spec(metadata[_METADATA_KEY])
    except WeightsError as error:
        msg = f"{path}: {error}"
        raise WeightsError(msg) from error


def has_spec(path: str | Path) -> bool:
    """Tell whether a file is one of ours: safetensors that say which model they are for.

    Raises:
        WeightsError: A `.safetensors` file is damaged.
    """
    path = Path(path)
    return path.suffix == SUFFIX and path.is_file() and _METADATA_KEY in read_metadata(path)


def load_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of any safetensors file: by name, on the CPU, floats as float32.

    Raises:
        WeightsError: The file is missing, not safetensors, or holds values that are not finite.
    """
    path = Path(path)
    _check_kind(path)
    try:
        with safe_open(path, framework="pt") as file:
            # Copies: a mapped file could not be replaced on Windows while its model lives.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(_not_safetensors(path, error)) from error
    deep = [name for name, tensor in tensors.items() if tensor.ndim > _MOST_DIMENSIONS]
    if deep:
        msg = f"{path}: unusable, more than {_MOST_DIMENSIONS} dimensions in {list_some(deep)}"
        raise WeightsError(msg)
    tensors = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    check_finite(tensors, f"{path}: unusable")
    return tensors


def check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Refuse tensors with NaN or infinite values.

    Raises:
        WeightsError: Starts with `where` and names the tensors.
    """
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        msg = f"{where}, NaN or infinite values in {list_some(broken)}"
        raise WeightsError(msg)


def read_metadata(path: Path) -> dict[str, str]:
    """Read the texts in the header of any safetensors file.

    Raises:
        WeightsError: It is not a whole safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(_not_safetensors(path, error)) from error


def _stored(name: str, tensor: Tensor, *, half: bool) -> Tensor:
    """Prepare a tensor for the file, which knows neither devices nor memory formats."""
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and not name.endswith(_INTEGERS_AND_BASES) else tensor


def _check_kind(path: Path) -> None:
    """Answer paths that cannot be weights files of ours, each with its own remedy."""
    if path.suffix.lower() in PICKLE_SUFFIXES:
        msg = (
            f"{path}: {path.suffix} files are pickles of other programs; convert it once with "
            f"segnext import-weights {path} {path.with_suffix(SUFFIX).name}"
        )
        raise WeightsError(msg)
    if path.is_dir():
        msg = f"{path}: is a folder; give the {SUFFIX} file in it"
        raise WeightsError(msg)
    if not path.exists():
        msg = f"{path}: no such file"
        raise WeightsError(msg)


def _not_safetensors(path: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())
    return f"{path}: not a whole safetensors file ({reason}); get or write it again"


def _build_empty(spec: ModelSpec, tensors: Mapping[str, Tensor], path: Path) -> SegmentationModel:
    """Build the model of a spec without storage.

    Nothing is drawn, so loading leaves the global generator alone, and a hostile configuration
    cannot ask for memory before it is compared with the tensors. Blocks and the bases of the
    decomposition cost something even so, hence the look at their number.
    """
    with refuse_unbuildable(path):
        config = config_from_dict(spec.config)
        check_spec(spec, config)
        numbers = sum(tensor.numel() for tensor in tensors.values())
        layers, bases = _claimed_size(config)
        if layers > len(tensors) or bases > numbers:
            msg = "the file holds too few tensors for its configuration"
            raise WeightsError(msg)
        with torch.device("meta"):
            return build_from_config(config)


@contextmanager
def refuse_unbuildable(path: Path) -> Iterator[None]:
    """Turn whatever building a model from a file's configuration raises into one error.

    Raises:
        WeightsError: Says what went wrong.
    """
    try:
        yield
    except (SegnextError, *BUILD_ERRORS) as error:
        msg = f"{path}: its model cannot be built, {error}"
        raise WeightsError(msg) from error


def _claimed_size(config: SegNeXtConfig | ComposedConfig) -> tuple[int, int]:
    """Return the layers that a configuration lets repeat, and the numbers in its bases."""
    # Magnitudes, lest a negative number hide another.
    if isinstance(config, SegNeXtConfig):
        entries = _count_entries(config.to_dict())
        return sum(map(abs, config.depths)) + entries, abs(config.decoder_width * config.rank)
    decoders: list[tuple[str, Mapping[str, Any]]] = [
        (config.decoder, config.decoder_options),
        *((auxiliary["decoder"], auxiliary) for auxiliary in config.auxiliaries),
    ]
    layers = sum(abs(options.get(name, 0)) for _, options in decoders for name in _REPEATED)
    layers += _count_entries(config.to_dict())
    bases = sum(
        abs(options.get("width", _LIGHT_HAM_WIDTH) * options.get("rank", _LIGHT_HAM_RANK))
        for name, options in decoders
        if name == "ham"
    )
    return layers, bases


def _count_entries(value: Any) -> int:
    """Count what stands in the lists of a configuration, since each is a module or its size."""
    if isinstance(value, Mapping):
        return sum(map(_count_entries, value.values()))
    return (
        sum(1 + _count_entries(entry) for entry in value) if isinstance(value, list | tuple) else 0
    )


def _fill(model: SegmentationModel, tensors: Mapping[str, Tensor], path: Path) -> None:
    expected = model.state_dict()
    _check_names("misses", expected.keys() - tensors.keys(), path)
    _check_names("has unknown", tensors.keys() - expected.keys(), path)
    differing = [name for name in expected if expected[name].shape != tensors[name].shape]
    _check_names("has misshapen", differing, path)
    fitting = {name: tensors[name].to(expected[name].dtype) for name in expected}
    model.load_state_dict(fitting, assign=True)


def _check_names(verb: str, names: Iterable[str], path: Path) -> None:
    found = sorted(names)
    if found:
        msg = f"{path}: {verb} tensors for its configuration: {list_some(found)}"
        raise WeightsError(msg)
