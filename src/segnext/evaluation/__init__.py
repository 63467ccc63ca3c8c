"""How good a model is, by a named protocol."""

from segnext.evaluation.evaluation import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
