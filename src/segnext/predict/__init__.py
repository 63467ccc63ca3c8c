"""Photos to masks, one by one or by the folder."""

from segnext.predict.folder import Report, find_images, fingerprint, predict_images
from segnext.predict.prediction import Prediction
from segnext.predict.predictor import Predictor
from segnext.predict.suggestions import Suggestion, suggest_pictures, write_suggestions
from segnext.predict.writers.registry import OUTPUTS

__all__ = [
    "OUTPUTS",
    "Prediction",
    "Predictor",
    "Report",
    "Suggestion",
    "find_images",
    "fingerprint",
    "predict_images",
    "suggest_pictures",
    "write_suggestions",
]
