"""Weights by name: what is published, where it lies, and a model from any of it.

MMSegmentation's SegNeXt files (arXiv 2209.08575) are downloaded on first use, checked, converted
once to ours and kept in the cache; see `segnext.weights.download`.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import torch

from segnext.errors import UsageError, WeightsError, describe_unknown
from segnext.models import SegmentationModel
from segnext.storage import cache_folder
from segnext.weights.adapt import build_from_state_dict
from segnext.weights.download import fetch
from segnext.weights.files import SUFFIX, read_model, save_model
from segnext.weights.foreign import convert_state_dict
from segnext.weights.pickles import read_checkpoint

CLONE_FOLDER = Path(__file__).resolve().parents[3] / "weights"

_ROOT = "https://download.openmmlab.com/mmsegmentation/v0.5"
_ASK_AUTHORS = "code Apache-2.0, but SegNeXt's authors ask to be contacted before commercial use"
_IMAGENET = f"{_ASK_AUTHORS}; trained on ImageNet-1k, whose terms are non-commercial research"
_ADE20K = f"{_IMAGENET}, and on ADE20K, whose terms are non-commercial research and education"
_CAMVID = "research only, non-commercial (trained on CamVid)"
_HASH = re.compile(r"sha256=([0-9a-fA-F]{64})")


@dataclass(frozen=True)
class PublishedWeights:
    """One file that can be asked for by name.

    Attributes:
        name: What `load_model` and `segnext train --init` accept.
        kind: `encoder` starts a training; `model` predicts as well.
        model: The size, such as `segnext_tiny`.
        description: What it was trained on, in one line.
        license: Terms of the weights, in one line.
        url: Where the file of another program lies; `None` for a file of ours, which lies in
            `weights/` of a clone of the repository.
        sha256_prefix: First digits of the hash of the file at `url`.
    """

    name: str
    kind: Literal["encoder", "model"]
    model: str
    description: str
    license: str
    url: str | None = None
    sha256_prefix: str | None = None


def _encoder(size: str, sha256_prefix: str) -> PublishedWeights:
    return PublishedWeights(
        name=f"mscan_{size}",
        kind="encoder",
        model=f"segnext_{size}",
        description="ImageNet-1k encoder (MMSegmentation's file)",
        license=_IMAGENET,
        url=f"{_ROOT}/pretrain/segnext/mscan_{size[0]}_20230227-{sha256_prefix}.pth",
        sha256_prefix=sha256_prefix,
    )


def _ade20k(size: str, date: str, sha256_prefix: str) -> PublishedWeights:
    run = f"segnext_mscan-{size[0]}_1x16_512x512_adamw_160k_ade20k"
    return PublishedWeights(
        name=f"segnext_{size}_ade20k",
        kind="model",
        model=f"segnext_{size}",
        description="ADE20K, 150 classes (MMSegmentation's file)",
        license=_ADE20K,
        url=f"{_ROOT}/segnext/{run}/{run}_{date}-{sha256_prefix}.pth",
        sha256_prefix=sha256_prefix,
    )


WEIGHTS: dict[str, PublishedWeights] = {
    weights.name: weights
    for weights in (
        _encoder("tiny", "119e8c9f"),
        _encoder("small", "f33ccdf2"),
        _encoder("base", "3ab7d230"),
        _encoder("large", "cef260d4"),
        _ade20k("tiny", "20230210_140244", "05bd8466"),
        _ade20k("small", "20230214_113014", "43013668"),
        _ade20k("base", "20230209_172053", "b6f6c70c"),
        _ade20k("large", "20230209_172055", "19b14b63"),
        PublishedWeights(
            name="segnext_tiny_camvid",
            kind="model",
            model="segnext_tiny",
            description="CamVid, 11 classes, trained by this project without ImageNet",
            license=_CAMVID,
        ),
    )
}


def list_weights() -> list[str]:
    """Return the names that `load_model` and `segnext train --init` accept beside files."""
    return list(WEIGHTS)


def load_model(source: str | Path, *, device: str | torch.device = "cpu") -> SegmentationModel:
    """Rebuild a model from a file, a published name or a URL.

    Args:
        source: See `find_weights`.
        device: Where the model shall live.

    Returns:
        The model in evaluation mode and float32, with `spec` set. Terms of the weights that are
        not plainly permissive are logged as a warning.

    Raises:
        UsageError, WeightsError: See `find_weights`.
        WeightsError: The file is missing, foreign, damaged, of a newer major version, holds an
            encoder alone, or its tensors are not those of its configuration.
    """
    return read_model(find_weights(source), device=device)


def find_weights(source: str | Path) -> Path:
    """Return the local file of weights, downloaded if need be.

    Args:
        source: A path, which is returned as it is; a name of `list_weights()`; or the URL of a
            `.safetensors` file of ours with its hash, `https://...#sha256=<64 hex digits>`.

    Raises:
        UsageError: A URL without hash or of another kind of file.
        WeightsError: An unknown name, or the download failed; says what to do.
    """
    text = str(source)
    if "://" in text:
        return _find_url(text)
    path = Path(source)
    if path.exists() or path.suffix or text != path.name:
        return path
    if text not in WEIGHTS:
        raise WeightsError(describe_unknown("weights", text, WEIGHTS))
    weights = WEIGHTS[text]
    return _find_in_clone(weights) if weights.url is None else _find_converted(weights)


def find_pretrained(model: str) -> Path:
    """Return the ImageNet encoder for a model, downloaded if need be.

    Args:
        model: A name such as `segnext_tiny`.

    Raises:
        WeightsError: There is none, or the download failed.
    """
    for weights in WEIGHTS.values():
        if weights.kind == "encoder" and weights.model == model:
            return find_weights(weights.name)
    msg = f"no encoder is published for {model!r}; see segnext models"
    raise WeightsError(msg)


def _find_url(url: str) -> Path:
    parts = urlsplit(url)
    name, match = Path(parts.path).name, _HASH.fullmatch(parts.fragment)
    if not name.endswith(SUFFIX):
        msg = (
            f"{url}: only {SUFFIX} files of segnext are loaded from a URL; download other files "
            f"and convert them with segnext import-weights"
        )
        raise UsageError(msg)
    if match is None:
        msg = (
            f"{url}: a download needs the hash of the file; add it as "
            f"{parts._replace(fragment='').geturl()}#sha256=<64 hex digits, from sha256sum FILE>"
        )
        raise UsageError(msg)
    sha256 = match[1].lower()
    path = cache_folder() / f"{sha256[:16]}-{name}"
    if path.is_file():
        return path
    return fetch(parts._replace(fragment="").geturl(), path, sha256=sha256)


def _find_in_clone(weights: PublishedWeights) -> Path:
    path = CLONE_FOLDER / f"{weights.name}{SUFFIX}"
    if not path.is_file():
        msg = (
            f"{weights.name}: the installed package does not hold this file; clone the repository "
            f"and give its weights/{path.name}, or install the clone with pip install -e"
        )
        raise WeightsError(msg)
    return path


def _find_converted(weights: PublishedWeights) -> Path:
    """Return the cached file, made from the published one when it is not there yet."""
    path = cache_folder() / f"{weights.name}{SUFFIX}"
    if path.is_file():
        return path
    assert weights.url is not None
    raw = path.with_name(Path(urlsplit(weights.url).path).name)
    fetch(weights.url, raw, sha256=weights.sha256_prefix)
    try:
        return _convert(weights, raw, path)
    except WeightsError:
        if path.is_file():  # another process was faster and has removed the raw file
            return path
        raise
    finally:
        raw.unlink(missing_ok=True)


def _convert(weights: PublishedWeights, raw: Path, path: Path) -> Path:
    checkpoint = read_checkpoint(raw)
    try:
        converted = convert_state_dict(checkpoint)
        if (converted.model, converted.encoder_only) != (weights.model, weights.kind == "encoder"):
            msg = f"holds no {weights.kind} of {weights.model}"
            raise WeightsError(msg)
        model, _ = build_from_state_dict(converted)
    except WeightsError as error:
        msg = f"{weights.url}: {error}"
        raise WeightsError(msg) from error
    assert model.spec is not None
    protocol = model.spec.protocol
    if weights.kind != "encoder":
        protocol = replace(protocol, short_side=512)
    return save_model(model, path, replace(model.spec, protocol=protocol, license=weights.license))
