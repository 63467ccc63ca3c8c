"""SegNeXt semantic segmentation: train, evaluate and predict.

Names load when first used (PEP 562), so `import segnext` costs milliseconds and torch is loaded
only by what needs it.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Classes": "segnext.classes",
    "Predictor": "segnext.predict",
    "convert_state_dict": "segnext.weights",
    "create_classifier": "segnext.models",
    "create_encoder": "segnext.models",
    "create_model": "segnext.models",
    "evaluate": "segnext.evaluation",
    "export": "segnext.deploy",
    "list_datasets": "segnext.data.datasets.registry",
    "list_models": "segnext.models",
    "list_recipes": "segnext.training.recipes",
    "list_weights": "segnext.weights",
    "load_model": "segnext.weights",
    "plan": "segnext.training",
    "read_recipe": "segnext.training.recipes",
    "save_model": "segnext.weights",
    "train": "segnext.report.after_training",
}

__all__ = [
    "Classes",
    "Predictor",
    "__version__",
    "convert_state_dict",
    "create_classifier",
    "create_encoder",
    "create_model",
    "evaluate",
    "export",
    "list_datasets",
    "list_models",
    "list_recipes",
    "list_weights",
    "load_model",
    "plan",
    "read_recipe",
    "save_model",
    "train",
]

if TYPE_CHECKING:
    from segnext.classes import Classes
    from segnext.data.datasets.registry import list_datasets
    from segnext.deploy import export
    from segnext.evaluation import evaluate
    from segnext.models import create_classifier, create_encoder, create_model, list_models
    from segnext.predict import Predictor
    from segnext.report.after_training import train
    from segnext.training import plan
    from segnext.training.recipes import list_recipes, read_recipe
    from segnext.weights import convert_state_dict, list_weights, load_model, save_model


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module 'segnext' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
