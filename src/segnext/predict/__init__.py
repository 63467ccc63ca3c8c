"""Photos to masks, one by one or by the folder."""

from segnext.predict.folder import Report, find_images, fingerprint, predict_images
from segnext.predict.predictor import Prediction, Predictor

__all__ = [
    "Prediction",
    "Predictor",
    "Report",
    "find_images",
    "fingerprint",
    "predict_images",
]
