"""Files for other runtimes, verified."""

from segnext.deploy.exporting import export
from segnext.deploy.formats import FORMATS, Format
from segnext.deploy.report import ExportReport, FileScore
from segnext.deploy.verify import Latency, Parity

__all__ = ["FORMATS", "ExportReport", "FileScore", "Format", "Latency", "Parity", "export"]
