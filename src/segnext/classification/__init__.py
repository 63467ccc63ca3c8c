"""MSCAN as an ImageNet classifier: training, scores, predictions, and encoders to start from."""

from segnext.classification.config import ClassifyConfig
from segnext.classification.evaluation import ClassReport, evaluate
from segnext.classification.files import ClassifierSpec, load_classifier, save_classifier
from segnext.classification.run import ClassifyRun, train
from segnext.stopping import StoppedError

__all__ = [
    "ClassReport",
    "ClassifierSpec",
    "ClassifyConfig",
    "ClassifyRun",
    "StoppedError",
    "evaluate",
    "load_classifier",
    "save_classifier",
    "train",
]
