"""Systems side by side: one recipe, several seeds, one page (`segnext compare`)."""

from segnext.compare.compare import compare
from segnext.compare.config import CompareConfig, System, list_tables, read_compare_config
from segnext.compare.result import CompareResult

__all__ = [
    "CompareConfig",
    "CompareResult",
    "System",
    "compare",
    "list_tables",
    "read_compare_config",
]
