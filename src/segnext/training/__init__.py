"""The training loop, its configuration and the choices it makes by itself."""

from segnext.training.config import TrainConfig
from segnext.training.run import TrainRun, train
from segnext.training.trainer import StoppedError

__all__ = ["StoppedError", "TrainConfig", "TrainRun", "train"]
