"""Weights files of classifiers: one file that predicts, and that a segmentation can start from.

To `segnext train` and everything else that reads weights, the file is one with an encoder alone:
its `ModelSpec` says so, and the tensors of the encoder have the names that they have in a
segmentation model. What makes it a classifier stands beside that in the metadata, under the key
`segnext_classifier`: the class folders and how photos are seen.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from segnext import __version__
from segnext.classes import Classes
from segnext.classification.augmentation import EvaluationView
from segnext.errors import WeightsError, list_some
from segnext.models import Classifier, ClassifierConfig
from segnext.parsing import parse_json
from segnext.spec import IMAGENET_NORMALIZATION, ModelSpec, Normalization
from segnext.storage import write_atomically
from segnext.weights import load_tensors, read_spec
from segnext.weights.files import check_finite, read_metadata, refuse_unbuildable

_MODEL_KEY, _CLASSIFIER_KEY = "segnext", "segnext_classifier"


@dataclass(frozen=True)
class ClassifierSpec:
    """Everything about a classifier besides its tensors.

    Attributes:
        model: Name, such as `mscan_tiny`.
        config: Arguments of the model, as `ClassifierConfig` writes them.
        folders: Class folders in the order of the logits, such as WordNet ids.
        names: What people call the classes.
        normalization: How pixels are scaled.
        view: What of a photo is seen.
        score: Measured results, such as `{"top1": 0.6, "split": "val"}`; empty when unmeasured.
        license: Terms of the weights, which are not those of the package.
        version: Version of the package that wrote the file.
    """

    model: str
    config: dict[str, Any]
    folders: tuple[str, ...]
    names: tuple[str, ...]
    normalization: Normalization = IMAGENET_NORMALIZATION
    view: EvaluationView = field(default_factory=EvaluationView)
    score: dict[str, Any] = field(default_factory=dict)
    license: str = "unstated"
    version: str = ""

    def to_model_spec(self) -> ModelSpec:
        """Describe the encoder, for whoever starts a segmentation from it."""
        return ModelSpec(
            model=self.model.replace("mscan", "segnext"),
            config=self.config,
            classes=Classes(self.names),
            normalization=self.normalization,
            score=self.score,
            license=self.license,
            version=self.version,
            encoder_only=True,
        )


def save_classifier(model: Classifier, path: Path, spec: ClassifierSpec) -> Path:
    """Write a classifier and its spec to one file, all or nothing.

    Raises:
        WeightsError: A value is not finite.
        SegnextError: The disk refuses.
    """
    spec = replace(spec, config=model.config.to_dict(), version=__version__)
    state = model.state_dict()
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    check_finite(tensors, f"{path}: not written")
    about = {"model": spec.model, "folders": spec.folders, "view": asdict(spec.view)}
    metadata = {
        "format": "pt",
        _MODEL_KEY: json.dumps(spec.to_model_spec().to_dict()),
        _CLASSIFIER_KEY: json.dumps(about),
    }
    write_atomically(path, save(tensors, metadata))
    return path


def read_classifier_spec(path: str | Path) -> ClassifierSpec:
    """Read what a classifier's file says about itself, without its tensors.

    Raises:
        WeightsError: The file is missing, foreign, damaged, or of a segmentation model.
    """
    path = Path(path)
    about = read_spec(path)
    text = read_metadata(path).get(_CLASSIFIER_KEY)
    if text is None:
        what = "an encoder alone" if about.encoder_only else "a segmentation model"
        msg = f"{path}: holds {what}, no classifier; segnext classify train makes one"
        raise WeightsError(msg)
    try:
        data = parse_json(text)
        return ClassifierSpec(
            model=str(data["model"]),
            config=about.config,
            folders=tuple(str(folder) for folder in data["folders"]),
            names=about.classes.names,
            normalization=about.normalization,
            view=EvaluationView(**data["view"]),
            score=about.score,
            license=about.license,
            version=about.version,
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        msg = f"{path}: its description is broken ({type(error).__name__}: {error})"
        raise WeightsError(msg) from error


def is_classifier(path: Path) -> bool:
    """Tell whether a safetensors file is a classifier of ours."""
    return _CLASSIFIER_KEY in read_metadata(path)


def load_classifier(
    path: str | Path, *, device: str | torch.device = "cpu"
) -> tuple[Classifier, ClassifierSpec]:
    """Rebuild a classifier from its file.

    Returns:
        The model in evaluation mode and float32, and its spec.

    Raises:
        WeightsError: See `read_classifier_spec`; also if the tensors are not those of the
            configuration.
    """
    path = Path(path)
    spec = read_classifier_spec(path)
    tensors = load_tensors(path)
    model = _build_empty(spec, tensors, path)
    _fill(model, tensors, path)
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model.eval(), spec


def _build_empty(spec: ClassifierSpec, tensors: Mapping[str, Tensor], path: Path) -> Classifier:
    """Build the model without storage: a hostile configuration cannot ask for memory."""
    with refuse_unbuildable(path):
        config = ClassifierConfig.from_dict(spec.config)
        if sum(config.depths) > len(tensors):
            msg = "the file holds too few tensors for its configuration"
            raise WeightsError(msg)
        if not config.num_classes == len(spec.folders) == len(spec.names):
            msg = f"it names {len(spec.folders)} classes, the model has {config.num_classes}"
            raise WeightsError(msg)
        with torch.device("meta"):
            return Classifier(config)


def _fill(model: Classifier, tensors: Mapping[str, Tensor], path: Path) -> None:
    expected = model.state_dict()
    wrong = sorted(
        expected.keys() ^ tensors.keys()
        | {n for n in expected.keys() & tensors.keys() if expected[n].shape != tensors[n].shape}
    )
    if wrong:
        msg = f"{path}: lacks, or has in excess or in another shape: {list_some(wrong)}"
        raise WeightsError(msg)
    model.load_state_dict(dict(tensors), assign=True)
