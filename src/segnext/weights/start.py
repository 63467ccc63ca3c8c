"""The start of a training: weights of any origin, and the class names that they share with us."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from segnext.classes import Classes
from segnext.errors import UsageError, WeightsError, describe_unknown, list_some
from segnext.models import Classifier, SegmentationModel
from segnext.models.encoders.encoder import Encoder
from segnext.models.encoders.loading import load_pretrained_encoder
from segnext.spec import ModelSpec
from segnext.weights.adapt import fill_encoder, start_from
from segnext.weights.files import has_spec, is_permissive, load_tensors, read_spec
from segnext.weights.foreign import CLASSIFIER, convert_state_dict, unwrap_state_dict
from segnext.weights.pickles import read_checkpoint
from segnext.weights.published import find_weights

_BIAS = "decoder.classifier.bias"


def initialize(
    model: SegmentationModel,
    classes: Classes,
    source: str | Path,
    *,
    merged: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Fill a new model from a published name, a file of ours or a checkpoint of another program.

    Args:
        model: Changed in place.
        classes: What its logits shall mean.
        source: As for `find_weights`, or any file that `read_checkpoint` reads; for encoders that
            are those of `transformers` also what `load_pretrained_encoder` reads.
        merged: See `start_from_model`.

    Returns:
        One line for everything that was adapted or starts anew, and for terms of the weights that
        are not plainly permissive. A checkpoint of another program names no classes, so its
        classifier starts anew.

    Raises:
        UsageError, WeightsError: See `find_weights` and `start_from_model`; also `merged` for a
            checkpoint of another program.
    """
    path = find_weights(source)
    if has_spec(path):
        return start_from_model(model, classes, path, merged=merged)
    if merged:
        msg = f"{path}: names no classes that could be merged; only files of segnext do"
        raise UsageError(msg)
    if isinstance(model.encoder, Encoder) and _may_be_of_transformers(path):
        return load_pretrained_encoder(model.encoder, path)
    return _start(model, dict(read_checkpoint(path)), path, drop_classifier=True)


def start_encoder(
    model: SegmentationModel | Classifier, source: str | Path
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Fill the encoder of a new model, and nothing else.

    Args:
        model: Changed in place.
        source: As for `find_weights`, or any file that `read_checkpoint` reads: a classifier, an
            encoder, or a whole segmentation model; for encoders that are those of
            `transformers` also what `load_pretrained_encoder` reads.

    Returns:
        One line for everything that was adapted, left out or starts anew, and for terms that are
        not plainly permissive; and the file's tensors by the names they have there, where it is
        no checkpoint of `transformers`.

    Raises:
        WeightsError: The file cannot be read, or its encoder does not fit.
    """
    path = find_weights(source)
    notes: list[str] = []
    if has_spec(path):
        spec = read_spec(path)
        content: dict[str, Any] = dict(load_tensors(path))
        notes += _compare_stems(model, spec, path)
        notes += [] if is_permissive(spec) else [f"terms of {path.name}: {spec.license}"]
    elif isinstance(model.encoder, Encoder) and _may_be_of_transformers(path):
        return load_pretrained_encoder(model.encoder, path), {}
    else:
        content = unwrap_state_dict(read_checkpoint(path))
    try:
        notes += fill_encoder(model, convert_state_dict(content))
    except WeightsError as error:
        msg = f"{path}: {error}"
        raise WeightsError(msg) from error
    return tuple(notes), content


def _may_be_of_transformers(path: Path) -> bool:
    """Tell whether a path without our description is what `save_pretrained` writes."""
    return path.is_dir() or path.suffix == ".safetensors"


def _compare_stems(model: SegmentationModel | Classifier, spec: ModelSpec, path: Path) -> list[str]:
    """Say that an encoder was trained with another stride of the stem; its tensors fit any."""
    theirs = int(spec.config.get("stem_stride", 4))
    ours = int(getattr(model.config, "stem_stride", 4))
    if theirs == ours:
        return []
    return [f"{path.name} was trained with stem_stride {theirs}, this model has {ours}"]


def start_from_model(
    model: SegmentationModel,
    classes: Classes,
    source: str | Path,
    *,
    merged: Mapping[str, Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Fill a new model from a file of ours; the classifier keeps the classes of the same names.

    Encoder and decoder are kept where they fit, see `start_from`. A row of the classifier is kept
    for every class whose name, whatever its case, is in both. A single class has one logit
    against a fixed 0, which means something else than one logit among several: it is kept only
    for a single class of the same name.

    Args:
        model: Changed in place.
        classes: What its logits shall mean.
        source: A file of ours.
        merged: Old names by new name, such as `{"vehicle": ["car", "bus"]}`: the new class gets
            the mean of their rows.

    Returns:
        One line for everything that was adapted or starts anew, and for terms that are not
        plainly permissive.

    Raises:
        UsageError: `merged` names a class that is not there, or makes several classes of a single
            one or the reverse.
        WeightsError: The file cannot be read, or its encoder does not fit.
    """
    source = Path(source)
    spec = read_spec(source)
    origins = _match_classes(classes, spec.classes, merged or {})
    tensors = load_tensors(source)
    rows, bias = tensors.get(CLASSIFIER), tensors.get(_BIAS)
    own = model.classifier
    notes = tuple(_compare_stems(model, spec, source))
    notes += () if is_permissive(spec) else (f"terms of {source.name}: {spec.license}",)
    if rows is None or bias is None or rows.shape[1:] != own.weight.shape[1:]:
        return (*_start(model, tensors, source, drop_classifier=True), *notes)
    if not len(rows) == bias.numel() == spec.classes.num_classes:
        msg = f"{source}: names {spec.classes.num_classes} classes, but predicts {len(rows)}"
        raise WeightsError(msg)
    assert own.bias is not None
    tensors[CLASSIFIER] = _pick_rows(rows, own.weight, origins)
    tensors[_BIAS] = _pick_rows(bias, own.bias, origins)
    said = _start(model, tensors, source)
    return (*said, *_describe_classes(classes, spec.classes, origins), *notes)


def _start(
    model: SegmentationModel,
    state_dict: Mapping[str, object],
    path: Path,
    *,
    drop_classifier: bool = False,
) -> tuple[str, ...]:
    try:
        converted = convert_state_dict(state_dict)
        if drop_classifier:
            kept = converted.state_dict.items()
            without = {n: t for n, t in kept if n not in (CLASSIFIER, _BIAS)}
            converted = replace(converted, state_dict=without)
        return (*converted.notes, *start_from(model, converted))
    except WeightsError as error:
        msg = f"{path}: {error}"
        raise WeightsError(msg) from error


def _match_classes(
    new: Classes, old: Classes, merged: Mapping[str, Sequence[str]]
) -> list[list[int]]:
    """List, for every new class, the rows of the old classifier that it starts from."""
    for name in merged:
        if name not in new.names:
            raise UsageError(describe_unknown("class to merge into", name, new.names))
    for name in (name for names in merged.values() for name in names):
        if name not in old.names:
            raise UsageError(describe_unknown("class of the weights", name, old.names))
    if 1 in (new.num_classes, old.num_classes) and new.num_classes + old.num_classes > 2:
        if merged:
            msg = "classes cannot be merged from or into a single class, which has one logit alone"
            raise UsageError(msg)
        return [[] for _ in new.names]
    exact = {name: row for row, name in enumerate(old.names)}
    folded = {name.casefold(): row for name, row in exact.items()}
    origins = []
    for name in new.names:
        row = exact.get(name, folded.get(name.casefold()))
        parts = merged.get(name, () if row is None else (old.names[row],))
        origins.append([exact[part] for part in parts])
    return origins


def _pick_rows(rows: Tensor, own: Tensor, origins: list[list[int]]) -> Tensor:
    """Return rows (K, ...) of the model's own, replaced where they have an origin."""
    picked = own.detach().cpu().clone()
    for index, sources in enumerate(origins):
        if sources:
            picked[index] = rows[sources].mean(dim=0)
    return picked


def _describe_classes(new: Classes, old: Classes, origins: list[list[int]]) -> list[str]:
    if new.names == old.names and all(len(rows) == 1 for rows in origins):
        return []
    kept = [name for name, rows in zip(new.names, origins, strict=True) if rows]
    fresh = [name for name in new.names if name not in kept]
    line = f"classifier: {len(kept)} of {new.num_classes} classes kept by name"
    return [line + (f"; new: {list_some(fresh)}" if fresh else "")]
