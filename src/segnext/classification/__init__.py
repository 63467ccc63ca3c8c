"""MSCAN as an ImageNet classifier: training, scores, predictions, and encoders to start from."""

from segnext.classification.config import ClassifyConfig
from segnext.classification.files import ClassifierSpec, load_classifier, save_classifier
from segnext.classification.run import ClassifyRun, train_classifier
from segnext.training.stopping import StoppedError

__all__ = [
    "ClassifierSpec",
    "ClassifyConfig",
    "ClassifyRun",
    "StoppedError",
    "load_classifier",
    "save_classifier",
    "train_classifier",
]
