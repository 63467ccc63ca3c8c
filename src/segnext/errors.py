"""What may go wrong, said in one line: what, where, which value, what to do.

Every error a user can cause is a `SegnextError`; the command line prints its message without a
traceback. Programming mistakes inside the package stay assertions.
"""

import difflib
import re
from collections.abc import Iterable

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LONGEST = 4000


class SegnextError(Exception):
    """Base of every error that the package raises on purpose.

    Its text is one line of a readable length, whatever a file made part of it.
    """

    exit_code = 1

    def __str__(self) -> str:
        """Return the message in one line; of a long one, its beginning and its end."""
        text = _CONTROLS.sub(" ", super().__str__())
        if len(text) <= _LONGEST:
            return text
        return f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


class UsageError(SegnextError, ValueError):
    """The call itself is wrong: an unknown name, an option out of range. Exit code 2."""

    exit_code = 2


class DataError(SegnextError, ValueError):
    """Images, masks or their folder are not what training or evaluation needs."""


class WeightsError(SegnextError, ValueError):
    """A weights file cannot be read, trusted or fitted to the model."""


class TrainingError(SegnextError, RuntimeError):
    """A training run cannot start or go on."""


def describe_unknown(kind: str, name: str, valid: Iterable[str]) -> str:
    """Compose the answer to a wrong name: the nearest right ones first.

    Args:
        kind: What the name stands for, such as `"model"`.
        name: What was given.
        valid: Every name that would have been right.
    """
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"unknown {kind} {name!r}: {hint}valid: {', '.join(names)}"


def list_some(items: Iterable[object], limit: int = 5) -> str:
    """Join the first items for a one-line message and count the rest."""
    names = [str(item) for item in items]
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest
