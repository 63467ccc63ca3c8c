"""How good a model is, by a named protocol."""

from segnext.evaluation.comparison import Comparison, compare_protocols
from segnext.evaluation.evaluation import Evaluation, evaluate

__all__ = ["Comparison", "Evaluation", "compare_protocols", "evaluate"]
