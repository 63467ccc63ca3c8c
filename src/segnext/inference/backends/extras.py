"""Optional packages: imported when first needed, with one line on how to get them."""

import importlib
import importlib.util
from typing import Any

from segnext.errors import UsageError


def missing_extra(module: str, extra: str) -> str | None:
    """Return how to get a package that is not installed, in one line; `None` if it is."""
    if importlib.util.find_spec(module) is not None:
        return None
    return f'needs {module}: pip install "segnext[{extra}]"'


def import_extra(module: str, extra: str) -> Any:
    """Import a package of an extra.

    Args:
        module: What to import.
        extra: Of segnext, that installs it.

    Raises:
        UsageError: It is not installed; says how to install it.
    """
    missing = missing_extra(module, extra)
    if missing is not None:
        msg = f"this {missing}"
        raise UsageError(msg)
    return importlib.import_module(module)
