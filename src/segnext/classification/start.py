"""A classifier that starts from other weights: the encoder, and what of the head fits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.classification.files import is_classifier, read_classifier_spec
from segnext.models import Classifier
from segnext.weights import find_weights, start_encoder
from segnext.weights.files import has_spec


def start_classifier(
    model: Classifier, folders: Sequence[str], source: str | Path
) -> tuple[str, ...]:
    """Fill a new classifier from a published name, a file of ours or of another program.

    The head keeps the rows of the class folders that are in both. Files of other programs name no
    classes: their head is kept whole where the number of classes is the same.

    Args:
        model: Changed in place.
        folders: Its classes.
        source: As for `start_encoder`.

    Returns:
        One line for everything that was adapted or starts anew, and for terms that are not plainly
        permissive.

    Raises:
        WeightsError: The file cannot be read, or its encoder does not fit.
    """
    path = find_weights(source)
    notes, content = start_encoder(model, path)
    head = _find_head(content, model)
    if head is None:
        return (*notes, "the head starts anew: the file has none for this encoder")
    weight, bias = head
    known: Sequence[str] | None = None
    if has_spec(path) and is_classifier(path):
        known = read_classifier_spec(path).folders
    if known is None and len(weight) != len(folders):
        note = f"the head starts anew: {len(weight)} classes in the file, {len(folders)} here"
        return (*notes, note)
    rows = {folder: row for row, folder in enumerate(known or folders)}
    kept = [index for index, folder in enumerate(folders) if folder in rows]
    origins = [rows[folders[index]] for index in kept]
    with torch.no_grad():
        model.head.weight[kept] = weight[origins].float()
        model.head.bias[kept] = bias[origins].float()
    return (*notes, f"head: {len(kept)} of {len(folders)} classes kept")


def _find_head(content: Mapping[str, Any], model: Classifier) -> tuple[Tensor, Tensor] | None:
    """Return weight (K, C) and bias (K,) of a file's head, if it reads such features."""
    weight, bias = content.get("head.weight"), content.get("head.bias")
    if not isinstance(weight, Tensor) or not isinstance(bias, Tensor) or weight.ndim != 2:
        return None
    fits = weight.shape[1] == model.head.in_features and bias.shape == weight.shape[:1]
    return (weight, bias) if fits else None
