"""Models that answer together: those of a list, or of a cross-validation's folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from segnext.errors import UsageError, WeightsError
from segnext.models import SegmentationModel
from segnext.spec import ModelSpec
from segnext.weights.published import find_weights, load_model

BEST = "best.safetensors"

Source = SegmentationModel | str | Path


def load_models(source: Source | Sequence[Source]) -> tuple[SegmentationModel, ...]:
    """Load one model or several that are asked together.

    Args:
        source: A model, or what `load_model` takes, or the folder that `segnext train --folds`
            made, or a list of these.

    Returns:
        One or more models, each with a spec; all with the same classes and normalisation.

    Raises:
        UsageError: A model has no spec, or the models differ in classes or normalisation.
        WeightsError: Weights cannot be loaded.
    """
    sources = [source] if isinstance(source, Source) else source
    models = tuple(model for one in sources for model in _load(one))
    if not models:
        msg = "no weights given: an ensemble has one model or more"
        raise UsageError(msg)
    check_same_classes([spec_of(model) for model in models])
    return models


class Described(Protocol):
    """A model, or a runner over one."""

    spec: ModelSpec | None


def check_same_classes(specs: Sequence[ModelSpec]) -> None:
    """Refuse models that cannot answer together.

    Raises:
        UsageError: The classes or the normalisation differ.
    """
    first = specs[0]
    for spec in specs[1:]:
        if (spec.classes.names, spec.normalization) != (first.classes.names, first.normalization):
            msg = (
                "the models of an ensemble must have the same classes and normalisation; "
                f"{spec.model} has {spec.classes.num_classes} classes and mean "
                f"{spec.normalization.mean}, the first {first.classes.num_classes} and "
                f"{first.normalization.mean}"
            )
            raise UsageError(msg)


def spec_of(model: Described) -> ModelSpec:
    """Return what a model's inputs and outputs mean.

    Raises:
        UsageError: The model does not know.
    """
    if model.spec is None:
        msg = "the model does not know its classes: set model.spec, or load it from a weights file"
        raise UsageError(msg)
    return model.spec


def member_files(source: str | Path) -> list[Path]:
    """Return the weights files that a source stands for, downloaded if need be.

    Raises:
        WeightsError: A fold of a cross-validation is not finished, or a download failed.
    """
    folds = sorted(Path(source).glob("fold_*")) if Path(source).is_dir() else []
    for fold in folds:
        if not (fold / BEST).is_file():
            msg = f"{fold}: this fold has no {BEST} yet; finish segnext train"
            raise WeightsError(msg)
    return [fold / BEST for fold in folds] or [find_weights(source)]


def _load(source: Source) -> list[SegmentationModel]:
    if isinstance(source, SegmentationModel):
        return [source]
    return [load_model(path) for path in member_files(source)]
