"""What a check-up has to say: how bad it is, how often, where, and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

# A report lists this many files of a finding; more are counted.
MOST_LISTED = 200
_IRREGULAR = {"are": "is", "were": "was", "have": "has", "cannot": "cannot"}


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """It would stop a training, or spoil what it learns."""
    WARNING = "warning"
    """Training would run, but on less or other than was meant, or its scores would flatter."""
    NOTE = "note"
    """Worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        code: Short name that stays the same between versions, such as `broken_pictures`.
        severity: How much it matters.
        title: One sentence.
        remedy: What to do, one or two sentences; empty where nothing needs to be done.
        count: How many files it is about; 0 where it is about the data set as a whole.
        examples: A line each, at most `MOST_LISTED`.
    """

    code: str
    severity: Severity
    title: str
    remedy: str = ""
    count: int = 0
    examples: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "title": self.title,
            "remedy": self.remedy,
            "count": self.count,
            "examples": list(self.examples),
        }


def list_examples(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the first lines, as many as a finding may list."""
    return tuple(line for line, _ in zip(lines, range(MOST_LISTED), strict=False))


def sort_findings(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Put what matters most first, and otherwise keep the order."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def shorten(path: Path | None, root: Path) -> str:
    """Write a path as it looks from the data set's folder."""
    if path is None:
        return "no mask"
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def count_of(count: int, noun: str) -> str:
    """Write `1 mask`, `2,000 masks`."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def agree(count: int, noun: str, verb: str) -> str:
    """Write `1 mask holds`, `2,000 masks hold`."""
    one = _IRREGULAR.get(verb, f"{verb}s")
    return f"{count_of(count, noun)} {one if count == 1 else verb}"


def percent(share: float) -> str:
    """Write a share 0 to 1 so that small ones do not become zero."""
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    if share < 0.0001:
        return "< 0.01 %"
    if share >= 0.9995:
        return "> 99.9 %"
    return f"{100 * share:.{2 if share < 0.01 else 1}f} %"
