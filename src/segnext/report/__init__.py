"""A score that explains itself: reports on a model, and comparisons of two."""

from segnext.report.duel import judge as judge_duel
from segnext.report.figures import Duel, Report, Starts, to_dict
from segnext.report.page import judge
from segnext.report.reporting import check_out, compare_models, write_report

__all__ = [
    "Duel",
    "Report",
    "Starts",
    "check_out",
    "compare_models",
    "judge",
    "judge_duel",
    "to_dict",
    "write_report",
]
