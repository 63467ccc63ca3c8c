"""Photos to masks, one by one or by the folder; videos, cameras and streams frame by frame."""

from segnext.predict.folder import Report, find_images, fingerprint, predict_images
from segnext.predict.footage import Footage, Frame, open_footage
from segnext.predict.prediction import Prediction
from segnext.predict.predictor import FramePrediction, Predictor
from segnext.predict.suggestions import Suggestion, suggest_pictures, write_suggestions
from segnext.predict.tensors import TensorPrediction
from segnext.predict.video import VideoReport, write_video
from segnext.predict.writers.registry import OUTPUTS

__all__ = [
    "OUTPUTS",
    "Footage",
    "Frame",
    "FramePrediction",
    "Prediction",
    "Predictor",
    "Report",
    "Suggestion",
    "TensorPrediction",
    "VideoReport",
    "find_images",
    "fingerprint",
    "open_footage",
    "predict_images",
    "suggest_pictures",
    "write_suggestions",
    "write_video",
]
