"""The report of a check-up: for the terminal, as one HTML page, and what to train with."""

from segnext.checkup.overlays import Overlay, draw_overlays
from segnext.checkup.page import build_page
from segnext.checkup.suggestions import Suggestion, suggest
from segnext.checkup.terminal import print_checkup

__all__ = ["Overlay", "Suggestion", "build_page", "draw_overlays", "print_checkup", "suggest"]
