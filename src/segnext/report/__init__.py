"""A score that explains itself: reports on a model, and comparisons of two."""

from segnext.report.duel import is_win
from segnext.report.duel import judge as judge_duel
from segnext.report.figures import Duel, Report, Starts
from segnext.report.page import judge
from segnext.report.reporting import PAGE, compare_models, make_report

__all__ = [
    "PAGE",
    "Duel",
    "Report",
    "Starts",
    "compare_models",
    "is_win",
    "judge",
    "judge_duel",
    "make_report",
]
