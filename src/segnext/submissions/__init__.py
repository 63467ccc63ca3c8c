"""Predicted masks packed for the test servers of known data sets, and such packs checked."""

from segnext.submissions.packing import Submission, check_submission, pack_submission
from segnext.submissions.servers import SERVERS, Server

__all__ = ["SERVERS", "Server", "Submission", "check_submission", "pack_submission"]
