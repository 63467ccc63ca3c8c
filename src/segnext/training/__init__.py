"""The plan, the training loop, and what both can be told."""

from segnext.stopping import StoppedError
from segnext.training.config import TrainConfig
from segnext.training.planning import Plan, plan
from segnext.training.run import TrainRun, train

__all__ = ["Plan", "StoppedError", "TrainConfig", "TrainRun", "plan", "train"]
