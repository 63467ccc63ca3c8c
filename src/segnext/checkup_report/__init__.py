"""The report of a check-up: for the terminal, as one HTML page, and what to train with."""

from segnext.checkup_report.overlays import Overlay, draw_overlays
from segnext.checkup_report.page import build_page
from segnext.checkup_report.suggestions import Suggestion, suggest
from segnext.checkup_report.terminal import print_checkup

__all__ = ["Overlay", "Suggestion", "build_page", "draw_overlays", "print_checkup", "suggest"]
