"""Photos to masks, one by one or by the folder; videos, cameras and streams frame by frame."""

from segnext.predict.folder import Report, find_images, fingerprint, predict_images
from segnext.predict.footage import Footage, Frame, open_footage
from segnext.predict.predictor import FramePrediction, Prediction, Predictor
from segnext.predict.video import VideoReport, write_video

__all__ = [
    "Footage",
    "Frame",
    "FramePrediction",
    "Prediction",
    "Predictor",
    "Report",
    "VideoReport",
    "find_images",
    "fingerprint",
    "open_footage",
    "predict_images",
    "write_video",
]
