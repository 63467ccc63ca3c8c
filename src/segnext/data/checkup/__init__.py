"""The check-up of a data set: everything read, everything odd said, with what to do about it."""

from segnext.data.checkup.checkup import Checkup, check_data
from segnext.data.checkup.finding import Finding, Severity
from segnext.data.checkup.quick import quick_check

__all__ = ["Checkup", "Finding", "Severity", "check_data", "quick_check"]
